//! Where a policy begins and ends to be violated: recorded once, whoever sees
//! it first, the watch, a gate or another process.

use super::core::Core;
use super::gate::details;
use crate::history::{Entry, HistoryError};
use crate::policy::{Decision, Verdict};

/// Records a violation that begins or ends with this decision. `about` is the
/// instance that is judged, or empty. A fault of the engine says nothing about
/// the limits and changes nothing.
pub(super) async fn note(core: &Core, decision: &Decision, about: &str) -> Result<(), HistoryError> {
    let mut open = core.journal.violations();
    let is_open = open.get(&decision.gate).is_some_and(|known| known == about);
    let is_violated = decision.fault.is_none() && decision.verdict == Verdict::Fail;
    if is_violated && !is_open {
        core.record_own(Entry::Violation { policy: decision.gate.clone(), details: details(decision) })
            .await?;
        open.insert(decision.gate.clone(), about.to_owned());
    } else if decision.allow && open.remove(&decision.gate).is_some() {
        core.record_own(Entry::ViolationEnded { policy: decision.gate.clone() }).await?;
    } else {
        return Ok(());
    }
    // What cannot be remembered may be recorded twice, which harms less than
    // never.
    let _ = core.journal.set_violations(&open);
    Ok(())
}

/// Ends the violations of instances that are not there any more.
pub(super) async fn end_of_gone(core: &Core, present: &[&str]) -> Result<(), HistoryError> {
    let mut open = core.journal.violations();
    let gone: Vec<String> = open
        .iter()
        .filter(|(_, about)| !about.is_empty() && !present.contains(&about.as_str()))
        .map(|(gate, _)| gate.clone())
        .collect();
    for gate in &gone {
        core.record_own(Entry::ViolationEnded { policy: gate.clone() }).await?;
        open.remove(gate);
    }
    if !gone.is_empty() {
        let _ = core.journal.set_violations(&open);
    }
    Ok(())
}
