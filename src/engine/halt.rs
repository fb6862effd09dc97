//! Why an operation stops before its end.

use crate::history::HistoryError;
use crate::manifest::ManifestError;
use crate::policy::{Decision, Verdict};
use crate::render::RenderError;
use crate::runtime::RuntimeError;

/// Why an operation stops. What still serves is added when it is told.
#[derive(Debug)]
pub(super) enum Halt {
    /// Something went wrong.
    Failed {
        /// What, where, why.
        error: String,
        /// What to do.
        next: String,
    },
    /// A gate did not let it through.
    Blocked {
        /// `Deployment blocked: …`.
        headline: String,
        /// Each with observed value and limit.
        reasons: Vec<String>,
        /// Whether evidence was wanting, rather than bad.
        is_inconclusive: bool,
    },
    /// A person cancelled it.
    Cancelled,
}

impl Halt {
    /// A failure with what to do about it.
    pub(super) fn failed(error: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Failed { error: error.into(), next: next.into() }
    }

    /// What a decision that does not allow means for `what` (`Deployment`,
    /// `Promotion`).
    pub(super) fn blocked(what: &str, decision: &Decision) -> Self {
        let is_inconclusive = decision.fault.is_none() && decision.verdict == Verdict::Inconclusive;
        let cause = match &decision.fault {
            Some(_) => "no policy decision".to_owned(),
            None => match (decision.gate.as_str(), decision.verdict) {
                ("canary", Verdict::Inconclusive) => unmeasured(decision).to_owned(),
                (_, Verdict::Inconclusive) => "not enough evidence".to_owned(),
                ("infra", _) => "Infrastructure policy violation".to_owned(),
                ("canary", _) => "Canary safety policy violation".to_owned(),
                (gate, _) => format!("{gate} policy violation"),
            },
        };
        let mut reasons = match &decision.fault {
            Some(fault) => vec![fault.to_string(), format!("next: {}", fault.next_step())],
            None => decision.violations.iter().map(|violation| violation.message.clone()).collect(),
        };
        if reasons.is_empty() {
            reasons.clone_from(&decision.reasons);
        }
        // Nothing was found against it: that is no denial, and must not read
        // like one.
        let outcome = if is_inconclusive { "not decided" } else { "blocked" };
        Self::Blocked { headline: format!("{what} {outcome}: {cause}"), reasons, is_inconclusive }
    }
}

impl From<RuntimeError> for Halt {
    fn from(error: RuntimeError) -> Self {
        let next = error.next_step();
        Self::failed(error.to_string(), next)
    }
}

impl From<ManifestError> for Halt {
    fn from(error: ManifestError) -> Self {
        let next = error.next_step();
        Self::failed(error.to_string(), next)
    }
}

impl From<RenderError> for Halt {
    fn from(error: RenderError) -> Self {
        Self::failed(error.to_string(), "correct the manifest and repeat")
    }
}

impl From<HistoryError> for Halt {
    fn from(error: HistoryError) -> Self {
        let next = error.next_step();
        Self::failed(error.to_string(), next)
    }
}

/// What is wanting of the evidence about a canary. Metrics that cannot be used are no
/// want that time or traffic could end, so they are called what they are.
fn unmeasured(decision: &Decision) -> &'static str {
    let code = decision.input.pointer("/metrics_error/code").and_then(serde_json::Value::as_str);
    match code {
        None | Some("window_too_short" | "metrics_series_lost") => "not enough evidence",
        Some("metrics_malformed") => "the canary's metrics are malformed",
        Some("metrics_unreachable" | "metrics_timeout") => "the canary does not answer for its metrics",
        Some(_) => "the canary's metrics cannot be used",
    }
}

/// A failure of a file operation, with the file's name.
pub(super) fn file_failure(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Halt + '_ {
    move |error| {
        Halt::failed(format!("{}: {error}", path.display()), "check permissions and free space, then repeat")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::policy::EngineId;

    fn inconclusive(gate: &str, metrics_error: &Value) -> Decision {
        Decision {
            gate: gate.into(),
            allow: false,
            verdict: Verdict::Inconclusive,
            violations: Vec::new(),
            reasons: vec!["metrics malformed in line 7: not a number".into()],
            checks: Vec::new(),
            fault: None,
            engine: EngineId { name: "embedded".into(), version: None, at: String::new() },
            revision: String::new(),
            input: json!({ "metrics_error": metrics_error }),
            result: Value::Null,
            took: Duration::ZERO,
        }
    }

    #[rstest]
    #[case::too_few_requests("canary", json!(null), "not enough evidence")]
    #[case::time_is_wanting("canary", json!({"code": "window_too_short"}), "not enough evidence")]
    #[case::malformed("canary", json!({"code": "metrics_malformed"}), "the canary's metrics are malformed")]
    #[case::silent("canary", json!({"code": "metrics_timeout"}), "the canary does not answer for its metrics")]
    #[case::absent("canary", json!({"code": "metrics_http"}), "the canary's metrics cannot be used")]
    #[case::of_ones_own("freeze", json!({"code": "metrics_malformed"}), "not enough evidence")]
    fn what_is_wanting_is_called_what_it_is(
        #[case] gate: &str,
        #[case] metrics_error: Value,
        #[case] cause: &str,
    ) {
        let Halt::Blocked { headline, reasons, is_inconclusive } =
            Halt::blocked("Promotion", &inconclusive(gate, &metrics_error))
        else {
            panic!("it is not let through")
        };
        assert_eq!(headline, format!("Promotion not decided: {cause}"));
        assert_eq!(reasons, ["metrics malformed in line 7: not a number"]);
        assert!(is_inconclusive);
    }
}
