//! The rule of obedience, pure: which answers are complete enough to be obeyed.
//!
//! An answer is this object, at `data.PACKAGE.decision`:
//!
//! ```json
//! {"allow": false, "verdict": "fail",
//!  "violations": [{"code": "error_rate_high", "message": "…", "observed": 0.52, "limit": 0.01}],
//!  "reasons": ["…"],
//!  "checks": [{"fact": "error_rate", "observed": 0.52, "must": "<=", "limit": 0.01, "unit": "", "ok": false}],
//!  "limits": {"error_rate": 0.01}}
//! ```
//!
//! `limits` repeats every threshold of `data.json`: it shows by which limits
//! the engine decided, and so an engine that still has older ones. An answer
//! that contradicts itself is no answer, whichever half of it is right.
//!
//! Where no rule of a package decides, its default answers. In Rego a default is
//! a constant and cannot repeat the limits: one that denies with nothing but the
//! code `undecided` may leave them out. It proves nothing and lets nothing through.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{CheckLine, Fault, Verdict, Violation};

/// A complete answer. It lets through exactly when the verdict is a pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What the gate says.
    pub verdict: Verdict,
    /// Limits that are not kept; empty exactly when it passes.
    pub violations: Vec<Violation>,
    /// For people; never empty.
    pub reasons: Vec<String>,
    /// Every comparison; may be empty for a gate of the user's own.
    pub checks: Vec<CheckLine>,
}

/// Obeys a decision, or says why it cannot be obeyed. `result` is the decision
/// as the engine gave it, `None` when it gave none; `thresholds` are those on
/// disk.
///
/// # Errors
/// [`Fault::Undefined`] without a result, [`Fault::Malformed`] when a part is
/// missing, of the wrong type or in contradiction to another,
/// [`Fault::Stale`] when it was made by other limits than those on disk.
pub fn obey(result: Option<&Value>, package: &str, thresholds: &Value) -> Result<Answer, Fault> {
    let result = result.ok_or_else(|| Fault::Undefined { package: package.to_owned() })?;
    let parts = Parts { of: package, fields: object(result, package)? };
    let allow = parts.part("allow")?;
    let Value::Bool(allow) = *allow else {
        return Err(parts.wrong(&format!("`allow` is {}, not true or false", brief(allow))));
    };
    let verdict: Verdict = parts.typed("verdict", Value::is_string, "pass, fail or inconclusive")?;
    let violations: Vec<Violation> =
        parts.typed("violations", are_objects, "a list of objects with code and message")?;
    let reasons: Vec<String> = parts.typed("reasons", Value::is_array, "a list of texts")?;
    let checks: Vec<CheckLine> = match parts.fields.get("checks") {
        None => Vec::new(),
        Some(_) => parts.typed("checks", are_objects, "a list of comparisons")?,
    };

    if reasons.iter().all(|reason| reason.trim().is_empty()) {
        return Err(parts.wrong("`reasons` is empty, and every answer must give some"));
    }
    if violations.iter().any(|violation| violation.code.is_empty() || violation.message.trim().is_empty()) {
        return Err(parts.wrong("a violation has an empty code or message"));
    }
    if allow != (verdict == Verdict::Pass) {
        return Err(parts.wrong(&format!(
            "it contradicts itself: `allow` is {allow} and `verdict` is {}",
            verdict.as_str().to_lowercase()
        )));
    }
    if allow && !violations.is_empty() {
        return Err(parts.wrong("it contradicts itself: `allow` is true with violations"));
    }
    if !allow && violations.is_empty() {
        return Err(parts.wrong("it contradicts itself: `allow` is false without a violation"));
    }
    if let Some(check) = checks.iter().find(|check| allow && !check.ok) {
        return Err(parts.wrong(&format!(
            "it contradicts itself: `allow` is true and the check of {} failed",
            excerpt(&check.fact, 60)
        )));
    }
    let limits = parts.part("limits")?;
    let is_undecided = !allow && violations.iter().all(|violation| violation.code == UNDECIDED);
    if !(is_undecided && is_empty(limits)) {
        same_limits(limits, thresholds, package)?;
    }
    Ok(Answer { verdict, violations, reasons, checks })
}

/// The fields of an answer, with the name for messages.
struct Parts<'a> {
    of: &'a str,
    fields: &'a Map<String, Value>,
}

impl<'a> Parts<'a> {
    fn part(&self, name: &str) -> Result<&'a Value, Fault> {
        self.fields.get(name).ok_or_else(|| self.wrong(&format!("`{name}` is missing")))
    }

    /// A part in the form that is agreed and no other: without `is_formed`,
    /// `["error_rate", 0.52, …]` would do for an object and `{"pass": null}`
    /// for a word.
    fn typed<T: Deserialize<'a>>(
        &self,
        name: &str,
        is_formed: fn(&Value) -> bool,
        expected: &str,
    ) -> Result<T, Fault> {
        let value = self.part(name)?;
        let wrong =
            |cause: String| self.wrong(&format!("`{name}` is {}, not {expected}{cause}", brief(value)));
        if !is_formed(value) {
            return Err(wrong(String::new()));
        }
        T::deserialize(value).map_err(|cause| wrong(format!(" ({})", excerpt(&cause.to_string(), 120))))
    }

    fn wrong(&self, reason: &str) -> Fault {
        malformed(format!("{}: {reason}", self.of))
    }
}

fn object<'a>(result: &'a Value, package: &str) -> Result<&'a Map<String, Value>, Fault> {
    result.as_object().ok_or_else(|| {
        malformed(format!("{package}: the decision is {}, not an object with its reasons", brief(result)))
    })
}

fn are_objects(value: &Value) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(Value::is_object))
}

/// The code of a default: no rule decided.
const UNDECIDED: &str = "undecided";

fn is_empty(limits: &Value) -> bool {
    limits.as_object().is_some_and(Map::is_empty)
}

fn same_limits(answered: &Value, on_disk: &Value, package: &str) -> Result<(), Fault> {
    if is_same(answered, on_disk) {
        return Ok(());
    }
    if is_empty(answered) {
        let reason = format!(
            "{package} shows none of the limits in data.json: the engine has not got them, or the package does \
             not repeat them (`limits` must be `data.thresholds`), as where no rule of it decides and its \
             default has another code than `{UNDECIDED}`"
        );
        return Err(Fault::Stale { reason });
    }
    let none = Map::new();
    let (theirs, ours) = (answered.as_object().unwrap_or(&none), on_disk.as_object().unwrap_or(&none));
    let differing = ours
        .keys()
        .chain(theirs.keys())
        .find(|key| !matches!((theirs.get(*key), ours.get(*key)), (Some(a), Some(b)) if is_same(a, b)));
    let shown = |value: Option<&Value>| value.map_or_else(|| "absent".to_owned(), brief);
    let difference = differing.map_or_else(
        || format!("its limits are {}", brief(answered)),
        |key| {
            format!(
                "the limit {} is {} in the engine and {} in data.json",
                excerpt(key, 60),
                shown(theirs.get(key)),
                shown(ours.get(key))
            )
        },
    );
    Err(Fault::Stale { reason: difference })
}

/// Equality of JSON where `2` and `2.0` are one number: engines print numbers
/// in their own way.
#[must_use]
pub fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || (x.as_f64().is_some() && x.as_f64() == y.as_f64()),
        (Value::Array(x), Value::Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(x, y)| is_same(x, y))
        }
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(key, x)| y.get(key).is_some_and(|y| is_same(x, y)))
        }
        _ => a == b,
    }
}

/// A value as it may stand in a message: short, on one line, without control
/// characters.
fn brief(value: &Value) -> String {
    excerpt(&value.to_string(), 60)
}

/// The beginning of a text from outside, fit for a message.
pub(super) fn excerpt(text: &str, characters: usize) -> String {
    let mut clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut start: String = clean.by_ref().take(characters).collect();
    if clean.next().is_some() {
        start.push('…');
    }
    start.trim().to_owned()
}

pub(super) fn malformed(reason: String) -> Fault {
    Fault::Malformed { reason }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
