//! What a scrape and a window are.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Paths of the operator and of health checks, which are no traffic, whatever
/// the manifest says. Compared exactly.
pub const EXCLUDED_PATHS: [&str; 3] = ["/metrics", "/healthz", "/chaos"];

/// What an app calls its metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The counter of requests, `http_requests_total`.
    pub requests: String,
    /// The histogram of durations in seconds, `http_request_duration_seconds`.
    pub duration: String,
    /// The label of the path, `path`.
    pub path_label: String,
    /// The label of the status code, `status_code`.
    pub status_label: String,
    /// Paths that are no traffic besides [`EXCLUDED_PATHS`]: where this app
    /// has its health check and its metrics. Compared exactly.
    pub own_paths: Vec<String>,
}

impl Default for Names {
    /// As the manifest has them where it says nothing else.
    fn default() -> Self {
        Self {
            requests: "http_requests_total".to_owned(),
            duration: "http_request_duration_seconds".to_owned(),
            path_label: "path".to_owned(),
            status_label: "status_code".to_owned(),
            own_paths: Vec::new(),
        }
    }
}

impl Names {
    /// Whether requests for a path are no traffic.
    #[must_use]
    pub fn excludes(&self, path: &str) -> bool {
        EXCLUDED_PATHS.contains(&path) || self.own_paths.iter().any(|own| own == path)
    }
}

/// One scrape of one process, as it came: the body is kept so that it can be
/// saved, compared and shown again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Which process: container id or `pid@start-time`. Two ids are two
    /// processes.
    pub instance: String,
    /// When the answer was complete.
    pub taken_at: DateTime<Utc>,
    /// Whether the content type said OpenMetrics.
    pub is_openmetrics: bool,
    /// The body, valid exposition text.
    pub body: String,
}

/// Why a scrape gave nothing that may be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum ScrapeFault {
    /// The app could not be reached.
    #[error("metrics unreachable at {url}: {reason}")]
    Unreachable {
        /// Where.
        url: String,
        /// The cause.
        reason: String,
    },
    /// No complete answer in time.
    #[error("metrics timed out at {url} after {millis} ms")]
    TimedOut {
        /// Where.
        url: String,
        /// The limit.
        millis: u64,
    },
    /// Another status than 200.
    #[error("metrics answered HTTP {status} at {url}")]
    Http {
        /// Where.
        url: String,
        /// The status.
        status: u16,
    },
    /// A content type that is not an exposition.
    #[error("metrics have the content type {found:?}, not text/plain or application/openmetrics-text")]
    ContentType {
        /// What it says.
        found: String,
    },
    /// The body is larger than the limit.
    #[error("metrics are larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The body does not parse.
    #[error("metrics malformed in line {line}: {reason}")]
    Malformed {
        /// Counted from 1; 0 when it is the body as a whole.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// Which of the two scrapes of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The one at its start.
    Earlier,
    /// The one at its end.
    Later,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Earlier => "earlier",
            Self::Later => "later",
        })
    }
}

/// Why two scrapes make no window. The scrapes themselves are fine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum WindowFault {
    /// Shorter than 80 % of the nominal length.
    #[error("the window is {actual_ms} ms, too short for one of {nominal_ms} ms")]
    TooShort {
        /// What it is.
        actual_ms: u64,
        /// What it should be.
        nominal_ms: u64,
    },
    /// The counter of requests is not in the later scrape.
    #[error("metrics absent: no {family} in the scrape")]
    Absent {
        /// The family.
        family: String,
    },
    /// A value that no counter can have.
    #[error("metrics malformed in line {line} of the {scrape} scrape: {series} is {value}")]
    BadValue {
        /// Which of the two scrapes.
        scrape: Side,
        /// Its line, counted from 1.
        line: usize,
        /// The series.
        series: String,
        /// Its value.
        value: String,
    },
    /// Requests of which nobody can say whether they failed.
    #[error("metrics unusable in line {line}: {series} has no HTTP status in the label {label}")]
    NoStatus {
        /// Its line in the later scrape, counted from 1.
        line: usize,
        /// The series.
        series: String,
        /// The label that should hold the status.
        label: String,
    },
    /// Requests of which nobody can say whether they were traffic.
    #[error(
        "metrics unusable in line {line}: {series} has no path in the label {label}; \
         without it health checks cannot be told from traffic"
    )]
    NoPath {
        /// Its line in the later scrape, counted from 1.
        line: usize,
        /// The series.
        series: String,
        /// The label that should hold the path.
        label: String,
    },
    /// A series of the counter of requests went away although its process
    /// lives on: what it counted since is not known.
    #[error(
        "metrics incomplete: {series} was in the earlier scrape and is not in the later one, \
         which was cut short or is of another process"
    )]
    SeriesLost {
        /// The series.
        series: String,
    },
}

/// A bucket of the latency histogram in the window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Upper bound in milliseconds; `None` for `+Inf`.
    pub le_ms: Option<f64>,
    /// Requests at or below the bound.
    pub count: f64,
}

/// The P99 of a window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct P99 {
    /// As Prometheus' `histogram_quantile`, in milliseconds; in the last
    /// bucket the highest finite bound.
    pub ms: f64,
    /// The bucket that holds it, lower bound in milliseconds.
    pub low_ms: f64,
    /// Upper bound in milliseconds; `None` when it is above every finite one.
    pub high_ms: Option<f64>,
}

/// What happened between two scrapes, summed over the processes of one mode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Requests in the window, without the paths that are no traffic.
    pub requests: u64,
    /// Those answered with 500 to 599.
    pub errors: u64,
    /// `errors / requests`; `None` without requests.
    pub error_rate: Option<f64>,
    /// Requests per second.
    pub request_rate: f64,
    /// `None` without a histogram or without requests.
    pub p99: Option<P99>,
    /// The histogram of the window, cumulative, sorted; empty without one.
    pub buckets: Vec<Bucket>,
    /// Processes that restarted in the window: the same one with counters
    /// from zero, or one that was replaced by another.
    pub resets: u64,
    /// Processes that are gone at the end of the window and that nothing
    /// replaced: what they did after the first scrape is not in the figures.
    #[serde(default)]
    pub vanished: u64,
    /// The window's real length.
    #[serde(rename = "window_seconds", with = "seconds")]
    pub window: Duration,
}

/// Durations as seconds with fractions in JSON.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(value.as_secs_f64())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
    }
}
