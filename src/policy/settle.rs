//! From a question and what came of it to a decision. Pure.

use std::time::Duration;

use serde_json::Value;

use super::answer::Answer;
use super::{Decision, EngineId, Fault, Verdict, Violation};

/// What was asked, of whom, and how long it took.
pub(super) struct Question<'a> {
    pub package: &'a str,
    pub input: &'a Value,
    pub engine: EngineId,
    /// Empty when the policies cannot be read.
    pub revision: String,
    pub took: Duration,
}

/// The decision that follows. A fault denies, with itself as the violation:
/// whoever shows violations and reasons also shows why there is no answer.
pub(super) fn settle(question: Question<'_>, outcome: Result<Answer, Fault>, result: Value) -> Decision {
    let Question { package, input, engine, revision, took } = question;
    let (answer, fault) = match outcome {
        Ok(answer) => (answer, None),
        Err(fault) => (without_answer(&fault), Some(fault)),
    };
    let Answer { verdict, violations, reasons, checks } = answer;
    Decision {
        gate: package.to_owned(),
        allow: verdict == Verdict::Pass,
        verdict,
        violations,
        reasons,
        checks,
        fault,
        engine,
        revision,
        input: input.clone(),
        result,
        took,
    }
}

impl Decision {
    /// The same question, whose answer cannot be obeyed for this reason.
    #[must_use]
    pub fn without_answer(self, fault: Fault) -> Self {
        let Self { gate, engine, revision, input, result, took, .. } = self;
        settle(Question { package: &gate, input: &input, engine, revision, took }, Err(fault), result)
    }
}

fn without_answer(fault: &Fault) -> Answer {
    let message = fault.to_string();
    let violation = Violation {
        code: fault.code().to_owned(),
        message: message.clone(),
        observed: Value::Null,
        limit: Value::Null,
    };
    Answer { verdict: Verdict::Fail, violations: vec![violation], reasons: vec![message], checks: Vec::new() }
}
