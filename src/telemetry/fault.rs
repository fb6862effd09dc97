//! What a fault is called in JSON, and what to do about it.

use serde::{Deserialize, Serialize};

use super::exposition::Malformed;
use super::model::{ScrapeFault, WindowFault};

/// Why there are no figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(untagged)]
pub enum MeasureFault {
    /// A scrape gave nothing that may be used.
    #[error(transparent)]
    Scrape(#[from] ScrapeFault),
    /// The scrapes are fine, but make no window.
    #[error(transparent)]
    Window(#[from] WindowFault),
}

impl MeasureFault {
    /// The stable word for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Scrape(fault) => fault.code(),
            Self::Window(fault) => fault.code(),
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::Scrape(fault) => fault.next_step(),
            Self::Window(fault) => fault.next_step(),
        }
    }
}

impl From<Malformed> for ScrapeFault {
    fn from(Malformed { line, reason }: Malformed) -> Self {
        Self::Malformed { line, reason }
    }
}

impl ScrapeFault {
    /// The stable word for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "metrics_unreachable",
            Self::TimedOut { .. } => "metrics_timeout",
            Self::Http { .. } => "metrics_http",
            Self::ContentType { .. } => "metrics_content_type",
            Self::TooLarge { .. } => "metrics_too_large",
            Self::Malformed { .. } => "metrics_malformed",
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "see whether the app runs: `swiftdeploy status --once`",
            Self::TimedOut { .. } => "see what keeps the app busy: `swiftdeploy logs`",
            Self::Http { .. } => "check metrics.path in the manifest",
            Self::ContentType { .. } => {
                "check metrics.path in the manifest; the app must name the content type of its metrics"
            }
            Self::TooLarge { .. } => "have the app expose fewer series",
            Self::Malformed { .. } => {
                "save the answer of the metrics path and run `swiftdeploy metrics --check FILE`"
            }
        }
    }
}

impl WindowFault {
    /// The stable word for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooShort { .. } => "window_too_short",
            Self::Absent { .. } => "metrics_absent",
            Self::BadValue { .. } => "metrics_malformed",
            Self::NoStatus { .. } => "metrics_no_status",
            Self::NoPath { .. } => "metrics_no_path",
            Self::SeriesLost { .. } => "metrics_series_lost",
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub const fn next_step(&self) -> &'static str {
        match self {
            Self::TooShort { .. } => "wait until the window has passed and repeat",
            Self::Absent { .. } => "name the app's counter of requests in the manifest: metrics.requests",
            Self::BadValue { .. } => "correct the app: a counter is never negative and at most 2^53",
            Self::NoStatus { .. } => {
                "name the label of the status code in the manifest: metrics.status_label"
            }
            Self::NoPath { .. } => "name the label of the path in the manifest: metrics.path_label",
            Self::SeriesLost { .. } => {
                "wait until the window has passed and repeat; \
                 the app must keep its series and should tell the length of its metrics"
            }
        }
    }
}
