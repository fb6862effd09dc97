//! What one line of the history says.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who caused a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(pub String);

impl Actor {
    /// The tool, for what it did by itself.
    #[must_use]
    pub fn tool() -> Self {
        Self("swiftdeploy".to_owned())
    }
}

/// A line of the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When, in UTC, RFC 3339 with milliseconds.
    #[serde(serialize_with = "with_milliseconds")]
    pub timestamp: DateTime<Utc>,
    /// Counted from 1 without gaps, over all parts.
    pub seq: u64,
    /// `user@host`, or `swiftdeploy` for what the tool did by itself.
    pub actor: Actor,
    /// What happened; its `kind` and its own fields are members of the line.
    #[serde(flatten)]
    pub entry: Entry,
    /// SHA-256 (hex) over the bytes of the line before, without its line
    /// feed; 64 zeros in the first.
    pub prev: String,
}

/// Always three digits, so that the lines sort as text.
fn with_milliseconds<S: serde::Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&time.format("%Y-%m-%dT%H:%M:%S%.3fZ"))
}

/// How the error of a scrape begins that was read well, and whose window is not
/// complete yet.
pub const MEASURING: &str = "measuring: ";

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// An operation begins; written before its first effect.
    OperationStarted {
        /// Unique in this history.
        operation_id: String,
        /// `deploy`, `promote stable`, …
        operation: String,
        /// What it means to do.
        detail: String,
    },
    /// An operation ended.
    OperationFinished {
        /// The id of its start.
        operation_id: String,
        /// `deploy`, `promote stable`, …
        operation: String,
        /// `done`, `denied`, `inconclusive`, `failed`, `cancelled`.
        outcome: String,
        /// For people: what was done, or why not and what now.
        detail: String,
        /// How long it took, in milliseconds.
        elapsed_ms: u64,
        /// The release that serves afterwards, where it is known.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        release: Option<crate::domain::Release>,
    },
    /// A gate was asked by an operation.
    Decision {
        /// The operation that asked.
        operation_id: String,
        /// The package.
        gate: String,
        /// `PASS`, `FAIL`, `INCONCLUSIVE`.
        verdict: String,
        /// The facts as sent.
        input: Value,
        /// The answer as received.
        result: Value,
        /// For people.
        reasons: Vec<String>,
        /// Who decided: name, version, address.
        engine: Value,
        /// The revision of the policies.
        revision: String,
        /// How long the question took, in microseconds; histories of older
        /// versions do not tell.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        took_us: Option<u64>,
        /// Why there was no answer that could be obeyed, where there was none;
        /// older versions tell it in `reasons` alone.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        fault: Option<Value>,
    },
    /// The manifest's mode changed.
    ModeChange {
        /// Before.
        from: crate::domain::Mode,
        /// After.
        to: crate::domain::Mode,
        /// The operation that did it.
        operation_id: String,
    },
    /// A fault was injected.
    ChaosInjected {
        /// `slow`, `error`, `kill`.
        fault: String,
        /// For people: `error rate 50 % for 60 s`.
        detail: String,
        /// When it ends by itself.
        until: Option<DateTime<Utc>>,
        /// `operation` or `observed` (injected past SwiftDeploy, by `curl`).
        source: String,
    },
    /// A fault ended.
    ChaosEnded {
        /// `slow`, `error`, `kill`.
        fault: String,
        /// `recovered`, `expired`, `observed`.
        reason: String,
    },
    /// A policy began to be violated, seen by the watch or by an operation.
    Violation {
        /// The package.
        policy: String,
        /// For people: reasons with observed value and limit.
        details: Vec<String>,
    },
    /// A violated policy holds again, or what it was about is gone.
    ViolationEnded {
        /// The package.
        policy: String,
        /// Whether nothing is known but that what was judged is not there any more.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_gone: bool,
    },
    /// A look at the running service.
    Scrape {
        /// The manifest's mode.
        mode: crate::domain::Mode,
        /// `None` without requests.
        error_rate: Option<f64>,
        /// Requests per second.
        request_rate: Option<f64>,
        /// `None` while unknown.
        p99_latency_ms: Option<f64>,
        /// Requests in the window.
        requests: Option<u64>,
        /// Why there are no figures.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        error: Option<String>,
    },
    /// Something worth keeping that is none of the above: a crash found, a
    /// torn line set aside, a rotation.
    Note {
        /// For people.
        detail: String,
    },
}
