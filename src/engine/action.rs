//! What can be asked of the engine.

use std::path::PathBuf;
use std::time::Duration;

use crate::manifest::Manifest;
use crate::policy::Decision;

/// What a key, a menu or a command asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Generate the files; with `check` only tell what would change.
    Init {
        /// Whether nothing may be written.
        check: bool,
    },
    /// The five checks.
    Validate,
    /// What `deploy` would do. Changes nothing.
    Plan,
    /// Replace what serves by what the manifest says.
    Deploy,
    /// Let the canary take the traffic.
    PromoteCanary,
    /// Make the canary's release the stable one, if the gate allows it.
    PromoteStable,
    /// Back to the last good release. Never gated.
    Rollback,
    /// Break the canary on purpose, or stop doing so.
    Chaos(ChaosFault),
    /// Probe traffic through the proxy.
    Load(LoadPlan),
    /// Remove everything of this project.
    Teardown {
        /// Whether the generated files go too.
        clean: bool,
    },
    /// Write the report.
    ExportAudit {
        /// Where; default `audit_report.md` beside the manifest.
        out: Option<PathBuf>,
    },
}

impl Action {
    /// The operation's name, as a person would type it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Init { .. } => "init",
            Self::Validate => "validate",
            Self::Plan => "plan",
            Self::Deploy => "deploy",
            Self::PromoteCanary => "promote canary",
            Self::PromoteStable => "promote stable",
            Self::Rollback => "rollback",
            Self::Chaos(fault) => fault.name(),
            Self::Load(_) => "load",
            Self::Teardown { .. } => "teardown",
            Self::ExportAudit { .. } => "audit",
        }
    }

    /// Whether it changes the stack or the project's files, so that only one
    /// may run at a time, across processes. Probe traffic and the report only
    /// read.
    #[must_use]
    pub const fn is_mutating(&self) -> bool {
        match self {
            Self::Init { check } => !*check,
            Self::Validate | Self::Plan | Self::Load(_) | Self::ExportAudit { .. } => false,
            Self::Deploy
            | Self::PromoteCanary
            | Self::PromoteStable
            | Self::Rollback
            | Self::Chaos(_)
            | Self::Teardown { .. } => true,
        }
    }

    /// Whether it ends another one to begin: going back must not wait for what it goes
    /// back from.
    #[must_use]
    pub const fn ends(&self, other: &Self) -> bool {
        matches!(self, Self::Rollback) && other.is_mutating() && !matches!(other, Self::Rollback)
    }

    /// Whether it may begin while another one runs. Of those that change something
    /// only chaos may, beside a promotion that decides; whether that still waits for
    /// its evidence shows when the fault is to be injected.
    #[must_use]
    pub const fn may_begin_beside(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Chaos(_), Self::PromoteStable))
            || !(self.is_mutating() && other.is_mutating())
    }
}

/// A fault for the canary. Each ends by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ChaosFault {
    /// Every answer takes this much longer.
    Slow {
        /// Seconds added to each answer.
        duration: f64,
        /// How long the fault lasts.
        ttl: Duration,
    },
    /// This part of the answers is a 500.
    Error {
        /// 0 to 1.
        rate: f64,
        /// How long the fault lasts.
        ttl: Duration,
    },
    /// The process ends as in a crash.
    Kill,
    /// No fault any more.
    Recover,
}

impl ChaosFault {
    /// The operation's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Slow { .. } => "chaos slow",
            Self::Error { .. } => "chaos error",
            Self::Kill => "chaos kill",
            Self::Recover => "chaos recover",
        }
    }
}

/// How much probe traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadPlan {
    /// Requests per second.
    pub rps: u32,
    /// For how long.
    pub lasting: Duration,
}

impl LoadPlan {
    /// So much that a canary with `percent` of the traffic gets half as many
    /// requests again as a verdict needs in each window, for a window and a half:
    /// then one full window has them, wherever it begins. Where the proxy cannot
    /// tell which requests wait, by the last `decision`, they must also be as old
    /// as one that hangs may become.
    #[must_use]
    pub fn to_decide(manifest: &Manifest, decision: Option<&Decision>, percent: u8) -> Self {
        let (window, needed) = (manifest.canary.window, manifest.canary.min_requests);
        let needed = decision.and_then(Decision::sample).map_or(needed, |sample| sample.needed);
        let tells_waiting = decision.is_some_and(|decision| decision.input["proxy_waiting"].is_array());
        let unseen = if tells_waiting { Duration::ZERO } else { manifest.nginx.proxy_timeout };
        let share = u64::from(percent.clamp(1, 100));
        let millis = u64::try_from(window.as_millis()).unwrap_or(u64::MAX).max(1);
        let rps = needed.saturating_mul(150).saturating_mul(1000) / share / millis + 1;
        Self {
            rps: u32::try_from(rps).unwrap_or(u32::MAX).clamp(Self::default().rps, 2_000),
            lasting: (window * 3 / 2 + unseen).max(Self::default().lasting),
        }
    }
}

impl Default for LoadPlan {
    fn default() -> Self {
        Self { rps: 20, lasting: Duration::from_secs(30) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_chaos_begins_beside_a_promotion_and_only_reading_beside_the_rest() {
        let chaos = Action::Chaos(ChaosFault::Recover);
        assert!(chaos.may_begin_beside(&Action::PromoteStable));
        for other in [Action::Deploy, Action::PromoteCanary, Action::Rollback] {
            assert!(!chaos.may_begin_beside(&other), "{}", other.name());
            assert!(!other.may_begin_beside(&Action::PromoteStable), "{}", other.name());
            assert!(Action::Validate.may_begin_beside(&other), "{}", other.name());
        }
    }
}
