//! The bus: takes actions, runs at most one mutating operation at a time
//! (across processes too), tells what happens, records intent and outcome.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::action::Action;
use super::core::Core;
use super::event::{Event, OperationEvent, OperationId, Outcome, StateEvent};
use super::metrics::{self, GroupMetrics};
use super::obstacle::Obstacle;
use super::operation::standing;
use super::owner::{self, Stranger};
use super::project::Project;
use super::session::Assemble;
use super::watch;
use super::watch::Looker;
use super::way;
use crate::clock::SharedClock;
use crate::domain::Target;
use crate::history::Actor;
use crate::manifest::Document;
use crate::policy::Decision;
use crate::runtime::{LogLine, LogRequest};

/// What an engine needs to know.
pub struct Options<'a> {
    /// The manifest; need not exist yet, its folder must.
    pub manifest: &'a Path,
    /// Where to run.
    pub target: Target,
    /// The clock.
    pub clock: SharedClock,
    /// Who acts, `user@host`.
    pub actor: Actor,
    /// Makes sessions.
    pub assembly: Arc<dyn Assemble>,
}

/// The engine could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The manifest's folder.
    #[error("the folder of {manifest} cannot be used: {source}")]
    Folder {
        /// The manifest.
        manifest: String,
        /// The cause.
        source: std::io::Error,
    },
}

/// How long the engine waits for its operations and its watch when it closes.
const CLOSING: Duration = Duration::from_secs(15);

/// An operation under way.
struct Running {
    id: OperationId,
    action: Action,
    cancel: CancellationToken,
}

/// The engine of one project on one target. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(super) core: Arc<Core>,
    running: Arc<Mutex<Vec<Running>>>,
    tasks: TaskTracker,
    closing: CancellationToken,
    counter: Arc<AtomicU32>,
}

impl Engine {
    /// Opens the project of a manifest. Nothing is reached or written yet.
    pub fn open(options: Options<'_>) -> Result<Self, OpenError> {
        let project = Project::of(options.manifest).map_err(|source| OpenError::Folder {
            manifest: options.manifest.display().to_string(),
            source,
        })?;
        let core = Core::new(project, options.target, options.clock, options.actor, options.assembly);
        Ok(Self {
            core: Arc::new(core),
            running: Arc::default(),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            counter: Arc::default(),
        })
    }

    /// Where the project is.
    #[must_use]
    pub fn project(&self) -> &Project {
        &self.core.project
    }

    /// Where it runs.
    #[must_use]
    pub fn target(&self) -> Target {
        self.core.target
    }

    /// The manifest as it is on disk now.
    pub fn document(&self) -> Result<Document, crate::manifest::ManifestError> {
        self.core.document()
    }

    /// Everything told from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.core.events.subscribe()
    }

    /// The last value of everything watched.
    #[must_use]
    pub fn snapshot(&self) -> Vec<StateEvent> {
        self.core.memory.snapshot()
    }

    /// Starts the watch: looks at the stack every `interval` (default: the
    /// manifest's `status.interval`) and whenever something changes.
    pub fn watch(&self, interval: Option<Duration>) {
        self.tasks.spawn(watch::run(Arc::clone(&self.core), interval, self.closing.child_token()));
    }

    /// Looks at the stack once and tells what it sees.
    pub async fn look_once(&self) {
        self.looker(None).look().await;
    }

    /// Looks at the stack whenever the caller wants.
    #[must_use]
    pub fn looker(&self, interval: Option<Duration>) -> Looker {
        Looker::new(Arc::clone(&self.core), interval)
    }

    /// The operations that run now in this process.
    #[must_use]
    pub fn running(&self) -> Vec<OperationId> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.iter().map(|one| one.id.clone()).collect()
    }

    /// Says something to whoever follows the events; no operation.
    pub fn announce(&self, text: impl Into<String>) {
        self.core.tell(Event::Operation(OperationEvent::Notice {
            id: OperationId("demo".into()),
            text: text.into(),
        }));
    }

    /// Begins an operation, or refuses it; both are told as events. Returns
    /// at once.
    pub fn dispatch(&self, action: Action) {
        let engine = self.clone();
        self.tasks.spawn(async move { engine.run(action).await });
    }

    /// Runs an operation to its end. `None` when it was refused because
    /// another one holds the lock.
    pub async fn run(&self, action: Action) -> Option<Outcome> {
        if action == Action::Rollback && owner::refusal(&self.core, Some(&action)).is_none() {
            self.end_for(&action).await;
        }
        let (id, cancel) = self.admit(&action)?;
        let outcome = self.run_admitted(&id, &action, cancel).await;
        self.running.lock().unwrap_or_else(PoisonError::into_inner).retain(|running| running.id != id);
        self.core.nudge.notify_one();
        outcome
    }

    /// Cancels the mutating operation, or where none runs every other one.
    pub fn cancel(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // The newest, where chaos runs beside a promotion.
        let mutating = running.iter().rev().find(|running| running.action.is_mutating());
        match mutating {
            Some(one) => one.cancel.cancel(),
            None => running.iter().for_each(|one| one.cancel.cancel()),
        }
    }

    /// Asks one gate now, as the watch does, and records nothing.
    pub async fn ask_gate(&self, gate: &str) -> Result<Decision, Obstacle> {
        self.not_a_stranger()?;
        watch::ask_gate(&self.core, gate).await
    }

    /// Measures every slot now, as the gates do, down to the single series. The
    /// scrapes are kept for the next look; nothing is recorded.
    pub async fn metrics(&self) -> Result<Vec<GroupMetrics>, Obstacle> {
        self.not_a_stranger()?;
        metrics::look(&self.core).await
    }

    /// What `teardown` would remove.
    pub async fn belongings(&self) -> Result<Vec<String>, String> {
        if let Some(stranger) = owner::refusal(&self.core, Some(&Action::Teardown { clean: false })) {
            return Err(stranger.told());
        }
        let stands = standing(&self.core).map_err(|error| error.to_string())?;
        let session = self.core.session(&stands.manifest).await.map_err(|error| error.to_string())?;
        session.runtime.belongings().await.map_err(|error| error.to_string())
    }

    /// Lines of a service's log.
    pub async fn logs(&self, request: LogRequest) -> Result<mpsc::Receiver<LogLine>, String> {
        self.not_a_stranger().map_err(|stranger| stranger.told())?;
        let told = |error: &crate::runtime::RuntimeError| format!("{error}; {}", error.next_step());
        // Logs are read in the middle of an edit too.
        let document = self.core.document().or_else(|error| self.core.deployed_document().ok_or(error));
        let document = document.map_err(|error| error.to_string())?;
        let session = self.core.session(document.manifest()).await.map_err(|error| told(&error))?;
        session.runtime.logs(request).await.map_err(|error| told(&error))
    }

    /// Cancels what runs, stops the watch and waits for both.
    pub async fn close(&self) {
        for running in self.running.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            running.cancel.cancel();
        }
        self.closing.cancel();
        self.tasks.close();
        // What does not end in time is left to the operating system; its
        // intent is in the journal.
        let _ = tokio::time::timeout(CLOSING, self.tasks.wait()).await;
    }

    /// Whether this manifest may look at what its folder holds.
    fn not_a_stranger(&self) -> Result<(), Stranger> {
        owner::refusal(&self.core, None).map_or(Ok(()), Err)
    }

    /// Ends what an action ends to begin.
    async fn end_for(&self, action: &Action) {
        let is_running = || {
            let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            let other = running.iter().find(|one| action.ends(&one.action));
            // It is to see for whom it makes way, as where another process asks.
            other
                .map(|one| {
                    if !one.cancel.is_cancelled() {
                        way::ask(&self.core.project);
                    }
                    one.cancel.cancel();
                })
                .is_some()
        };
        while is_running() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Gives an operation its id, unless this process runs one that excludes
    /// it.
    fn admit(&self, action: &Action) -> Option<(OperationId, CancellationToken)> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let other = running
            .iter()
            .find(|one| one.action == *action || !action.may_begin_beside(&one.action))
            .map(|one| one.action.name());
        if let Some(other) = other {
            drop(running);
            self.refuse(action, format!("busy: {other} is running; cancel it or wait for its end"), true);
            return None;
        }
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        let id = OperationId(format!(
            "op-{}-{}-{count}",
            self.core.clock.wall().timestamp_millis(),
            std::process::id()
        ));
        let cancel = self.closing.child_token();
        running.push(Running { id: id.clone(), action: action.clone(), cancel: cancel.clone() });
        Some((id, cancel))
    }

    pub(super) fn refuse(&self, action: &Action, reason: String, is_busy: bool) {
        self.core.tell(Event::Operation(OperationEvent::Refused { action: action.clone(), reason, is_busy }));
    }
}
