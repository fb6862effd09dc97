//! Whether a process lived through the window, or another one took its place.
//! All its series are then counted from zero, not only those that fell: a rule
//! per series mixes two lives.

use std::collections::HashMap;

use crate::telemetry::exposition::{Exposition, Label};
use crate::telemetry::model::Names;

use super::scrape::Scrape;
use super::series::Counters;

/// Seconds since the process started, a gauge.
pub(super) const UPTIME: &str = "app_uptime_seconds";
/// When the process started, in seconds since 1970, a gauge.
pub(super) const START_TIME: &str = "process_start_time_seconds";

/// How far an uptime may lag behind the time between two scrapes: it may be
/// in whole seconds, and a slow answer is older than the moment it arrives.
const LAG: f64 = 2.0;
/// How far a start time may move by itself: clients that compute it from the
/// boot time see that one jump by a second when the clock is corrected.
const START_TIME_JITTER: f64 = 1.0;

/// Whether the process of `earlier` is not the one of `later` although it has
/// the same id. `counters` are those of `later`, `elapsed` is the time between them in seconds, where known.
pub(super) fn has_restarted(
    earlier: &Scrape<'_>,
    later: &Scrape<'_>,
    counters: &Counters<'_>,
    elapsed: Option<f64>,
    names: &Names,
) -> bool {
    let (before, after) = (&earlier.exposition, &later.exposition);
    counters.fell_since(&Counters::of(before, names))
        || values_of(UPTIME, before, after).any(|(was, is)| is_another_life(was, is, elapsed))
        || values_of(START_TIME, before, after).any(|(was, is)| (is - was).abs() > START_TIME_JITTER)
}

/// A process that restarted in the window is younger than the window, and its
/// uptime has not grown by the window's length. Both must hold: a wall clock
/// that jumped breaks the second alone.
fn is_another_life(was: f64, is: f64, elapsed: Option<f64>) -> bool {
    is < was || elapsed.is_some_and(|elapsed| is - was < elapsed - LAG && is < elapsed + LAG)
}

/// Whether a process says that it has run for longer than `elapsed` seconds.
pub(super) fn is_older_than(scrape: &Scrape<'_>, elapsed: f64) -> bool {
    let taken_at = scrape.taken_at_seconds();
    let uptime = scrape.exposition.single(UPTIME);
    let since_start = scrape.exposition.single(START_TIME).map(|start| taken_at - start);
    uptime.or(since_start).is_some_and(|age| age > elapsed + LAG)
}

/// The values of each series of a name that both have. A body may have very
/// many of them, so the earlier ones are looked up.
fn values_of<'e>(
    name: &'static str,
    before: &'e Exposition<'_>,
    after: &'e Exposition<'_>,
) -> impl Iterator<Item = (f64, f64)> + use<'e> {
    let earlier: HashMap<&[Label<'_>], f64> =
        before.named(name).map(|was| (was.labels.as_slice(), was.value)).collect();
    after.named(name).filter_map(move |is| earlier.get(is.labels.as_slice()).map(|was| (*was, is.value)))
}
