//! The shared action bus and the operations. The terminal app and the
//! commands build the same [`Action`]s and read the same [`Event`]s; neither
//! has logic of its own.

mod action;
mod event;
mod state;

pub use action::{Action, ChaosFault, LoadPlan};
pub use event::{
    Event, FileChange, FileStatus, OperationEvent, OperationId, Outcome, PlanReport, StateEvent, StepId,
    StepResult,
};
pub use state::{ChaosStatus, Connection, GateView, GeneratedState, Live, Reading, Sample};
