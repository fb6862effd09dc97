//! One operation from its lock to its recorded outcome.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::action::Action;
use super::bus::Engine;
use super::context::Context;
use super::core::Core;
use super::event::{Event, OperationEvent, OperationId, Outcome};
use super::files::UNFINISHED;
use super::halt::Halt;
use super::journal::UnderWay;
use super::lock::{LockError, OperationLock};
use super::stage::state_line;
use super::{aside, leftovers, operation, owner, watch, way};
use crate::history::{Entry, HistoryError};
use crate::manifest::ManifestError;

/// What an operation may do beside others; held until it has ended.
enum Place {
    /// It changes nothing and needs no lock.
    Reader,
    /// It alone changes something.
    Holder(#[expect(dead_code, reason = "held")] OperationLock),
    /// The holder lets it in.
    Beside(#[expect(dead_code, reason = "held")] OperationLock),
}

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
        let place = match self.lock(action).await {
            Ok(place) => place,
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
        let is_holder = matches!(place, Place::Holder(_));
        let _way = is_holder.then(|| way::make_when_asked(&self.core.project, action, &cancel));
        if is_holder {
            aside::clear(&self.core.project);
            leftovers::sweep(&self.core);
            self.end_unfinished().await;
        }
        if is_holder && let Err(error) = self.prepare_journal(id, action) {
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
        // without: with a full disk it may be what saves the traffic. The checks
        // have no effect, and are to tell what would be in the way.
        let recorded = self.core.record(intent).await;
        if let Err(error) = &recorded
            && !matches!(action, Action::Rollback | Action::Validate)
        {
            if is_holder {
                let _ = self.core.journal.end();
            }
            return Some(self.fail_early(id, action, &error.to_string(), error.next_step()));
        }
        self.core.tell(Event::Operation(OperationEvent::Started { id: id.clone(), action: action.clone() }));
        let began = self.core.clock.instant();
        let context = Context::new(Arc::clone(&self.core), id.clone(), action.clone(), cancel, is_holder);
        if let Err(error) = &recorded {
            context.notice(unrecorded(&self.core, action, error));
        }
        let result = operation::run(&context).await;
        let outcome = self.outcome(result).await;
        if is_holder && (outcome.exit_code() != 0 || matches!(action, Action::Teardown { .. })) {
            owner::settle(&self.core).await;
        }
        let elapsed = self.core.clock.instant().saturating_duration_since(began);
        let outcome = self.record_outcome(id, action, outcome, elapsed).await;
        if is_holder {
            // Left in place it would only be told as cut off once more.
            let _ = self.core.journal.end();
        }
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
    /// asks the holder, in whatever process, to make way. Chaos may come in beside a
    /// promotion.
    async fn lock(&self, action: &Action) -> Result<Place, LockError> {
        if !action.is_mutating() {
            return Ok(Place::Reader);
        }
        let path = self.core.project.state_file("lock");
        let holder = self.core.holder(action);
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
        match taken {
            Err(busy @ LockError::Busy(_)) if matches!(action, Action::Chaos(_)) => {
                aside::enter(&self.core.project, &holder, busy).map(Place::Beside)
            }
            taken => taken.map(Place::Holder),
        }
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
        match self.core.record(entry).await {
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

/// What it means that the intent is not on record. The checks go on to tell what a
/// deploy could not write.
fn unrecorded(core: &Core, action: &Action, error: &HistoryError) -> String {
    if *action != Action::Validate {
        return format!("NOT RECORDED: {error}");
    }
    let root = core.project.root();
    match tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(root) {
        Ok(_) => format!("warning: no deploy can begin: {error}"),
        Err(cause) => format!(
            "warning: no deploy can begin: the folder {} cannot be written ({}), so neither history.jsonl nor \
             generated/ nor .swiftdeploy/ can be",
            root.display(),
            cause.kind()
        ),
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
