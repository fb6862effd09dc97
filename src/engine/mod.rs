//! The shared action bus and the operations. The terminal app and the
//! commands build the same [`Action`]s and read the same [`Event`]s; neither
//! has logic of its own.

mod action;
mod adopt;
mod aside;
mod bus;
mod confidence;
mod context;
mod core;
mod diff;
mod event;
mod evidence;
mod facts;
mod faults;
mod files;
mod gate;
mod generate;
mod halt;
mod journal;
mod leave;
mod leaving;
mod leftovers;
mod lock;
mod look_back;
mod measure;
mod memory;
mod metrics;
mod obstacle;
mod operation;
mod owner;
mod probe;
mod project;
mod recall;
mod replay;
mod round;
mod run;
mod session;
mod settled;
mod shift;
mod stage;
mod state;
mod violation;
mod watch;
mod way;

pub use action::{Action, ChaosFault, LoadPlan};
pub use bus::{Engine, OpenError, Options};
pub use event::{
    Event, FileChange, FileStatus, OperationEvent, OperationId, Outcome, PlanReport, StateEvent, StepId,
    StepResult,
};
pub use look_back::{REPLAY_TIMEOUT, Replayed};
pub use measure::names as metric_names;
pub use metrics::{GroupMetrics, NoWindow, Seen};
pub use obstacle::Obstacle;
pub use owner::deployed_on;
pub use project::Project;
pub use recall::{RecordedDecision, recorded_decision};
pub use replay::{ChangedDecision, ReplayBy, ReplayError, ReplayEvent, ReplayOptions, ReplayReport, replay};
pub use session::{Assemble, RealParts, Session, engine_kind};
pub use state::{ChaosStatus, Connection, GateView, GeneratedState, Live, Reading, Sample};
pub use watch::Looker;
