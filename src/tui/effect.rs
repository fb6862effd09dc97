//! What the update function asks the loop to do. Plain data, so that tests
//! compare it.

use crate::engine::Action;
use crate::policy::Decision;

/// Please do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask the engine for an action.
    Dispatch(Action),
    /// Cancel the running operation.
    Cancel,
    /// Read a service's log, in place of the one that is open.
    OpenLogs {
        /// The service.
        service: String,
        /// Comes back with each line.
        generation: u64,
    },
    /// Stop reading the log.
    CloseLogs,
    /// Find out what a teardown would remove.
    ListBelongings {
        /// Comes back with the answer.
        generation: u64,
    },
    /// Find out where a decision comes from.
    Explain {
        /// The decision.
        decision: Box<Decision>,
        /// Comes back with the answer.
        generation: u64,
    },
    /// Ask the recorded decisions again.
    Replay {
        /// Comes back with the answer.
        generation: u64,
    },
    /// Draw the whole screen anew.
    Repaint,
    /// Give the terminal back to the shell until it resumes us.
    Suspend,
    /// Leave the app.
    Quit,
}
