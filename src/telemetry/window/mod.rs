//! What happened between two scrapes of the same processes.
//!
//! Deltas per series of one process, then sums (the rules are spec section 6).
//! Invariant: whatever is not known makes a fault, `None`, or a number in
//! `resets` or `vanished`; it never makes the figures look better in silence.

mod change;
mod detail;
mod edges;
mod paths;
mod restart;
mod scrape;
mod series;
mod tally;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use detail::{Explained, InstanceDetail, Life, SeriesDetail, Why};
pub use edges::{Misfit, edges};
pub use paths::durations_mix_paths;

use super::fault::MeasureFault;
use super::model::{Measured, Names, Side, Snapshot, WindowFault};
use super::quantile;
use change::{Change, changes};
use scrape::Scrape;
use series::{Counters, bucket_name};
use tally::Tally;

/// How a window's length is known.
#[derive(Clone, Copy)]
pub(super) enum Length {
    /// By the clock: the snapshots tell when they were taken, and the window
    /// must have most of this length.
    Nominal(Duration),
    /// By somebody's word, for saved scrapes. Good for a rate, not for a check
    /// of uptimes.
    Claimed(Duration),
}

/// What happened between two rounds of scrapes, one snapshot for each process.
///
/// - Snapshots are matched by `instance`; all processes are summed.
/// - A process that restarted (a counter fell, its uptime or start time says
///   so) counts from zero and adds one to `resets`.
/// - An instance that is only in `later` counts from zero. It adds one to
///   `resets` when it took the place of one that is gone, and none when it
///   came in addition. One that came in addition and says that it is older
///   than the window was missed by the first round: that is
///   [`WindowFault::TooShort`] with length 0, since its life is no window.
/// - An instance that is only in `earlier`, with nothing in its place, adds
///   one to `vanished`. What it did after its scrape nobody knows, so the
///   figures are those of the others: a caller that asks for a verdict must
///   look at `vanished`.
/// - A process that lives on keeps its series. Where one of its counter of
///   requests is gone, the later scrape is not whole:
///   [`WindowFault::SeriesLost`]. Where one of its histogram is gone, there
///   are no durations, and the requests stand.
/// - The window's length is the shortest distance between the two snapshots
///   of one instance, or, where every instance was replaced, between the two
///   rounds. Below 80 % of `nominal` it is [`WindowFault::TooShort`].
/// - The counter of requests must be in every later snapshot, else
///   [`WindowFault::Absent`]; a family that is declared but has no series yet
///   is there, with nothing counted.
pub fn measure(
    earlier: &[Snapshot],
    later: &[Snapshot],
    names: &Names,
    nominal: Duration,
) -> Result<Measured, MeasureFault> {
    measure_with(earlier, later, names, Length::Nominal(nominal), None)
}

/// The same as [`measure`], and how it came about.
pub fn explain(
    earlier: &[Snapshot],
    later: &[Snapshot],
    names: &Names,
    nominal: Duration,
) -> Result<Explained, MeasureFault> {
    let mut instances = Vec::new();
    let measured = measure_with(earlier, later, names, Length::Nominal(nominal), Some(&mut instances))?;
    Ok(Explained { measured, instances })
}

/// Measures; notes what was summed where `details` asks for it.
pub(super) fn measure_with(
    earlier: &[Snapshot],
    later: &[Snapshot],
    names: &Names,
    length: Length,
    mut details: Option<&mut Vec<InstanceDetail>>,
) -> Result<Measured, MeasureFault> {
    let before = Scrape::read_all(earlier, Side::Earlier, names)?;
    let after = Scrape::read_all(later, Side::Later, names)?;
    if after.is_empty() || !after.iter().all(|scrape| scrape.exposition.mentions(&names.requests)) {
        return Err(WindowFault::Absent { family: names.requests.clone() }.into());
    }
    let window = match length {
        Length::Nominal(nominal) => checked(distance(&before, &after), nominal)?,
        Length::Claimed(window) => checked(window, window)?,
    };
    let turnover = turnover(&before, &after, length)?;

    let buckets = bucket_name(&names.duration);
    let mut tally = Tally::default();
    let mut resets = turnover.replaced;
    for scrape in &after {
        let first = before.iter().find(|first| first.instance == scrape.instance);
        let life = life(first, scrape, length, names);
        resets += u64::from(life == Life::Restarted);
        let is_from_zero = life != Life::Whole;
        let requests = changes(first, scrape, is_from_zero, &names.requests, names);
        let durations = changes(first, scrape, is_from_zero, &buckets, names);
        let has_lost_durations =
            first.is_some_and(|first| lacks_durations(first, scrape, is_from_zero, names));
        tally.add(&requests, &durations, has_lost_durations, names)?;
        if let Some(details) = &mut details {
            details.push(InstanceDetail::of(scrape.instance, life, &requests, &durations));
        }
    }
    if let Some(details) = details {
        let gone =
            before.iter().filter(|first| !after.iter().any(|scrape| scrape.instance == first.instance));
        details.extend(gone.map(|scrape| InstanceDetail::of(scrape.instance, Life::Gone, &[], &[])));
    }

    // Summed in another order: with fractions the last digit may differ.
    let (requests, errors) = (tally.requests, tally.errors.min(tally.requests));
    let buckets = tally.into_buckets();
    Ok(Measured {
        requests: whole(requests),
        errors: whole(errors),
        error_rate: (requests > 0.0).then(|| errors / requests),
        request_rate: requests / window.as_secs_f64(),
        p99: quantile::p99(&buckets),
        buckets,
        resets,
        vanished: turnover.vanished,
        window,
    })
}

/// Whether a scrape lacks series that an earlier one of the same process has,
/// though the process lives on. No window may begin with it: when they are
/// back, they would count in full. `false` for scrapes that make no window.
#[must_use]
pub fn lacks_series(earlier: &Snapshot, later: &Snapshot, names: &Names) -> bool {
    let read = |snapshot, side| Scrape::read_all(std::slice::from_ref(snapshot), side, names);
    let (Ok(before), Ok(after)) = (read(earlier, Side::Earlier), read(later, Side::Later)) else {
        return false;
    };
    before.iter().zip(&after).any(|(first, scrape)| {
        let by_clock = Length::Nominal(Duration::ZERO);
        let is_from_zero = life(Some(first), scrape, by_clock, names) != Life::Whole;
        let requests = changes(Some(first), scrape, is_from_zero, &names.requests, names);
        requests.iter().any(Change::is_lost) || lacks_durations(first, scrape, is_from_zero, names)
    })
}

/// Whether a part of the histogram of durations is lost: a bucket, or a count.
fn lacks_durations(first: &Scrape<'_>, scrape: &Scrape<'_>, is_from_zero: bool, names: &Names) -> bool {
    let parts = [bucket_name(&names.duration), format!("{}_count", names.duration)];
    parts
        .iter()
        .any(|name| changes(Some(first), scrape, is_from_zero, name, names).iter().any(Change::is_lost))
}

fn life(first: Option<&Scrape<'_>>, scrape: &Scrape<'_>, length: Length, names: &Names) -> Life {
    let Some(first) = first else { return Life::New };
    let elapsed = match length {
        Length::Nominal(_) => Some(scrape.seconds_since(first)),
        Length::Claimed(_) => None,
    };
    let counters = Counters::of(&scrape.exposition, names);
    if restart::has_restarted(first, scrape, &counters, elapsed, names) {
        Life::Restarted
    } else {
        Life::Whole
    }
}

/// The window's real length.
fn distance(before: &[Scrape<'_>], after: &[Scrape<'_>]) -> Duration {
    let pairs = || before.iter().flat_map(|first| after.iter().map(move |last| (first, last)));
    let matching = pairs().filter(|(first, last)| first.instance == last.instance);
    let between = |(first, last): (&Scrape<'_>, &Scrape<'_>)| last.taken_at - first.taken_at;
    let shortest = matching.map(between).min().or_else(|| pairs().map(between).min());
    shortest.and_then(|length| length.to_std().ok()).unwrap_or_default()
}

fn checked(actual: Duration, nominal: Duration) -> Result<Duration, WindowFault> {
    if actual.is_zero() || actual.saturating_mul(5) < nominal.saturating_mul(4) {
        return Err(too_short(actual, nominal));
    }
    Ok(actual)
}

fn too_short(actual: Duration, nominal: Duration) -> WindowFault {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    WindowFault::TooShort { actual_ms: millis(actual), nominal_ms: millis(nominal) }
}

/// Which processes came and went.
struct Turnover {
    /// Gone, with a new one in its place.
    replaced: u64,
    /// Gone, with nothing in its place.
    vanished: u64,
}

fn turnover(before: &[Scrape<'_>], after: &[Scrape<'_>], length: Length) -> Result<Turnover, WindowFault> {
    let is_in = |scrapes: &[Scrape<'_>], wanted: &Scrape<'_>| {
        scrapes.iter().any(|scrape| scrape.instance == wanted.instance)
    };
    let gone = before.iter().filter(|scrape| !is_in(after, scrape)).count();
    let new: Vec<&Scrape<'_>> = after.iter().filter(|scrape| !is_in(before, scrape)).collect();
    let replaced = gone.min(new.len());

    let latest = before.iter().max_by_key(|scrape| scrape.taken_at);
    if let (Length::Nominal(nominal), Some(latest)) = (length, latest) {
        let was_missed = |scrape: &&&Scrape<'_>| restart::is_older_than(scrape, scrape.seconds_since(latest));
        if new.iter().filter(was_missed).count() > replaced {
            return Err(too_short(Duration::ZERO, nominal));
        }
    }
    let count = |processes: usize| u64::try_from(processes).unwrap_or(u64::MAX);
    Ok(Turnover { replaced: count(replaced), vanished: count(gone - replaced) })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a sum of finite counts that are not negative; beyond u64 the cast saturates"
)]
fn whole(count: f64) -> u64 {
    count.round() as u64
}
