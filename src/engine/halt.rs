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

/// A failure of a file operation, with the file's name.
pub(super) fn file_failure(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Halt + '_ {
    move |error| {
        Halt::failed(format!("{}: {error}", path.display()), "check permissions and free space, then repeat")
    }
}
