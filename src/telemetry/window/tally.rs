//! Sums over the processes of a window.

use crate::telemetry::model::{Bucket, Names, WindowFault};
use crate::telemetry::quantile;

use super::change::Change;
use super::series::upper_bound;

/// What the processes did in the window, so far.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) requests: f64,
    pub(super) errors: f64,
    buckets: Vec<Bucket>,
    lacks_durations: bool,
}

impl Tally {
    /// Adds one process: what its counter of requests and its buckets did.
    /// `has_lost_durations` when its histogram is not what it was.
    pub(super) fn add(
        &mut self,
        requests: &[Change<'_>],
        durations: &[Change<'_>],
        has_lost_durations: bool,
        names: &Names,
    ) -> Result<(), WindowFault> {
        if let Some(lost) = requests.iter().find(|change| change.is_lost()) {
            return Err(WindowFault::SeriesLost { series: lost.sample.series() });
        }
        let mut served = 0.0;
        for change in requests.iter().filter(|change| is_counted(change)) {
            let sample = change.sample;
            let place = || (sample.line, sample.series());
            if sample.label(&names.path_label).is_none() {
                let ((line, series), label) = (place(), names.path_label.clone());
                return Err(WindowFault::NoPath { line, series, label });
            }
            let is_error = is_server_error(sample.label(&names.status_label)).ok_or_else(|| {
                let ((line, series), label) = (place(), names.status_label.clone());
                WindowFault::NoStatus { line, series, label }
            })?;
            served += change.counted();
            if is_error {
                self.errors += change.counted();
            }
        }
        let mut has_buckets = false;
        for change in durations.iter().filter(|change| is_counted(change)) {
            if let Some(bound) = upper_bound(change.sample) {
                has_buckets = true;
                let le_ms = bound.is_finite().then(|| to_ms(bound));
                self.buckets.push(Bucket { le_ms, count: change.counted() });
            }
        }
        self.requests += served;
        self.lacks_durations |= has_lost_durations || (served > 0.0 && !has_buckets);
        Ok(())
    }

    /// The histogram of the window; empty when there is none. It is also empty
    /// when a process served requests without telling their durations, or lost
    /// a part of them: the rest alone could look better than the whole is.
    pub(super) fn into_buckets(self) -> Vec<Bucket> {
        if self.lacks_durations { Vec::new() } else { quantile::cumulative(self.buckets) }
    }
}

/// Whether a series has a part in the figures. One that went with an earlier
/// life has none, so nothing is asked of its labels.
fn is_counted(change: &Change<'_>) -> bool {
    change.after.is_some() && !change.is_excluded
}

/// Whether a status is 500 to 599. A class such as `5xx`, which some clients
/// write instead of codes, is exactly that range. `None` when it is no status of
/// HTTP (a gRPC code, or the 0 of a handler that broke off): such requests must
/// not pass for good ones.
fn is_server_error(status: Option<&str>) -> Option<bool> {
    let status = status?;
    if let Ok(code) = status.parse::<u32>() {
        return (100..=599).contains(&code).then_some(code >= 500);
    }
    let class = status.strip_suffix("xx").or_else(|| status.strip_suffix("XX"))?;
    class.parse::<u32>().ok().filter(|digit| (1..=5).contains(digit)).map(|digit| digit == 5)
}

/// Seconds as milliseconds, exact for the decimal that was written: 0.57 s is
/// 570 ms, not 569.99….
pub(super) fn to_ms(seconds: f64) -> f64 {
    format!("{seconds}e3").parse().unwrap_or(seconds * 1000.0)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("499", Some(false))]
    #[case("500", Some(true))]
    #[case("503", Some(true))]
    #[case("599", Some(true))]
    #[case("100", Some(false))]
    #[case("99", None)]
    #[case("0", None)]
    #[case("13", None)]
    #[case("50", None)]
    #[case("600", None)]
    #[case("5000", None)]
    #[case("5xx", Some(true))]
    #[case("5XX", Some(true))]
    #[case("2xx", Some(false))]
    #[case("9xx", None)]
    #[case("xx", None)]
    #[case("500.5", None)]
    #[case("-500", None)]
    #[case("OK", None)]
    fn errors_are_500_to_599(#[case] status: &str, #[case] expected: Option<bool>) {
        assert_eq!(is_server_error(Some(status)), expected);
    }

    #[rstest]
    #[case(0.57, 570.0)]
    #[case(0.29, 290.0)]
    #[case(2.5, 2500.0)]
    #[case(1e-7, 1e-4)]
    #[case(-0.5, -500.0)]
    #[case(1e300, 1e303)]
    fn bounds_stay_exact_in_milliseconds(#[case] seconds: f64, #[case] expected: f64) {
        assert_eq!(to_ms(seconds).to_bits(), expected.to_bits());
    }
}
