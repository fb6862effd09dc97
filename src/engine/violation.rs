//! Where a policy begins and ends to be violated: recorded once, whoever sees
//! it first, the watch, a gate or another process. One that goes on in another
//! way, by a limit that was kept until then, is recorded again.

use super::core::Core;
use super::gate::details;
use super::journal::OpenViolation;
use crate::history::{Entry, HistoryError};
use crate::policy::{Decision, Verdict};

/// Records a violation that begins or ends with this decision. `about` is the
/// instance that is judged, or empty. A fault of the engine says nothing about
/// the limits and changes nothing.
pub(super) async fn note(core: &Core, decision: &Decision, about: &str) -> Result<(), HistoryError> {
    let mut open = core.journal.violations();
    let known = open.get(&decision.gate).filter(|known| known.about == about);
    let mut codes = known.map(|known| known.codes.clone()).unwrap_or_default();
    let before = codes.len();
    codes.extend(decision.violations.iter().map(|violation| violation.code.clone()));
    let is_violated = decision.fault.is_none() && decision.verdict == Verdict::Fail;
    if is_violated && (known.is_none() || codes.len() > before) {
        core.record_own(Entry::Violation { policy: decision.gate.clone(), details: details(decision) })
            .await?;
        open.insert(decision.gate.clone(), OpenViolation { about: about.to_owned(), codes });
    } else if decision.allow && open.remove(&decision.gate).is_some() {
        core.record_own(Entry::ViolationEnded { policy: decision.gate.clone(), is_gone: false }).await?;
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
        .filter(|(_, known)| !known.about.is_empty() && !present.contains(&known.about.as_str()))
        .map(|(gate, _)| gate.clone())
        .collect();
    for gate in &gone {
        core.record_own(Entry::ViolationEnded { policy: gate.clone(), is_gone: true }).await?;
        open.remove(gate);
    }
    if !gone.is_empty() {
        let _ = core.journal.set_violations(&open);
    }
    Ok(())
}
