//! What the terminal app needs from the engine, and nothing more. The app
//! never sees a runtime, a policy engine or a file.

use std::path::PathBuf;

use async_trait::async_trait;
use tokio::sync::{broadcast, mpsc};

use crate::domain::Target;
use crate::engine::{Action, Event, OperationId, Replayed, StateEvent};
use crate::policy::Decision;
use crate::policy::explain::Explanation;
use crate::runtime::{LogLine, LogRequest};

/// The engine as the terminal app sees it.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Everything that happens from now on. A slow reader lags and is told so;
    /// the app then takes a [`Backend::snapshot`].
    fn subscribe(&self) -> broadcast::Receiver<Event>;

    /// The whole watched state now: to start with and after a lag. Returns at
    /// once, with what is known.
    fn snapshot(&self) -> Vec<StateEvent>;

    /// The operations that are running now, so that one whose end was missed
    /// by a lag is not shown as running for ever.
    fn running(&self) -> Vec<OperationId>;

    /// Asks for an action. The answer comes as events.
    async fn dispatch(&self, action: Action);

    /// Cancels the running operation at its next safe point.
    fn cancel(&self);

    /// Lines of a service's log; with `follow` until the receiver is dropped.
    async fn logs(&self, request: LogRequest) -> Result<mpsc::Receiver<LogLine>, String>;

    /// What a teardown would remove, by name.
    async fn belongings(&self) -> Result<Vec<String>, String>;

    /// Where a decision comes from.
    async fn explain(&self, decision: Decision) -> Explanation;

    /// Which recorded decisions would be answered otherwise now.
    async fn replay(&self) -> Result<Replayed, String>;

    /// What does not change while the app runs.
    fn header(&self) -> Header;
}

/// What does not change while the app runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The project's name.
    pub project: String,
    /// Where the stack runs.
    pub target: Target,
    /// The manifest that is being worked on.
    pub manifest: PathBuf,
    /// The version of swiftdeploy.
    pub version: String,
}
