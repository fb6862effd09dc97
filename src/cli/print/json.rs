//! Events as JSON lines: one object per line, each with `event`.

use std::io;

use serde_json::{Value, json};

use super::Printer;
use crate::engine::{Event, FileChange, FileStatus, OperationEvent, Outcome, StepResult};

/// Prints JSON.
pub(in super::super) struct Json;

impl Printer for Json {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Operation(event) => super::line(&operation(event).to_string()),
            Event::State(_) => Ok(()),
        }
    }
}

/// An error before there is an operation.
pub(in super::super) fn error_line(error: &str, next: &str) -> Value {
    json!({"event": "error", "error": error, "next": next})
}

fn operation(event: &OperationEvent) -> Value {
    match event {
        OperationEvent::Refused { action, reason, is_busy } => {
            json!({"event": "refused", "operation": action.name(), "reason": reason, "busy": is_busy})
        }
        OperationEvent::Started { id, action } => {
            json!({"event": "started", "id": id.0, "operation": action.name()})
        }
        OperationEvent::StepStarted { id, step, name } => {
            json!({"event": "step_started", "id": id.0, "step": step, "name": name})
        }
        OperationEvent::StepProgress { id, step, detail, fraction } => {
            json!({"event": "step_progress", "id": id.0, "step": step, "detail": detail, "fraction": fraction})
        }
        OperationEvent::StepFinished { id, step, name, result, elapsed, detail } => json!({
            "event": "step_finished", "id": id.0, "step": step, "name": name,
            "result": match result {
                StepResult::Ok => "ok",
                StepResult::Failed => "failed",
                StepResult::Skipped => "skipped",
            },
            "elapsed_ms": millis(*elapsed), "detail": detail,
        }),
        OperationEvent::Decided { id, decision } => {
            json!({"event": "decision", "id": id.0, "decision": decision})
        }
        OperationEvent::Files { id, changes } => {
            json!({"event": "files", "id": id.0, "files": files(changes)})
        }
        OperationEvent::Planned { id, plan } => json!({
            "event": "plan", "id": id.0, "files": files(&plan.files),
            "start": plan.start, "replace": plan.replace, "stop": plan.stop, "decisions": plan.decisions,
        }),
        OperationEvent::Notice { id, text } => json!({"event": "notice", "id": id.0, "text": text}),
        OperationEvent::Finished { id, action, outcome, elapsed } => {
            let mut line = json!({
                "event": "finished", "id": id.0, "operation": action.name(), "outcome": outcome.as_str(),
                "exit_code": outcome.exit_code(), "elapsed_ms": millis(*elapsed),
            });
            if let (Some(line), Value::Object(more)) = (line.as_object_mut(), told(outcome)) {
                line.extend(more);
            }
            line
        }
    }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn files(changes: &[FileChange]) -> Vec<Value> {
    changes
        .iter()
        .map(|change| {
            let status = match change.status {
                FileStatus::New => "new",
                FileStatus::Changed => "changed",
                FileStatus::Same => "same",
            };
            json!({"path": change.path, "status": status, "diff": change.diff})
        })
        .collect()
}

fn told(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Done { summary } => json!({"summary": summary}),
        Outcome::Denied { headline, reasons, state } | Outcome::Inconclusive { headline, reasons, state } => {
            json!({"headline": headline, "reasons": reasons, "state": state})
        }
        Outcome::Failed { error, state, next } => json!({"error": error, "state": state, "next": next}),
        Outcome::Cancelled { state } => json!({"state": state}),
    }
}
