//! What a decision is made of.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Let through.
    Pass,
    /// Denied.
    Fail,
    /// Not let through, for want of evidence.
    Inconclusive,
}

impl Verdict {
    /// The word on screen: `PASS`, `FAIL`, `INCONCLUSIVE`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Inconclusive => "INCONCLUSIVE",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which engine decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineId {
    /// `opa` or `embedded`.
    pub name: String,
    /// Its version, where known.
    pub version: Option<String>,
    /// Where it is: an address, or `in process`.
    pub at: String,
}

/// A limit that is not kept, as the policy says it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// A stable word: `disk_free_low`, `cpu_load_high`, `error_rate_high`,
    /// `p99_high`, `too_few_requests`, `facts_missing`, `limits_missing`, …
    pub code: String,
    /// For people: names fact, observed value, limit and unit.
    pub message: String,
    /// The observed value.
    #[serde(default)]
    pub observed: Value,
    /// The limit.
    #[serde(default)]
    pub limit: Value,
}

/// One comparison that the policy made, kept or not: what the policy pane
/// lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckLine {
    /// The fact's name, `disk_free_gb`.
    pub fact: String,
    /// The observed value; null when it is not known.
    pub observed: Value,
    /// The comparison that must hold: `>=`, `<=`.
    pub must: String,
    /// The limit.
    pub limit: Value,
    /// The unit, `GB`, `ms`, or empty.
    #[serde(default)]
    pub unit: String,
    /// Whether it holds.
    pub ok: bool,
}

/// Why there is no answer that could be obeyed. Each denies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// Nothing listens.
    #[error("policy engine not running: nothing answers at {at}")]
    NotRunning {
        /// The address.
        at: String,
    },
    /// No answer in time.
    #[error("policy engine timed out: {} from {at} within {millis} ms", no_more_than(*.received))]
    TimedOut {
        /// The address.
        at: String,
        /// The limit.
        millis: u64,
        /// Bytes of answers that had come by then.
        #[serde(default)]
        received: usize,
    },
    /// It refuses to be asked.
    #[error("policy engine refused the question (HTTP {status}) at {at}")]
    Refused {
        /// The address.
        at: String,
        /// 401 or 403.
        status: u16,
    },
    /// Another status than 200.
    #[error("policy engine answered HTTP {status} at {at}: {detail}")]
    Http {
        /// The address.
        at: String,
        /// The status.
        status: u16,
        /// The beginning of the body.
        detail: String,
    },
    /// Not an answer in the agreed form.
    #[error("policy engine gave a malformed answer: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// The package is not there, or says nothing.
    #[error("policy {package} is undefined: the engine has no decision for it")]
    Undefined {
        /// The package.
        package: String,
    },
    /// The engine decides by other policies than those on disk.
    #[error("policy engine is stale: {reason}")]
    Stale {
        /// What differs.
        reason: String,
    },
    /// The policies on disk cannot be used.
    #[error("policies cannot be used: {reason}")]
    Policies {
        /// File, line and cause.
        reason: String,
    },
}

fn no_more_than(received: usize) -> String {
    match received {
        0 => "no answer".to_owned(),
        bytes => format!("no more than {bytes} bytes of an answer"),
    }
}

impl Fault {
    /// A stable word, the code of the violation that a denying decision
    /// carries in place of an answer.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotRunning { .. } => "policy_not_running",
            Self::TimedOut { .. } => "policy_timed_out",
            Self::Refused { .. } => "policy_refused",
            Self::Http { .. } => "policy_http_error",
            Self::Malformed { .. } => "policy_malformed",
            Self::Undefined { .. } => "policy_undefined",
            Self::Stale { .. } => "policy_stale",
            Self::Policies { .. } => "policies_unusable",
        }
    }

    /// The word on screen in the place of a verdict.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Stale { .. } => "STALE",
            Self::NotRunning { .. }
            | Self::TimedOut { .. }
            | Self::Refused { .. }
            | Self::Http { .. }
            | Self::Malformed { .. }
            | Self::Undefined { .. }
            | Self::Policies { .. } => "NO DECISION",
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::NotRunning { .. } => {
                "start it (on Docker: `docker start PROJECT-opa`, or `swiftdeploy deploy` where there is none yet)"
            }
            Self::TimedOut { .. } => {
                "look at the load of the machine, or raise policy.timeout in the manifest"
            }
            Self::Refused { .. } => {
                "another OPA listens there, or generated/opa is stale: run `swiftdeploy init`, then deploy"
            }
            Self::Http { .. } => "look at the log of Open Policy Agent (on Docker: `swiftdeploy logs opa`)",
            Self::Malformed { .. } => {
                "the answer must be an object as ARCHITECTURE.md describes; run `swiftdeploy policy test`"
            }
            Self::Undefined { .. } => "check the package line of the files in policies/",
            Self::Stale { .. } => {
                "run `swiftdeploy validate`; the log of Open Policy Agent (on Docker: `swiftdeploy logs opa`) names a file that could not be loaded"
            }
            Self::Policies { .. } => "correct the file and repeat; `swiftdeploy policy test` checks it",
        }
    }
}

/// A question and what was obeyed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The package that was asked.
    pub gate: String,
    /// Whether to go on. True only for a complete answer that allows.
    pub allow: bool,
    /// What was obeyed.
    pub verdict: Verdict,
    /// Limits that are not kept; empty exactly when allowed.
    pub violations: Vec<Violation>,
    /// For people, also when it passes.
    pub reasons: Vec<String>,
    /// Every comparison made.
    pub checks: Vec<CheckLine>,
    /// Why there is no answer, if there is none; then `verdict` is `Fail`.
    pub fault: Option<Fault>,
    /// Who decided.
    pub engine: EngineId,
    /// The revision of the policies on disk (12 hex digits) that was asked
    /// for; empty when they cannot be read.
    pub revision: String,
    /// The facts as sent.
    pub input: Value,
    /// The answer as received; null when there is none.
    pub result: Value,
    /// How long the question took.
    #[serde(with = "micros")]
    pub took: Duration,
}

impl Decision {
    /// The word on screen: the verdict, or which kind of none there is.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.fault.as_ref().map_or_else(|| self.verdict.as_str(), Fault::as_str)
    }
}

/// Durations as whole microseconds in JSON.
mod micros {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(value.as_micros()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_micros)
    }
}
