//! Asking the gates of an operation: ours first, then the user's own, in the
//! order of the manifest. The first that does not let through decides; a
//! user's gate can only add a denial.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::context::Context;
use super::core::Core;
use super::halt::Halt;
use super::session::Session;
use super::violation;
use crate::manifest::{GatePoint, Manifest};
use crate::policy::{Decision, Fault, PolicyEngine};
use crate::runtime::Given;

/// Our own package before an operation.
pub(super) const fn own_package(point: GatePoint) -> &'static str {
    match point {
        GatePoint::Deploy | GatePoint::PromoteCanary => "infra",
        GatePoint::PromoteStable => "canary",
    }
}

/// Every package asked before an operation, in order.
pub(super) fn packages(manifest: &Manifest, point: GatePoint) -> Vec<String> {
    let own = std::iter::once(own_package(point).to_owned());
    let custom =
        manifest.policy.gates.iter().filter(|gate| gate.before == point).map(|gate| gate.package.clone());
    own.chain(custom).collect()
}

/// What a gate at this point blocks, for people.
pub(super) const fn blocked_thing(point: GatePoint) -> &'static str {
    match point {
        GatePoint::Deploy => "Deployment",
        GatePoint::PromoteCanary | GatePoint::PromoteStable => "Promotion",
    }
}

/// How long an engine that was just given other policies may take to load
/// them; OPA's watch takes about a second.
const LOADING: Duration = Duration::from_secs(3);

/// Time between two questions while policies are loaded.
const PAUSE: Duration = Duration::from_millis(100);

/// When this process last gave the policy engine other policies than it had.
/// Only then is an engine that has not those on disk about to load them; any
/// other one is stale, and asking again would only put off the denial.
#[derive(Debug, Default)]
pub(super) struct Loading(Mutex<Option<Instant>>);

impl Loading {
    /// Notes what the engine was given at this moment.
    pub(super) fn note(&self, given: Given, now: Instant) {
        if given == Given::OtherPolicies {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        }
    }

    /// How much longer it may take to load them; zero when it has nothing to
    /// load.
    fn left(&self, now: Instant) -> Duration {
        let given = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        given.map_or(Duration::ZERO, |at| LOADING.saturating_sub(now.saturating_duration_since(at)))
    }
}

/// Asks a gate; while the engine is still loading policies that this process
/// gave it, asks again.
pub(super) async fn ask(core: &Core, session: &Session, package: &str, input: &Value) -> Decision {
    ask_within(&*session.policy, core.loading.left(core.clock.instant()), package, input).await
}

async fn ask_within(policy: &dyn PolicyEngine, loading: Duration, package: &str, input: &Value) -> Decision {
    let mut decision = policy.ask(package, input).await;
    if loading.is_zero() {
        return decision;
    }
    let settled = async {
        while matches!(decision.fault, Some(Fault::Stale { .. })) {
            tokio::time::sleep(PAUSE).await;
            decision = policy.ask(package, input).await;
        }
    };
    // What was answered last counts when the time is up.
    let _ = tokio::time::timeout(loading, settled).await;
    decision
}

/// A decision in a few words, for the step that asked.
pub(super) fn told(decision: &Decision) -> String {
    format!("{} by {} in {:.1} ms", decision.word(), decision.engine.name, decision.took.as_secs_f64() * 1e3)
}

/// The lines that say why a decision does not let through.
pub(super) fn details(decision: &Decision) -> Vec<String> {
    match &decision.fault {
        Some(fault) => vec![fault.to_string()],
        None => decision.violations.iter().map(|violation| violation.message.clone()).collect(),
    }
}

/// Asks the user's own gates of a point with the facts of ours; stops at the
/// first that does not let through.
pub(super) async fn ask_custom(
    context: &Context,
    session: &Session,
    manifest: &Manifest,
    point: GatePoint,
    input: &Value,
) -> Result<(), Halt> {
    for package in packages(manifest, point).into_iter().skip(1) {
        let (decision, ()) = context
            .gate_step(&format!("gate {package}"), async |_| {
                let decision = ask(&context.core, session, &package, input).await;
                let line = told(&decision);
                Ok(((decision, ()), line))
            })
            .await?;
        settle(context, point, "", &decision).await?;
    }
    Ok(())
}

/// Tells and records a final answer; goes on only when it allows.
pub(super) async fn settle(
    context: &Context,
    point: GatePoint,
    about: &str,
    decision: &Decision,
) -> Result<(), Halt> {
    context.decided(decision).await?;
    violation::note(&context.core, decision, about).await?;
    if decision.allow { Ok(()) } else { Err(Halt::blocked(blocked_thing(point), decision)) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use serde_json::json;

    use super::*;
    use crate::clock::{Clock, SystemClock};
    use crate::policy::{EmbeddedEngine, EngineId};

    /// An engine that is stale for the first so many questions.
    struct Stale {
        questions: AtomicUsize,
        refusals: usize,
        then: EmbeddedEngine,
    }

    #[async_trait]
    impl PolicyEngine for Stale {
        async fn ask(&self, package: &str, input: &Value) -> Decision {
            let decision = self.then.ask(package, input).await;
            if self.questions.fetch_add(1, Ordering::Relaxed) < self.refusals {
                return decision.without_answer(Fault::Stale { reason: "older".into() });
            }
            decision
        }

        fn id(&self) -> EngineId {
            self.then.id()
        }
    }

    /// The fault at the end, and how many questions it took.
    async fn asked(loading: Duration, refusals: usize) -> (Option<Fault>, usize) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in crate::policy::STARTERS {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let clock: Arc<dyn Clock> = SystemClock::shared();
        let then = EmbeddedEngine::new(folder.path(), Duration::from_mins(1), clock);
        let engine = Stale { questions: AtomicUsize::new(0), refusals, then };
        let decision = ask_within(&engine, loading, "infra", &json!({})).await;
        (decision.fault, engine.questions.into_inner())
    }

    #[tokio::test]
    async fn stale_engine_that_was_given_nothing_is_asked_once() {
        let (fault, questions) = asked(Duration::ZERO, usize::MAX).await;
        assert!(matches!(fault, Some(Fault::Stale { .. })), "{fault:?}");
        assert_eq!(questions, 1);
    }

    #[tokio::test]
    async fn engine_that_loads_is_asked_until_it_has_loaded() {
        let (fault, questions) = asked(Duration::from_mins(10), 2).await;
        assert_eq!((fault, questions), (None, 3));
    }

    #[tokio::test]
    async fn engine_that_never_loads_is_stale_in_the_end() {
        let (fault, questions) = asked(PAUSE * 3, usize::MAX).await;
        assert!(matches!(fault, Some(Fault::Stale { .. })), "{fault:?}");
        assert!(questions > 0);
    }

    #[test]
    fn time_to_load_begins_with_other_policies_and_ends() {
        let (loading, now) = (Loading::default(), SystemClock::shared().instant());
        assert_eq!(loading.left(now), Duration::ZERO);
        loading.note(Given::Nothing, now);
        assert_eq!(loading.left(now), Duration::ZERO);
        loading.note(Given::OtherPolicies, now);
        loading.note(Given::Nothing, now + PAUSE);
        assert_eq!(loading.left(now + PAUSE), LOADING.checked_sub(PAUSE).unwrap());
        assert_eq!(loading.left(now + LOADING), Duration::ZERO);
    }
}
