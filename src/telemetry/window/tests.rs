//! The rules of the window, one case each; what they share.

mod faults;
mod latency;
mod lives;
mod processes;
mod properties;
mod sums;

use std::time::Duration;

use chrono::DateTime;
use rstest::rstest;

use super::*;

const NOMINAL: Duration = Duration::from_secs(30);
/// 2025-11-23, a moment like any other.
const START: i64 = 1_763_901_711;

/// A scrape of an instance, so many seconds after the start.
fn at(instance: &str, seconds: i64, body: &str) -> Snapshot {
    Snapshot {
        instance: instance.to_owned(),
        taken_at: DateTime::from_timestamp(START + seconds, 0).unwrap(),
        is_openmetrics: body.ends_with("# EOF\n"),
        body: body.to_owned(),
    }
}

/// One process, thirty seconds.
fn between(earlier: &str, later: &str) -> Result<Measured, MeasureFault> {
    measure(&[at("a", 0, earlier)], &[at("a", 30, later)], &Names::default(), NOMINAL)
}

/// Series of the counter of requests, written as `path status value`.
fn requests(series: &[(&str, &str, f64)]) -> String {
    use std::fmt::Write;
    let mut body = String::from("# TYPE http_requests_total counter\n");
    for (path, status, value) in series {
        writeln!(body, "http_requests_total{{path=\"{path}\",status_code=\"{status}\"}} {value}").unwrap();
    }
    body
}

#[track_caller]
fn counted(measured: Result<Measured, MeasureFault>, requests: u64, errors: u64, resets: u64) {
    let measured = measured.unwrap();
    assert_eq!((measured.requests, measured.errors, measured.resets), (requests, errors, resets));
}

const SERVED: [(&str, &str, f64); 1] = [("/", "200", 100.0)];
const SERVED_MORE: [(&str, &str, f64); 1] = [("/", "200", 140.0)];

/// Buckets of the histogram of durations, written as `le count`.
fn durations(buckets: &[(&str, f64)]) -> String {
    use std::fmt::Write;
    let mut body = String::new();
    for (le, count) in buckets {
        writeln!(body, "http_request_duration_seconds_bucket{{path=\"/\",le=\"{le}\"}} {count}").unwrap();
    }
    body
}
