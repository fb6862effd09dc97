//! The scrapes at one end of a window, read and found usable.

use chrono::{DateTime, Utc};

use crate::telemetry::exposition::{Exposition, Format, Malformed, Sample, parse};
use crate::telemetry::fault::MeasureFault;
use crate::telemetry::model::{Names, ScrapeFault, Side, Snapshot, WindowFault};

use super::restart::{START_TIME, UPTIME};
use super::series::{bucket_name, upper_bound};

/// A snapshot and what it says.
pub(super) struct Scrape<'s> {
    pub(super) instance: &'s str,
    pub(super) taken_at: DateTime<Utc>,
    pub(super) exposition: Exposition<'s>,
}

impl<'s> Scrape<'s> {
    /// Reads one end of a window: one scrape for each process (the newest,
    /// should there be more), in the order given.
    pub(super) fn read_all(
        snapshots: &'s [Snapshot],
        side: Side,
        names: &Names,
    ) -> Result<Vec<Self>, MeasureFault> {
        let is_newest = |at: usize, snapshot: &Snapshot| {
            !snapshots.iter().enumerate().any(|(index, other)| {
                other.instance == snapshot.instance && (other.taken_at, index) > (snapshot.taken_at, at)
            })
        };
        snapshots
            .iter()
            .enumerate()
            .filter(|&(at, snapshot)| is_newest(at, snapshot))
            .map(|(_, snapshot)| Self::read(snapshot, side, names))
            .collect()
    }

    fn read(snapshot: &'s Snapshot, side: Side, names: &Names) -> Result<Self, MeasureFault> {
        let format = if snapshot.is_openmetrics { Format::OpenMetrics } else { Format::Text };
        let exposition = parse(&snapshot.body, format).map_err(|Malformed { line, reason }| {
            ScrapeFault::Malformed { line, reason: format!("{reason} ({side} scrape)") }
        })?;
        for sample in exposition.samples() {
            if let Some(value) = bad_value(sample, names) {
                let series = sample.series();
                return Err(WindowFault::BadValue { scrape: side, line: sample.line, series, value }.into());
            }
        }
        Ok(Self { instance: &snapshot.instance, taken_at: snapshot.taken_at, exposition })
    }

    /// Seconds since 1970.
    pub(super) fn taken_at_seconds(&self) -> f64 {
        seconds(self.taken_at.signed_duration_since(DateTime::UNIX_EPOCH))
    }

    /// Seconds from another scrape to this one; negative when it was later.
    pub(super) fn seconds_since(&self, earlier: &Self) -> f64 {
        seconds(self.taken_at.signed_duration_since(earlier.taken_at))
    }
}

fn seconds(duration: chrono::TimeDelta) -> f64 {
    duration.as_seconds_f64()
}

/// Above, a float cannot tell a number from the next one: sums would lose
/// errors, and the largest would become infinite.
const MOST: f64 = 9_007_199_254_740_992.0;

/// What is wrong with a value in a family that the window uses: it must be
/// finite and not negative, a count must be exact, and a bucket must have a
/// bound.
fn bad_value(sample: &Sample<'_>, names: &Names) -> Option<String> {
    let name = sample.name.as_ref();
    let is_bucket = name == bucket_name(&names.duration);
    let part = name.strip_prefix(names.duration.as_str());
    let is_count = is_bucket || name == names.requests || part == Some("_count");
    let is_used = is_count || name == UPTIME || name == START_TIME || part == Some("_sum");
    if !is_used {
        return None;
    }
    if !sample.value.is_finite() || sample.value < 0.0 || (is_count && sample.value > MOST) {
        return Some(sample.value.to_string());
    }
    let has_no_bound = is_bucket && upper_bound(sample).is_none();
    has_no_bound.then(|| "a bucket without a number in le".to_owned())
}
