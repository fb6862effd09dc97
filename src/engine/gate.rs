//! Asking the gates of an operation: ours first, then the user's own, in the
//! order of the manifest. The first that does not let through decides; a
//! user's gate can only add a denial.

use std::time::Duration;

use serde_json::Value;

use super::context::Context;
use super::halt::Halt;
use super::session::Session;
use super::violation;
use crate::manifest::{GatePoint, Manifest};
use crate::policy::{Decision, Fault};

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

/// Asks a gate; while the engine is still loading the policies that are on
/// disk, asks again.
pub(super) async fn ask(session: &Session, package: &str, input: &Value) -> Decision {
    let settled = async {
        loop {
            let decision = session.policy.ask(package, input).await;
            if !matches!(decision.fault, Some(Fault::Stale { .. })) {
                return decision;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    match tokio::time::timeout(LOADING, settled).await {
        Ok(decision) => decision,
        Err(_) => session.policy.ask(package, input).await,
    }
}

/// A decision in a few words, for the step that asked.
pub(super) fn told(decision: &Decision) -> String {
    format!("{} by {} in {:.1} ms", decision.verdict, decision.engine.name, decision.took.as_secs_f64() * 1e3)
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
                let decision = ask(session, &package, input).await;
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
