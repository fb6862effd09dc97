//! What can happen to the terminal app, nested by area so that every match is
//! exhaustive without a catch-all arm.

use crate::engine::{Event, OperationId, Replayed, StateEvent};
use crate::policy::explain::Explanation;

use super::keymap::Chord;
use super::view::Measured;

/// Something happened.
#[derive(Debug, Clone)]
pub enum Message {
    /// At the terminal.
    Terminal(TerminalMessage),
    /// In the engine.
    Engine(Event),
    /// Events were missed; this is the state now.
    Resynced(Resync),
    /// The answer to an effect.
    Reply(Reply),
    /// Time went on.
    Ticked,
}

/// Something happened at the terminal.
#[derive(Debug, Clone)]
pub enum TerminalMessage {
    /// A key was pressed.
    Key(Chord),
    /// Text was pasted.
    Pasted(String),
    /// The size changed.
    Resized {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
    },
    /// A frame was drawn; this much there was to show.
    Drawn(Measured),
    /// The system asks the process to end (SIGTERM, SIGHUP, SIGINT).
    EndAsked,
    /// The screen may be wrong: the process was stopped and goes on.
    Resumed,
}

/// The state after a lag.
#[derive(Debug, Clone)]
pub struct Resync {
    /// How many events were missed.
    pub missed: u64,
    /// The watched state.
    pub snapshot: Vec<StateEvent>,
    /// The operations that still run.
    pub running: Vec<OperationId>,
}

/// The answer to an effect. A generation that is not the current one belongs
/// to a view that was closed, and is dropped.
#[derive(Debug, Clone)]
pub enum Reply {
    /// New lines of the log, oldest first.
    LogLines {
        /// For which view.
        generation: u64,
        /// Lines and whether each came by standard error.
        lines: Vec<(bool, String)>,
    },
    /// The log ended, or could not be read.
    LogEnded {
        /// For which view.
        generation: u64,
        /// Why, when it is an error.
        error: Option<String>,
    },
    /// Where a decision comes from.
    Explained {
        /// For which view.
        generation: u64,
        /// The places.
        explanation: Box<Explanation>,
    },
    /// What a replay of the history found.
    Replayed {
        /// For which view.
        generation: u64,
        /// The findings, or why there are none.
        result: Result<Box<Replayed>, String>,
    },
    /// What a teardown would remove.
    Belongings {
        /// For which confirmation.
        generation: u64,
        /// The names, or why they are not known.
        result: Result<Vec<String>, String>,
    },
}
