//! Asking the gates of an operation: ours first, then the user's own, in the
//! order of the manifest. The first that does not let through decides; a
//! user's gate can only add a denial.

use serde_json::Value;

use super::context::Context;
use super::halt::Halt;
use super::session::Session;
use crate::history::Entry;
use crate::manifest::{GatePoint, Manifest};
use crate::policy::{Decision, Verdict};

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

/// Records what a denial or a fault means.
pub(super) async fn record_violation(context: &Context, decision: &Decision) -> Result<(), Halt> {
    if decision.allow || decision.verdict == Verdict::Inconclusive {
        return Ok(());
    }
    context.record(Entry::Violation { policy: decision.gate.clone(), details: details(decision) }).await
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
        let decision = context
            .step(&format!("gate {package}"), async |_| {
                let decision = session.policy.ask(&package, input).await;
                let line = format!("{} by {}", decision.verdict, decision.engine.name);
                Ok((decision, line))
            })
            .await?;
        settle(context, point, &decision).await?;
    }
    Ok(())
}

/// Tells and records a final answer; goes on only when it allows.
pub(super) async fn settle(context: &Context, point: GatePoint, decision: &Decision) -> Result<(), Halt> {
    context.decided(decision).await?;
    if decision.allow {
        return Ok(());
    }
    record_violation(context, decision).await?;
    Err(Halt::blocked(blocked_thing(point), decision))
}
