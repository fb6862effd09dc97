//! The rule of obedience: which answers of a policy engine let something
//! through.
//!
//! An input is `{"result": …, "thresholds": …}`: what the engine said, and the
//! limits on disk.

use serde_json::{Map, Value, json};
use swiftdeploy::policy::Verdict;
use swiftdeploy::policy::answer::obey;

/// Longest message of a fault, in bytes: it is shown and recorded, and the
/// engine chooses the words.
const LONGEST: usize = 2_000;

/// Obeys an answer, whatever it is.
///
/// # Panics
/// When something does not hold.
pub fn check(input: &[u8]) {
    let Ok(Value::Object(input)) = serde_json::from_slice::<Value>(input) else { return };
    let result = input.get("result");
    let thresholds = input.get("thresholds").cloned().unwrap_or_else(|| json!({}));
    let lets_through = result.is_some_and(|result| lets_through(result, &thresholds));
    match obey(result, "canary", &thresholds) {
        Ok(answer) => {
            let passes = answer.verdict == Verdict::Pass;
            assert_eq!(passes, lets_through, "{answer:?}");
            assert_eq!(answer.violations.is_empty(), passes, "{answer:?}");
            assert!(!answer.reasons.is_empty());
        }
        Err(fault) => {
            assert!(!lets_through, "a complete answer was refused: {fault}");
            let message = fault.to_string();
            assert!(message.len() <= LONGEST, "{} bytes: {message}", message.len());
            assert!(!message.contains(char::is_control), "{message:?}");
        }
    }
}

/// The strict rule, said a second time and as plainly as can be.
fn lets_through(result: &Value, thresholds: &Value) -> bool {
    let Value::Object(result) = result else { return false };
    result.get("allow") == Some(&Value::Bool(true))
        && result.get("verdict") == Some(&json!("pass"))
        && result.get("violations") == Some(&json!([]))
        && result.get("reasons").is_some_and(are_reasons)
        && result.get("checks").is_none_or(all_hold)
        && result.get("limits").is_some_and(|limits| is_same(limits, thresholds))
}

fn are_reasons(reasons: &Value) -> bool {
    let Value::Array(reasons) = reasons else { return false };
    reasons.iter().all(Value::is_string)
        && reasons.iter().any(|reason| reason.as_str().is_some_and(|reason| !reason.trim().is_empty()))
}

fn all_hold(checks: &Value) -> bool {
    let is_text = |check: &Map<String, Value>, name: &str| check.get(name).is_some_and(Value::is_string);
    let holds = |check: &Value| {
        check.as_object().is_some_and(|check| {
            is_text(check, "fact")
                && is_text(check, "must")
                && check.contains_key("observed")
                && check.contains_key("limit")
                && (is_text(check, "unit") || !check.contains_key("unit"))
                && check.get("ok") == Some(&Value::Bool(true))
        })
    };
    checks.as_array().is_some_and(|checks| checks.iter().all(holds))
}

/// Equality by value: `2` and `2.0` are one number.
fn is_same(left: &Value, right: &Value) -> bool {
    fn plain(value: &Value) -> Value {
        match value {
            Value::Number(number) => number.as_f64().map_or(Value::Null, |number| json!(number)),
            Value::Array(items) => items.iter().map(plain).collect(),
            Value::Object(fields) => {
                Value::Object(fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect())
            }
            other => other.clone(),
        }
    }
    plain(left) == plain(right)
}
