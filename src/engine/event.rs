//! What the engine tells: everything that a printer or a screen needs.

use std::path::PathBuf;
use std::time::Duration;

use super::action::Action;
use super::state::{ChaosStatus, Connection, GateView, GeneratedState, Live, Sample};
use crate::manifest::Manifest;
use crate::policy::Decision;
use crate::runtime::Instance;

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// To an operation.
    Operation(OperationEvent),
    /// To what is watched.
    State(StateEvent),
}

/// Which operation; unique in a history (`op-` and a time-ordered number).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OperationId(pub String);

/// Which step of an operation, counted from 0.
pub type StepId = usize;

/// The life of an operation: `Started`, steps, verdicts and notices, then
/// exactly one `Finished`. Or only `Refused`.
#[derive(Debug, Clone)]
pub enum OperationEvent {
    /// It was not begun: another one runs, or the input is wrong.
    Refused {
        /// What was asked.
        action: Action,
        /// Why not, and what to do.
        reason: String,
        /// Whether another operation holds the lock (exit code 4).
        is_busy: bool,
    },
    /// It begins.
    Started {
        /// Its id.
        id: OperationId,
        /// What was asked.
        action: Action,
    },
    /// A step begins.
    StepStarted {
        /// The operation.
        id: OperationId,
        /// Which step.
        step: StepId,
        /// Its name, `wait healthy`.
        name: String,
    },
    /// A step goes on.
    StepProgress {
        /// The operation.
        id: OperationId,
        /// Which step.
        step: StepId,
        /// For people, `3 of 60 s`.
        detail: String,
        /// 0 to 1, where it can be told.
        fraction: Option<f64>,
    },
    /// A step ended.
    StepFinished {
        /// The operation.
        id: OperationId,
        /// Which step.
        step: StepId,
        /// Its name.
        name: String,
        /// How it ended.
        result: StepResult,
        /// How long it took.
        elapsed: Duration,
        /// For people; may be empty.
        detail: String,
    },
    /// A gate answered.
    Decided {
        /// The operation.
        id: OperationId,
        /// The answer.
        decision: Box<Decision>,
    },
    /// Files that were (or would be) written.
    Files {
        /// The operation.
        id: OperationId,
        /// One a file.
        changes: Vec<FileChange>,
    },
    /// What a deploy would do.
    Planned {
        /// The operation.
        id: OperationId,
        /// The plan.
        plan: PlanReport,
    },
    /// Something worth a line that is no step.
    Notice {
        /// The operation.
        id: OperationId,
        /// For people.
        text: String,
    },
    /// It ended.
    Finished {
        /// The operation.
        id: OperationId,
        /// What was asked.
        action: Action,
        /// How it ended.
        outcome: Outcome,
        /// How long it took.
        elapsed: Duration,
    },
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepResult {
    /// Done, or a check that passed.
    Ok,
    /// Failed.
    Failed,
    /// Not needed.
    Skipped,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done {
        /// For people: what is true now.
        summary: String,
    },
    /// A gate said no.
    Denied {
        /// `Deployment blocked: Infrastructure policy violation`.
        headline: String,
        /// Each with observed value and limit.
        reasons: Vec<String>,
        /// What is true now: what still serves.
        state: String,
    },
    /// A gate could not say yes for want of evidence.
    Inconclusive {
        /// What was asked.
        headline: String,
        /// Each with observed value and what is needed.
        reasons: Vec<String>,
        /// What is true now.
        state: String,
    },
    /// Something went wrong.
    Failed {
        /// What, where, why.
        error: String,
        /// What is true now: what still serves.
        state: String,
        /// What to do.
        next: String,
    },
    /// Cancelled by a person.
    Cancelled {
        /// What is true now.
        state: String,
    },
}

impl Outcome {
    /// The word in the history: `done`, `denied`, `inconclusive`, `failed`,
    /// `cancelled`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Denied { .. } => "denied",
            Self::Inconclusive { .. } => "inconclusive",
            Self::Failed { .. } => "failed",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// The exit code of the command: 0, 2, 3, 1, 130.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Done { .. } => 0,
            Self::Failed { .. } => 1,
            Self::Denied { .. } => 2,
            Self::Inconclusive { .. } => 3,
            Self::Cancelled { .. } => 130,
        }
    }
}

/// A generated file and what happens to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Relative to the manifest's folder.
    pub path: PathBuf,
    /// New, changed or as it should be.
    pub status: FileStatus,
    /// Unified diff of a changed file; empty otherwise.
    pub diff: String,
}

/// What happens to a generated file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileStatus {
    /// It is not there yet.
    New,
    /// It differs.
    Changed,
    /// It is as it should be.
    Same,
}

/// What a deploy would do.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanReport {
    /// Generated files.
    pub files: Vec<FileChange>,
    /// Lines like `app-green` with what it would run.
    pub start: Vec<String>,
    /// What of the platform would be made anew, why, and what that means for the
    /// traffic.
    pub replace: Vec<String>,
    /// What would be retired.
    pub stop: Vec<String>,
    /// What the gates say now.
    pub decisions: Vec<Decision>,
}

/// Something watched changed. Each carries the whole new value.
#[derive(Debug, Clone)]
pub enum StateEvent {
    /// The engine of the target: reached or lost.
    Connection(Connection),
    /// The manifest on disk, or why it cannot be used.
    Manifest(Result<Box<Manifest>, String>),
    /// Whether the generated files are up to date.
    Generated(GeneratedState),
    /// What runs.
    Instances(Vec<Instance>),
    /// What is live.
    Live(Live),
    /// Figures of the last window.
    Sample(Box<Sample>),
    /// What the gates say now, in order.
    Gates(Vec<GateView>),
    /// The fault that is active, if any.
    Chaos(Option<ChaosStatus>),
}
