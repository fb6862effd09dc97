//! What a decision says about time: whether more of it could change an
//! inconclusive verdict, and how many requests there are of those it needs.
//! Both are the policy's to say; a gate that says neither is not waited for.

use serde_json::Value;

use super::{Decision, Verdict};

/// Requests that were seen, of those that a verdict needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleSize {
    /// Seen in the window.
    pub seen: u64,
    /// Needed in it.
    pub needed: u64,
}

impl Decision {
    /// Whether evidence is wanting that time can bring.
    #[must_use]
    pub fn waiting_helps(&self) -> bool {
        self.fault.is_none()
            && self.verdict == Verdict::Inconclusive
            && self.result.get("waiting_helps") == Some(&Value::Bool(true))
    }

    /// How many requests there are of those needed, while there are too few
    /// and the policy says how many.
    #[must_use]
    pub fn sample(&self) -> Option<SampleSize> {
        self.told_sample().filter(|size| size.seen < size.needed)
    }

    /// Whether the policy says that there are as many requests as it needs.
    #[must_use]
    pub fn has_enough_requests(&self) -> bool {
        self.told_sample().is_some_and(|size| size.seen >= size.needed)
    }

    fn told_sample(&self) -> Option<SampleSize> {
        let number = |name: &str| whole(self.result.get("sample")?.get(name)?);
        let size = SampleSize { seen: number("seen")?, needed: number("needed")? };
        self.fault.is_none().then_some(size)
    }
}

/// A count, however the engine wrote it.
fn whole(value: &Value) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked: whole, not negative, and small enough to be exact"
    )]
    let from_real = |real: f64| {
        let is_count = (0.0..=9e15).contains(&real) && real.fract() == 0.0;
        is_count.then_some(real as u64)
    };
    value.as_u64().or_else(|| from_real(value.as_f64()?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::policy::{EngineId, Fault};

    fn decision(verdict: Verdict, result: Value) -> Decision {
        Decision {
            gate: "canary".into(),
            allow: false,
            verdict,
            violations: Vec::new(),
            reasons: Vec::new(),
            checks: Vec::new(),
            fault: None,
            engine: EngineId { name: "opa".into(), version: None, at: String::new() },
            revision: String::new(),
            input: Value::Null,
            result,
            took: Duration::ZERO,
        }
    }

    #[rstest]
    #[case::said_so(Verdict::Inconclusive, json!({"waiting_helps": true}), true)]
    #[case::said_not(Verdict::Inconclusive, json!({"waiting_helps": false}), false)]
    #[case::said_nothing(Verdict::Inconclusive, json!({}), false)]
    #[case::said_it_as_text(Verdict::Inconclusive, json!({"waiting_helps": "true"}), false)]
    #[case::never_for_a_failure(Verdict::Fail, json!({"waiting_helps": true}), false)]
    fn the_policy_says_whether_waiting_helps(
        #[case] verdict: Verdict,
        #[case] result: Value,
        #[case] expected: bool,
    ) {
        let decision = decision(verdict, result);
        assert_eq!(decision.waiting_helps(), expected);
        let fault = Some(Fault::NotRunning { at: String::new() });
        assert!(!Decision { fault, ..decision }.waiting_helps());
    }

    #[rstest]
    #[case::too_few(json!({"sample": {"seen": 12, "needed": 50}}), false)]
    #[case::as_many(json!({"sample": {"seen": 50, "needed": 50}}), true)]
    #[case::unknown(json!({"sample": null}), false)]
    fn the_policy_says_whether_there_are_enough_requests(#[case] result: Value, #[case] expected: bool) {
        assert_eq!(decision(Verdict::Inconclusive, result).has_enough_requests(), expected);
    }

    #[rstest]
    #[case::too_few(json!({"sample": {"seen": 12, "needed": 50}}), Some((12, 50)))]
    #[case::as_decimals(json!({"sample": {"seen": 12.0, "needed": 50.0}}), Some((12, 50)))]
    #[case::enough(json!({"sample": {"seen": 50, "needed": 50}}), None)]
    #[case::unknown(json!({"sample": null}), None)]
    #[case::half_a_request(json!({"sample": {"seen": 1.5, "needed": 50}}), None)]
    #[case::negative(json!({"sample": {"seen": -1, "needed": 50}}), None)]
    fn a_sample_is_told_while_it_is_too_small(#[case] result: Value, #[case] expected: Option<(u64, u64)>) {
        let found = decision(Verdict::Inconclusive, result).sample();
        assert_eq!(found.map(|size| (size.seen, size.needed)), expected);
    }
}
