//! What makes sense now, to say it before asking. The engine has the last
//! word: where nothing is known, everything may be asked.

use crate::domain::Mode;
use crate::engine::Connection;
use crate::policy::Verdict;

use super::State;

/// The two promotions: what each would do, or why it makes no sense now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promotions {
    /// The canary takes the traffic.
    pub canary: Result<String, &'static str>,
    /// The canary's release becomes the stable one.
    pub stable: Result<String, &'static str>,
}

impl Promotions {
    /// What is possible in this state.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let watch = &state.watch;
        let runs_canary = watch.canary().is_some();
        let is_known = watch.instances.is_some();
        let canary = if is_known && !watch.is_deployed() {
            Err("nothing is deployed yet: deploy first (d)")
        } else if watch.canary().is_some_and(|(_, slot)| watch.share(slot) == Some(100)) {
            Err("a canary has all the traffic already")
        } else {
            let steps = watch.manifest().map(|manifest| manifest.canary.steps.as_slice()).unwrap_or_default();
            match steps {
                [] | [_] => Ok("takes all traffic at once".to_owned()),
                steps => {
                    let steps: Vec<_> = steps.iter().map(u8::to_string).collect();
                    Ok(format!("takes traffic: {} %", steps.join(" → ")))
                }
            }
        };
        let declares_canary = watch.manifest().is_some_and(|manifest| manifest.services.mode == Mode::Canary);
        let stable = if is_known && !runs_canary && !declares_canary {
            Err("no canary runs: promote one first")
        } else {
            let gate = match watch.verdict("canary") {
                Some(Verdict::Pass) => "gate canary: ✓ PASS now",
                Some(Verdict::Fail) => "gate canary: ✗ FAIL now, would be denied",
                Some(Verdict::Inconclusive) => "gate canary: ? INCONCLUSIVE now",
                None => "if gate canary allows it",
            };
            Ok(gate.to_owned())
        };
        Self { canary, stable }
    }
}

/// Why no fault can be injected now.
#[must_use]
pub fn chaos_obstacle(state: &State) -> Option<&'static str> {
    if matches!(state.watch.connection, Connection::Down { .. }) {
        Some("the target is not reachable")
    } else if state.watch.instances.is_some() && state.watch.canary().is_none() {
        Some("no canary runs: promote one first (p)")
    } else {
        None
    }
}
