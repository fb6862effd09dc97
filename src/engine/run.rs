//! One operation from its lock to its recorded outcome.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::action::Action;
use super::bus::Engine;
use super::context::Context;
use super::event::{Event, OperationEvent, OperationId, Outcome};
use super::halt::Halt;
use super::journal::UnderWay;
use super::lock::{Holder, LockError, OperationLock};
use super::stage::state_line;
use super::{operation, owner, watch, way};
use crate::history::Entry;
use crate::manifest::ManifestError;

impl Engine {
    /// Runs an operation that this process admits. `None` when another process
    /// holds the lock; that is told.
    pub(super) async fn run_admitted(
        &self,
        id: &OperationId,
        action: &Action,
        cancel: CancellationToken,
    ) -> Option<Outcome> {
        if let Some(error) = self.no_project(action) {
            return Some(self.fail_early(id, action, &error.to_string(), error.next_step()));
        }
        // Before the lock: a stranger's rollback must not cancel who holds it.
        if let Some(stranger) = owner::refusal(&self.core, Some(action)) {
            return Some(self.fail_early(id, action, &stranger.error, stranger.next));
        }
        let lock = match self.lock(action).await {
            Ok(lock) => lock,
            Err(error @ LockError::Busy(_)) => {
                self.refuse(action, error.to_string(), true);
                return None;
            }
            Err(error) => {
                let next = "check permissions and free space of the manifest's folder".into();
                return Some(self.fail_early(id, action, &error.to_string(), next));
            }
        };
        // And under it: another manifest may have come first.
        if let Some(stranger) = owner::refusal(&self.core, Some(action)) {
            return Some(self.fail_early(id, action, &stranger.error, stranger.next));
        }
        let _way = lock.as_ref().map(|_| way::make_when_asked(&self.core.project, action, &cancel));
        if action.is_mutating() {
            self.end_unfinished().await;
        }
        if let Err(error) = self.prepare_journal(id, action) {
            let error = format!("cannot write into {}: {error}", self.core.project.state().display());
            let next = "check permissions and free space of the manifest's folder".into();
            return Some(self.fail_early(id, action, &error, next));
        }
        let intent = Entry::OperationStarted {
            operation_id: id.0.clone(),
            operation: action.name().into(),
            detail: format!("on {}", self.core.target),
        };
        // Intent is on disk before the first effect. Only a rollback goes on
        // without: with a full disk it may be what saves the traffic.
        let recorded = self.core.record(intent).await;
        if let Err(error) = &recorded
            && *action != Action::Rollback
        {
            if action.is_mutating() {
                let _ = self.core.journal.end();
            }
            return Some(self.fail_early(id, action, &error.to_string(), error.next_step()));
        }
        self.core.tell(Event::Operation(OperationEvent::Started { id: id.clone(), action: action.clone() }));
        let began = self.core.clock.instant();
        let context = Context::new(Arc::clone(&self.core), id.clone(), action.clone(), cancel);
        if let Err(error) = recorded {
            context.notice(format!("NOT RECORDED: {error}"));
        }
        let result = operation::run(&context).await;
        let outcome = self.outcome(result).await;
        if action.is_mutating() && (outcome.exit_code() != 0 || matches!(action, Action::Teardown { .. })) {
            owner::settle(&self.core).await;
        }
        let elapsed = self.core.clock.instant().saturating_duration_since(began);
        let outcome = self.record_outcome(id, action, outcome, elapsed).await;
        self.core.tell(Event::Operation(OperationEvent::Finished {
            id: id.clone(),
            action: action.clone(),
            outcome: outcome.clone(),
            elapsed,
        }));
        Some(outcome)
    }

    /// Why there is nothing to do in the folder: it is no project. The checks
    /// tell that themselves.
    fn no_project(&self, action: &Action) -> Option<ManifestError> {
        if *action == Action::Validate { None } else { self.core.no_project() }
    }

    /// Makes sure that what the operation must remember can be written, before
    /// anything begins. A rollback takes the space that was kept back for it
    /// and goes on in any case.
    fn prepare_journal(&self, id: &OperationId, action: &Action) -> std::io::Result<()> {
        if !action.is_mutating() {
            return Ok(());
        }
        let journal = &self.core.journal;
        let begin =
            UnderWay { operation_id: id.0.clone(), operation: action.name().into(), step: "begin".into() };
        if *action == Action::Rollback {
            let _ = journal.use_reserve().and_then(|()| journal.begin(&begin));
            let _ = owner::claim(&self.core);
            return Ok(());
        }
        if !matches!(action, Action::Init { .. } | Action::Teardown { .. }) {
            owner::claim(&self.core)?;
        }
        journal.reserve().and_then(|()| journal.begin(&begin))
    }

    /// Takes the lock. A rollback does not wait for what it goes back from: it
    /// asks the holder, in whatever process, to make way.
    async fn lock(&self, action: &Action) -> Result<Option<OperationLock>, LockError> {
        if !action.is_mutating() {
            return Ok(None);
        }
        let path = self.core.project.state_file("lock");
        let holder = Holder {
            pid: std::process::id(),
            actor: self.core.actor.0.clone(),
            operation: action.name().into(),
            since: self.core.clock.wall(),
        };
        let mut taken = OperationLock::acquire(&path, &holder);
        let began = self.core.clock.instant();
        while *action == Action::Rollback
            && matches!(taken, Err(LockError::Busy(_)))
            && self.core.clock.instant().saturating_duration_since(began) < way::PATIENCE
        {
            way::ask(&self.core.project);
            tokio::time::sleep(way::LOOK).await;
            taken = OperationLock::acquire(&path, &holder);
        }
        taken.map(Some)
    }

    /// An operation that a crash cut off gets its end on record; what runs is
    /// asked from the runtime anyway.
    async fn end_unfinished(&self) {
        if let Some(left) = self.core.journal.unfinished() {
            let entry = Entry::OperationFinished {
                operation_id: left.operation_id,
                operation: left.operation,
                outcome: "interrupted".into(),
                detail: format!("cut off at the step {:?}; found by the next operation", left.step),
                elapsed_ms: 0,
                release: None,
            };
            if self.core.record_own(entry).await.is_ok() {
                let _ = self.core.journal.end();
            }
        }
    }

    fn fail_early(&self, id: &OperationId, action: &Action, error: &str, next: String) -> Outcome {
        let outcome = Outcome::Failed { error: error.to_owned(), state: "nothing was changed".into(), next };
        self.core.tell(Event::Operation(OperationEvent::Started { id: id.clone(), action: action.clone() }));
        self.core.tell(Event::Operation(OperationEvent::Finished {
            id: id.clone(),
            action: action.clone(),
            outcome: outcome.clone(),
            elapsed: Duration::ZERO,
        }));
        outcome
    }

    async fn outcome(&self, result: Result<String, Halt>) -> Outcome {
        match result {
            Ok(summary) => Outcome::Done { summary },
            Err(halt) => {
                let state = state_line(&self.core).await;
                match halt {
                    Halt::Failed { error, next } => Outcome::Failed { error, state, next },
                    Halt::Blocked { headline, reasons, is_inconclusive: false } => {
                        Outcome::Denied { headline, reasons, state }
                    }
                    Halt::Blocked { headline, reasons, is_inconclusive: true } => {
                        Outcome::Inconclusive { headline, reasons, state }
                    }
                    Halt::Cancelled => Outcome::Cancelled { state },
                }
            }
        }
    }

    /// Writes the outcome. When that fails the operation has failed, whatever
    /// it did: an outcome that is not on record is told as such.
    async fn record_outcome(
        &self,
        id: &OperationId,
        action: &Action,
        outcome: Outcome,
        elapsed: Duration,
    ) -> Outcome {
        let entry = Entry::OperationFinished {
            operation_id: id.0.clone(),
            operation: action.name().into(),
            outcome: outcome.as_str().into(),
            detail: detail(&outcome),
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            release: if action.is_mutating() { watch::live_release(&self.core).await } else { None },
        };
        let recorded = self.core.record(entry).await;
        if action.is_mutating() {
            // Left in place it would only be told as cut off once more.
            let _ = self.core.journal.end();
        }
        match recorded {
            Ok(()) => outcome,
            Err(error) => Outcome::Failed {
                error: format!(
                    "{} {}, but that could not be recorded: {error}",
                    action.name(),
                    outcome.as_str()
                ),
                state: detail(&outcome),
                next: error.next_step(),
            },
        }
    }
}

/// The outcome in one line, for the history.
fn detail(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done { summary } => summary.clone(),
        Outcome::Denied { headline, reasons, .. } | Outcome::Inconclusive { headline, reasons, .. } => {
            format!("{headline}: {}", reasons.join("; "))
        }
        Outcome::Failed { error, state, .. } => format!("{error} ({state})"),
        Outcome::Cancelled { state } => format!("cancelled; {state}"),
    }
}
