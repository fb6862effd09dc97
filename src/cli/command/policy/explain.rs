//! `policy explain`: a decision with every rule, fact and limit; the one of
//! now, or one of the history.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::super::super::args::Common;
use super::super::super::failure::Failure;
use super::super::super::open;
use super::super::super::print::{Paint, Told, explained, line};
use crate::engine::{RecordedDecision, recorded_decision};
use crate::policy::Decision;
use crate::policy::explain::{Explanation, explain, unexplained};

/// Asks a gate and explains what it says.
pub(super) async fn now(common: &Common, gate: &str) -> Result<ExitCode, Failure> {
    let decision = super::ask(common, gate).await?;
    let explanation = found(common, &decision, true).await?;
    let code = super::exit_code(&decision);
    tell(common, &decision, &explanation, None)?;
    Ok(code)
}

/// Explains a decision of the history, as it was recorded.
pub(super) async fn recorded(common: &Common, seq: u64) -> Result<ExitCode, Failure> {
    let root = open::project(common)?.root().to_owned();
    let found_record = tokio::task::spawn_blocking(move || recorded_decision(&root, seq)).await;
    let recorded = found_record
        .map_err(|stopped| Failure::new(stopped.to_string(), "repeat"))?
        .map_err(|error| Failure::new(error, "see history.jsonl, or `swiftdeploy audit`"))?;
    let explanation = found(common, &recorded.decision, recorded.is_answered).await?;
    tell(common, &recorded.decision, &explanation, Some(&recorded))?;
    Ok(ExitCode::SUCCESS)
}

/// Finds the places, on a thread that may block.
async fn found(common: &Common, decision: &Decision, is_answered: bool) -> Result<Explanation, Failure> {
    let policies = open::project(common)?.policies();
    if !is_answered {
        return Ok(unexplained(decision));
    }
    let known = decision.clone();
    let found = tokio::task::spawn_blocking(move || explain(&policies, &known)).await;
    // The interpreter broke down: the decision stands, its places are not known.
    Ok(found.unwrap_or_else(|_| unexplained(decision)))
}

fn tell(
    common: &Common,
    decision: &Decision,
    explanation: &Explanation,
    recorded: Option<&RecordedDecision>,
) -> Result<(), Failure> {
    if common.json {
        let mut told = json!({"event": "decision", "decision": decision, "explanation": explanation});
        if let (Some(recorded), Value::Object(fields)) = (recorded, &mut told) {
            fields.insert("recorded".to_owned(), record_json(recorded));
        }
        return Ok(line(&told.to_string())?);
    }
    let here = std::env::current_dir().ok();
    let told = Told { decision, explanation, recorded, here: here.as_deref() };
    for text in explained(&told, Paint::detect(common.no_color)) {
        line(&text)?;
    }
    Ok(())
}

fn record_json(recorded: &RecordedDecision) -> Value {
    json!({
        "seq": recorded.seq,
        "timestamp": recorded.timestamp,
        "actor": recorded.actor,
        "operation_id": recorded.operation_id,
        "answered": recorded.is_answered,
        "timed": recorded.is_timed,
    })
}
