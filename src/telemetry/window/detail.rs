//! How the figures of a window came about, process by process and series by
//! series, for people and scripts that want to follow the sum.

use serde::{Deserialize, Serialize};

use crate::telemetry::model::Measured;

use super::change::Change;

/// A window and where its figures come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// The sums.
    pub measured: Measured,
    /// What was summed: the processes of the later scrapes in their order,
    /// those that are gone behind.
    pub instances: Vec<InstanceDetail>,
}

/// One process in a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceDetail {
    /// Which: container id or `pid@start-time`.
    pub instance: String,
    /// Whether it lived through the window.
    pub life: Life,
    /// The series of its counter of requests.
    pub requests: Vec<SeriesDetail>,
    /// The buckets of its histogram of durations.
    pub durations: Vec<SeriesDetail>,
}

/// How a process lived through a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// From its start to its end.
    Whole,
    /// It restarted: all its series count from zero.
    Restarted,
    /// It is in the later scrapes only and counts from zero.
    New,
    /// It is in the earlier scrapes only and counts nothing.
    Gone,
}

/// One series in a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesDetail {
    /// Name and labels, as they are written.
    pub series: String,
    /// The earlier value; null when the series is new.
    pub before: Option<f64>,
    /// The later value; null when the series is gone.
    pub after: Option<f64>,
    /// What it gained in the window.
    pub gained: f64,
    /// What it adds to the figures: the same, or 0 when it is excluded.
    pub counted: f64,
    /// Why it does not count, or not by its difference alone.
    pub why: Option<Why>,
}

/// What is special about a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Its path is the operator's or the health check's, which is no traffic.
    ExcludedPath,
    /// Its process restarted, so that it counts from zero.
    Restarted,
    /// It was not there before and counts in full.
    New,
    /// It went with an earlier life of its process and counts nothing.
    Gone,
}

impl From<&Change<'_>> for SeriesDetail {
    fn from(change: &Change<'_>) -> Self {
        let why = match (change.before, change.after) {
            _ if change.is_excluded => Some(Why::ExcludedPath),
            (_, None) => Some(Why::Gone),
            (None, Some(_)) => Some(Why::New),
            (Some(_), Some(_)) => change.is_from_zero.then_some(Why::Restarted),
        };
        Self {
            series: change.sample.series(),
            before: change.before,
            after: change.after,
            gained: change.gained(),
            counted: change.counted(),
            why,
        }
    }
}

impl InstanceDetail {
    pub(super) fn of(instance: &str, life: Life, requests: &[Change<'_>], durations: &[Change<'_>]) -> Self {
        Self {
            instance: instance.to_owned(),
            life,
            requests: requests.iter().map(SeriesDetail::from).collect(),
            durations: durations.iter().map(SeriesDetail::from).collect(),
        }
    }
}
