//! The decision that is shown in full: whenever it is another one, its
//! explanation is asked for.

use crate::policy::Decision;
use crate::tui::effect::Effect;
use crate::tui::state::{Overlay, State};

/// Asks for the explanation of what is shown, unless it was asked for.
pub fn refresh(state: &mut State) -> Vec<Effect> {
    let Some(Overlay::Decision(view)) = state.overlays.last() else { return Vec::new() };
    let gates = &state.watch.gates;
    let shown = gates.get(view.gate.min(gates.len().saturating_sub(1)));
    let Some(decision) = shown.and_then(|view| view.decision.as_ref()) else { return Vec::new() };
    let key = key(decision);
    if view.asked.as_ref() == Some(&key) {
        return Vec::new();
    }
    let decision = Box::new(decision.clone());
    let generation = state.next_generation();
    if let Some(Overlay::Decision(view)) = state.overlays.last_mut() {
        view.asked = Some(key);
        view.generation = generation;
        view.explanation = None;
    }
    vec![Effect::Explain { decision, generation }]
}

/// What the places depend on: not on every figure, which changes with each
/// look, but on which comparisons and violations there are, by which policies.
fn key(decision: &Decision) -> String {
    let checks: Vec<String> =
        decision.checks.iter().map(|check| format!("{} {}", check.fact, check.limit)).collect();
    let codes: Vec<&str> = decision.violations.iter().map(|violation| violation.code.as_str()).collect();
    format!("{} {} {} {:?} {}", decision.gate, decision.revision, decision.verdict, codes, checks.join(","))
}
