//! A decision of the history as it was made, by its number.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::history::{Entry, Record, read_checked};
use crate::policy::replay::Recorded;
use crate::policy::{CheckLine, Decision, EngineId, Fault, Verdict, Violation};

/// Decisions that a message names when the one asked for is not there.
const NEAR: usize = 5;

/// A decision as it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedDecision {
    /// The record.
    pub seq: u64,
    /// When it was recorded.
    pub timestamp: DateTime<Utc>,
    /// Who asked.
    pub actor: String,
    /// The operation that asked.
    pub operation_id: String,
    /// The decision. What the record does not tell is empty: an older version
    /// does not name the kind of a fault, nor how long the question took.
    pub decision: Decision,
    /// Whether there was an answer that could be obeyed.
    pub is_answered: bool,
    /// Whether the record tells how long the question took.
    pub is_timed: bool,
}

/// Finds a decision. Reads the history once, no more of it than needed.
///
/// # Errors
/// For people: there is no such record, or it is no decision.
pub fn recorded_decision(root: &Path, seq: u64) -> Result<RecordedDecision, String> {
    let (lines, _) = read_checked(root).map_err(|error| error.to_string())?;
    let mut before: Vec<u64> = Vec::new();
    for line in lines {
        let line = line.map_err(|error| error.to_string())?;
        let Some((number, kind)) = line.seq_and_kind() else { continue };
        if number == seq {
            let line = line.read();
            return match line.record() {
                Some(Ok(record)) => decision_of(record)
                    .ok_or_else(|| format!("record {seq} is no decision ({kind}); {}", near(&before))),
                Some(Err(error)) => Err(error.to_string()),
                None => Err(format!("the writing of record {seq} was cut off by a crash")),
            };
        }
        if kind == "decision" {
            before.push(number);
            if before.len() > NEAR {
                before.remove(0);
            }
        }
    }
    Err(format!("the history has no record {seq}; {}", near(&before)))
}

fn near(before: &[u64]) -> String {
    if before.is_empty() {
        return "no decision is recorded before it".to_owned();
    }
    let numbers: Vec<String> = before.iter().map(u64::to_string).collect();
    format!("decisions before it: {}", numbers.join(", "))
}

fn decision_of(record: &Record) -> Option<RecordedDecision> {
    let Entry::Decision {
        operation_id,
        gate,
        verdict,
        input,
        result,
        reasons,
        engine,
        revision,
        took_us,
        fault,
    } = &record.entry
    else {
        return None;
    };
    let recorded = Recorded { gate, verdict, result, reasons, fault: fault.as_ref() };
    let answer = recorded.answer().ok();
    let (violations, checks) = match &answer {
        Some(answer) => (answer.violations.clone(), answer.checks.clone()),
        None => (Vec::<Violation>::new(), Vec::<CheckLine>::new()),
    };
    let decision = Decision {
        gate: gate.clone(),
        allow: answer.as_ref().is_some_and(|answer| answer.verdict == Verdict::Pass),
        verdict: answer.as_ref().map_or(Verdict::Fail, |answer| answer.verdict),
        violations,
        reasons: reasons.clone(),
        checks,
        fault: recorded.named_fault(),
        engine: engine_of(engine),
        revision: revision.clone(),
        input: input.clone(),
        result: result.clone(),
        took: Duration::from_micros(took_us.unwrap_or_default()),
    };
    Some(RecordedDecision {
        seq: record.seq,
        timestamp: record.timestamp,
        actor: record.actor.0.clone(),
        operation_id: operation_id.clone(),
        is_answered: answer.is_some(),
        is_timed: took_us.is_some(),
        decision,
    })
}

fn engine_of(told: &Value) -> EngineId {
    EngineId::deserialize(told).unwrap_or_else(|_| EngineId {
        name: "an engine that the record does not name".to_owned(),
        version: None,
        at: "an unknown place".to_owned(),
    })
}

impl RecordedDecision {
    /// Why there was no answer, in the record's own words.
    #[must_use]
    pub fn unanswered(&self) -> Option<String> {
        let told = self.decision.fault.as_ref().map(Fault::to_string);
        (!self.is_answered).then(|| {
            told.or_else(|| self.decision.reasons.first().cloned())
                .unwrap_or_else(|| "the record does not tell why".to_owned())
        })
    }
}
