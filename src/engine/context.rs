//! What an operation works with while it runs: its id, its steps, its cancel
//! signal, and the ways to tell and to record.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::action::Action;
use super::core::Core;
use super::event::{Event, OperationEvent, OperationId, StepId, StepResult};
use super::halt::Halt;
use super::journal::UnderWay;
use crate::history::Entry;
use crate::policy::Decision;

/// An operation at work.
pub(super) struct Context {
    pub(super) core: Arc<Core>,
    pub(super) id: OperationId,
    pub(super) action: Action,
    pub(super) cancel: CancellationToken,
    /// Whether it holds the operation lock, and with it the journal's note of what
    /// is under way.
    is_holder: bool,
    steps: AtomicUsize,
}

/// A step at work: where its progress is told.
#[derive(Clone)]
pub(super) struct Step {
    core: Arc<Core>,
    operation: OperationId,
    id: StepId,
}

impl Step {
    /// Tells how far the step is.
    pub(super) fn progress(&self, detail: impl Into<String>, fraction: Option<f64>) {
        self.core.tell(Event::Operation(OperationEvent::StepProgress {
            id: self.operation.clone(),
            step: self.id,
            detail: detail.into(),
            fraction,
        }));
    }
}

/// What a step found: its value and a line for people.
pub(super) type Found<T> = Result<(T, String), Halt>;

impl Context {
    pub(super) fn new(
        core: Arc<Core>,
        id: OperationId,
        action: Action,
        cancel: CancellationToken,
        is_holder: bool,
    ) -> Self {
        Self { core, id, action, cancel, is_holder, steps: AtomicUsize::new(0) }
    }

    /// Runs a named step: not begun when cancelled; in the journal before its
    /// effect; told at both ends.
    pub(super) async fn step<T, F, W>(&self, name: &str, work: W) -> Result<T, Halt>
    where
        W: FnOnce(Step) -> F,
        F: Future<Output = Found<T>>,
    {
        if self.cancel.is_cancelled() {
            return Err(Halt::Cancelled);
        }
        self.step_through(name, work).await
    }

    /// A step that asks a gate: it shows as what the gate said, and the
    /// operation decides what follows.
    pub(super) async fn gate_step<T, F, W>(&self, name: &str, work: W) -> Result<(Decision, T), Halt>
    where
        W: FnOnce(Step) -> F,
        F: Future<Output = Found<(Decision, T)>>,
    {
        if self.cancel.is_cancelled() {
            return Err(Halt::Cancelled);
        }
        self.judged(name, work, |(decision, _)| decision.allow).await
    }

    /// Notes in the journal which step begins. The history's intent is on disk
    /// already; a journal that cannot be written only makes the word about a
    /// crash less exact, and must not stop a clean-up or a rollback.
    pub(super) fn note_step(&self, name: &str) {
        if self.is_holder {
            let under_way = UnderWay {
                operation_id: self.id.0.clone(),
                operation: self.action.name().into(),
                step: name.into(),
            };
            if let Err(error) = self.core.journal.begin(&under_way) {
                self.notice(format!("the journal cannot be written: {error}"));
            }
        }
    }

    /// A step that runs also after a cancel: the clean-up that a stop needs.
    pub(super) async fn step_through<T, F, W>(&self, name: &str, work: W) -> Result<T, Halt>
    where
        W: FnOnce(Step) -> F,
        F: Future<Output = Found<T>>,
    {
        self.judged(name, work, |_| true).await
    }

    async fn judged<T, F, W>(&self, name: &str, work: W, is_well: impl Fn(&T) -> bool) -> Result<T, Halt>
    where
        W: FnOnce(Step) -> F,
        F: Future<Output = Found<T>>,
    {
        let step = self.begin(name);
        self.note_step(name);
        let began = self.core.clock.instant();
        let outcome = work(step.clone()).await;
        let elapsed = self.core.clock.instant().saturating_duration_since(began);
        match outcome {
            Ok((value, detail)) => {
                let result = if is_well(&value) { StepResult::Ok } else { StepResult::Failed };
                self.finish(&step, name, result, elapsed, &detail);
                Ok(value)
            }
            Err(halt) => {
                let detail = match &halt {
                    Halt::Failed { error, .. } => error.clone(),
                    Halt::Blocked { headline, .. } => headline.clone(),
                    Halt::Cancelled => "cancelled".into(),
                };
                self.finish(&step, name, StepResult::Failed, elapsed, &detail);
                Err(halt)
            }
        }
    }

    /// Tells of a check: a step whose failure does not end the operation.
    pub(super) fn told_check(&self, name: &str, is_ok: bool, elapsed: Duration, detail: &str) {
        let step = self.begin(name);
        let result = if is_ok { StepResult::Ok } else { StepResult::Failed };
        self.finish(&step, name, result, elapsed, detail);
    }

    fn begin(&self, name: &str) -> Step {
        let id = self.steps.fetch_add(1, Ordering::Relaxed);
        self.core.tell(Event::Operation(OperationEvent::StepStarted {
            id: self.id.clone(),
            step: id,
            name: name.into(),
        }));
        Step { core: Arc::clone(&self.core), operation: self.id.clone(), id }
    }

    fn finish(&self, step: &Step, name: &str, result: StepResult, elapsed: Duration, detail: &str) {
        self.core.tell(Event::Operation(OperationEvent::StepFinished {
            id: self.id.clone(),
            step: step.id,
            name: name.into(),
            result,
            elapsed,
            detail: detail.into(),
        }));
    }

    /// A line for people that is no step.
    pub(super) fn notice(&self, text: impl Into<String>) {
        self.core.tell(Event::Operation(OperationEvent::Notice { id: self.id.clone(), text: text.into() }));
    }

    /// Records something under this operation's actor. A rollback goes on
    /// when it cannot, and says so: it may be what saves the traffic.
    pub(super) async fn record(&self, entry: Entry) -> Result<(), Halt> {
        match self.core.record(entry).await {
            Err(error) if self.action == Action::Rollback => {
                self.notice(format!("NOT RECORDED: {error}"));
                Ok(())
            }
            outcome => outcome.map_err(Halt::from),
        }
    }

    /// Tells and records a gate's answer.
    pub(super) async fn decided(&self, decision: &Decision) -> Result<(), Halt> {
        self.core.tell(Event::Operation(OperationEvent::Decided {
            id: self.id.clone(),
            decision: Box::new(decision.clone()),
        }));
        self.record_decision(decision).await
    }

    /// Records a gate's answer.
    pub(super) async fn record_decision(&self, decision: &Decision) -> Result<(), Halt> {
        self.record(Entry::Decision {
            operation_id: self.id.0.clone(),
            gate: decision.gate.clone(),
            verdict: decision.verdict.to_string(),
            input: decision.input.clone(),
            result: decision.result.clone(),
            reasons: match &decision.fault {
                Some(fault) => vec![fault.to_string()],
                None => decision.reasons.clone(),
            },
            engine: serde_json::to_value(&decision.engine).unwrap_or_default(),
            revision: decision.revision.clone(),
            took_us: u64::try_from(decision.took.as_micros()).ok(),
            fault: decision.fault.as_ref().and_then(|fault| serde_json::to_value(fault).ok()),
        })
        .await
    }

    /// Waits, unless cancelled.
    pub(super) async fn wait(&self, time: Duration) -> Result<(), Halt> {
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.cancel.cancelled() => Err(Halt::Cancelled),
        }
    }
}
