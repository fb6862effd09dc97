//! The figures as the commands tell them, and the look at saved scrapes.

use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use serde::{Deserialize, Serialize};

use super::exposition::{Format, Malformed, parse};
use super::fault::MeasureFault;
use super::model::{Bucket, Measured, Names, Snapshot};
use super::window::{Length, measure_with};

/// The figures of a window in JSON. The field names are an agreement with
/// scripts and policies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Requests in the window.
    pub requests: u64,
    /// Those answered with 500 to 599.
    pub errors: u64,
    /// Their share, 0 to 1; null without requests.
    pub error_rate: Option<f64>,
    /// Requests per second.
    pub request_rate: f64,
    /// As Prometheus answers it (in the last bucket the highest finite bound);
    /// null without a histogram or without requests.
    pub p99_latency_ms: Option<f64>,
    /// The bucket that holds the P99, in milliseconds: lower and upper bound,
    /// the upper one null when it is above every finite bound.
    pub p99_bucket: Option<(f64, Option<f64>)>,
    /// Processes that restarted in the window.
    pub resets: u64,
    /// Processes that are gone at the end of the window.
    #[serde(default)]
    pub vanished: u64,
    /// The window's length.
    pub window_seconds: f64,
    /// The histogram of the window, cumulative; empty without one.
    pub buckets: Vec<Bucket>,
}

impl From<&Measured> for Figures {
    fn from(measured: &Measured) -> Self {
        Self {
            requests: measured.requests,
            errors: measured.errors,
            error_rate: measured.error_rate,
            request_rate: measured.request_rate,
            p99_latency_ms: measured.p99.map(|p99| p99.ms),
            p99_bucket: measured.p99.map(|p99| (p99.low_ms, p99.high_ms)),
            resets: measured.resets,
            vanished: measured.vanished,
            window_seconds: measured.window.as_secs_f64(),
            buckets: measured.buckets.clone(),
        }
    }
}

/// What the gate would see between two saved scrapes of one process.
///
/// Files have no clock: `window` is the caller's word for the time between
/// them. It makes the rate, but an uptime is not checked against it; that the
/// process restarted shows in a counter or uptime that fell, or in another
/// start time.
pub fn compare(from: &str, to: &str, names: &Names, window: Duration) -> Result<Figures, MeasureFault> {
    let start = DateTime::UNIX_EPOCH;
    let end = TimeDelta::from_std(window).ok().and_then(|window| start.checked_add_signed(window));
    let saved = |body: &str, taken_at| Snapshot {
        instance: "saved".to_owned(),
        taken_at,
        is_openmetrics: Format::of_saved(body.as_bytes()) == Format::OpenMetrics,
        body: body.to_owned(),
    };
    let (earlier, later) = (saved(from, start), saved(to, end.unwrap_or(start)));
    let measured = measure_with(&[earlier], &[later], names, Length::Claimed(window), None)?;
    Ok(Figures::from(&measured))
}

/// How much a saved scrape holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Lines with a value.
    pub samples: usize,
    /// Families, with or without metadata.
    pub families: usize,
}

/// Reads a saved scrape.
pub fn check(body: &[u8]) -> Result<Checked, Malformed> {
    let exposition = parse(body, Format::of_saved(body))?;
    Ok(Checked { samples: exposition.samples().len(), families: exposition.family_count() })
}

#[cfg(test)]
mod tests;
