//! Recorded decisions asked again: would the policies now on disk answer
//! otherwise? Pure but for [`Asker`], which evaluates in this process.
//!
//! An answer *changes* when its verdict or the codes of its violations do.
//! The same verdict for the same cause in other words (a limit moved without
//! being crossed) is *reworded*. A decision that had no answer then (the
//! engine was down, late, stale) says nothing about policies and is told
//! apart, whatever the answer is now.
//!
//! The facts are those that were recorded. Where an older version recorded
//! fewer than the policies ask for now, the policies say what is missing, and
//! that is the answer.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::{Answer, is_same, obey};
use super::bundle::PolicyBundle;
use super::embedded::{Compiled, Evaluated, evaluate};
use super::rego::{IN_PROCESS, Interpreter, VERSION};
use super::{Decision, EngineId, Fault, Verdict};

/// The code by which the policies say that a fact is missing.
const MISSING: &str = "facts_missing";

/// A decision as a record tells it.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    /// The package.
    pub gate: &'a str,
    /// `PASS`, `FAIL`, `INCONCLUSIVE`.
    pub verdict: &'a str,
    /// The answer as received; null where there was none.
    pub result: &'a Value,
    /// For people.
    pub reasons: &'a [String],
    /// Why there was no answer, where the record tells it.
    pub fault: Option<&'a Value>,
}

impl Recorded<'_> {
    /// The answer that was obeyed then.
    ///
    /// # Errors
    /// The words of the fault, when there was no answer that could be obeyed.
    /// A record of an older version does not name the fault: what was recorded
    /// is then not what the answer says.
    pub fn answer(&self) -> Result<Answer, String> {
        let told = || self.reasons.first().cloned().unwrap_or_else(|| "no answer is recorded".to_owned());
        if self.fault.is_some_and(|fault| !fault.is_null()) {
            return Err(told());
        }
        // By its own limits: whether they are those of now is the question.
        let limits = self.result.get("limits").cloned().unwrap_or_default();
        match obey(Some(self.result), self.gate, &limits) {
            Ok(answer) if answer.verdict.as_str() == self.verdict && answer.reasons == self.reasons => {
                Ok(answer)
            }
            Ok(_) | Err(_) => Err(told()),
        }
    }

    /// The fault, where the record names one.
    #[must_use]
    pub fn named_fault(&self) -> Option<Fault> {
        self.fault.and_then(|fault| Fault::deserialize(fault).ok())
    }
}

/// What came of asking again.
#[derive(Debug, Clone, PartialEq)]
pub struct Again {
    /// The answer as received; null where there is none.
    pub result: Value,
    /// What is obeyed.
    pub outcome: Result<Answer, Fault>,
}

impl From<Decision> for Again {
    fn from(decision: Decision) -> Self {
        let Decision { verdict, violations, reasons, checks, fault, result, .. } = decision;
        let outcome = match fault {
            Some(fault) => Err(fault),
            None => Ok(Answer { verdict, violations, reasons, checks }),
        };
        Self { result, outcome }
    }
}

/// One of the two answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// What the gate says; a fault denies.
    pub verdict: Verdict,
    /// The codes of what is not kept.
    pub violations: Vec<String>,
    /// For people.
    pub reasons: Vec<String>,
    /// Why there is no answer, where there is none.
    pub fault: Option<Fault>,
}

impl Side {
    /// The word for people: `PASS`, or `NO ANSWER`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        if self.fault.is_some() { "NO ANSWER" } else { self.verdict.as_str() }
    }

    fn of(outcome: &Result<Answer, Fault>) -> Self {
        match outcome {
            Ok(answer) => Self {
                verdict: answer.verdict,
                violations: answer.violations.iter().map(|violation| violation.code.clone()).collect(),
                reasons: answer.reasons.clone(),
                fault: None,
            },
            Err(fault) => Self {
                verdict: Verdict::Fail,
                violations: vec![fault.code().to_owned()],
                reasons: vec![fault.to_string()],
                fault: Some(fault.clone()),
            },
        }
    }
}

/// An answer that would be another one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// As recorded.
    pub then: Side,
    /// As the policies say it now.
    pub now: Side,
    /// What differs, for people: verdict, limits, checks, violations.
    pub differs: Vec<String>,
}

impl Change {
    /// `PASS -> FAIL`, for totals.
    #[must_use]
    pub fn transition(&self) -> String {
        format!("{} -> {}", self.then.word(), self.now.word())
    }

    /// Whether the policies now miss a fact that was not asked for then.
    #[must_use]
    pub fn is_for_want_of_facts(&self) -> bool {
        let misses = |side: &Side| side.violations.iter().any(|code| code == MISSING);
        misses(&self.now) && !misses(&self.then)
    }
}

/// What the comparison of then and now gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// The same answer, to the letter.
    Same,
    /// The same verdict for the same cause, in other words.
    Reworded,
    /// Another verdict, or another cause.
    Changed(Box<Change>),
    /// There was no answer then; why.
    NoAnswerThen(String),
}

/// Compares a recorded decision with the answer of now.
#[must_use]
pub fn compare(recorded: &Recorded<'_>, again: &Again) -> Finding {
    let answered = match recorded.answer() {
        Ok(answer) => answer,
        Err(reason) => return Finding::NoAnswerThen(reason),
    };
    if let Ok(now) = &again.outcome
        && now.verdict == answered.verdict
        && codes(now) == codes(&answered)
    {
        let is_same = is_same(recorded.result, &again.result) && now.reasons == answered.reasons;
        return if is_same { Finding::Same } else { Finding::Reworded };
    }
    let mut differs = Vec::new();
    if let Ok(now) = &again.outcome {
        differs.extend(limits(&answered, now, &recorded.result["limits"], &again.result["limits"]));
        differs.extend(checks(&answered, now));
        differs.extend(violations(&answered, now));
    }
    let (then, now) = (Side::of(&Ok(answered)), Side::of(&again.outcome));
    if then.word() != now.word() {
        differs.insert(0, format!("verdict {} -> {}", then.word(), now.word()));
    }
    Finding::Changed(Box::new(Change { then, now, differs }))
}

fn codes(answer: &Answer) -> BTreeSet<&str> {
    answer.violations.iter().map(|violation| violation.code.as_str()).collect()
}

/// The limits that were compared with; for a gate that lists no comparisons,
/// all of `data.json` that it answered by.
fn limits(then: &Answer, now: &Answer, all_then: &Value, all_now: &Value) -> Vec<String> {
    if !now.checks.is_empty() {
        let moved = now.checks.iter().filter_map(|check| {
            let before = then.checks.iter().find(|before| before.fact == check.fact)?;
            (!is_same(&before.limit, &check.limit))
                .then(|| format!("limit of {} {} -> {}", check.fact, before.limit, check.limit))
        });
        return moved.collect();
    }
    let none = Map::new();
    let (then, now) = (all_then.as_object().unwrap_or(&none), all_now.as_object().unwrap_or(&none));
    let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let shown = |value: Option<&Value>| value.map_or_else(|| "absent".to_owned(), Value::to_string);
    names
        .into_iter()
        .filter(|name| !matches!((then.get(*name), now.get(*name)), (Some(a), Some(b)) if is_same(a, b)))
        .map(|name| format!("limit {name} {} -> {}", shown(then.get(name)), shown(now.get(name))))
        .collect()
}

fn checks(then: &Answer, now: &Answer) -> Vec<String> {
    let word = |ok: bool| if ok { "kept" } else { "not kept" };
    now.checks
        .iter()
        .filter_map(|check| {
            let Some(before) = then.checks.iter().find(|before| before.fact == check.fact) else {
                return (!check.ok).then(|| format!("check {} is new and not kept", check.fact));
            };
            (before.ok != check.ok)
                .then(|| format!("check {} {} -> {}", check.fact, word(before.ok), word(check.ok)))
        })
        .collect()
}

fn violations(then: &Answer, now: &Answer) -> Vec<String> {
    let (before, after) = (codes(then), codes(now));
    let new = after.difference(&before).map(|code| format!("violation {code} is new"));
    let gone = before.difference(&after).map(|code| format!("violation {code} is gone"));
    new.chain(gone).collect()
}

/// Asks policies that were read once, in this process, one question after the
/// other. Every thread has its own.
pub struct Asker {
    bundle: Arc<PolicyBundle>,
    limit: Duration,
    compiled: Mutex<Option<Compiled>>,
}

impl Asker {
    /// For these policies; a question may take so long.
    #[must_use]
    pub fn new(bundle: Arc<PolicyBundle>, limit: Duration) -> Self {
        Self { bundle, limit, compiled: Mutex::default() }
    }

    /// Whether the policies can be evaluated at all.
    ///
    /// # Errors
    /// [`Fault::Policies`] with file, line and cause.
    pub fn check(bundle: &PolicyBundle, limit: Duration) -> Result<(), Fault> {
        Interpreter::of_policies(bundle, limit).map(|_| ())
    }

    /// Who answers.
    #[must_use]
    pub fn id() -> EngineId {
        EngineId { name: "embedded".to_owned(), version: Some(VERSION.to_owned()), at: IN_PROCESS.to_owned() }
    }

    /// Asks a package. Blocks while it is evaluated.
    #[must_use]
    pub fn ask(&self, package: &str, input: &Value) -> Again {
        let Evaluated { result, outcome, .. } =
            evaluate(&self.bundle, &self.compiled, package, input, self.limit);
        Again { result, outcome }
    }
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
