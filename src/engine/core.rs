//! What the operations and the watch share: project, clock, history, event
//! channel, last known state, measurements.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::{Notify, broadcast};

use super::action::Action;
use super::event::{Event, StateEvent};
use super::gate::Loading;
use super::journal::Journal;
use super::lock::Holder;
use super::measure::Measurements;
use super::memory::StateMemory;
use super::project::Project;
use super::session::{Assemble, Session, SessionKey};
use crate::clock::SharedClock;
use crate::domain::Target;
use crate::history::{Actor, Entry, History, HistoryError};
use crate::manifest::{Document, Manifest, ManifestError};
use crate::runtime::RuntimeError;

/// Events kept for a slow subscriber. A screen reads 30 times a second and an
/// operation tells some ten events a second, so a subscriber that loses some
/// was stopped for minutes; it then asks for a snapshot.
pub(super) const EVENTS_KEPT: usize = 4096;

/// Shared by everything in the engine.
pub(super) struct Core {
    pub(super) project: Project,
    pub(super) target: Target,
    pub(super) clock: SharedClock,
    pub(super) actor: Actor,
    history: OnceLock<Arc<History>>,
    pub(super) journal: Journal,
    pub(super) measurements: Measurements,
    pub(super) assembly: Arc<dyn Assemble>,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) memory: StateMemory,
    /// Whether the policy engine may still be loading what it was given.
    pub(super) loading: Loading,
    /// Wakes the watch: something changed, look now.
    pub(super) nudge: Notify,
    session: Mutex<Option<(SessionKey, Session)>>,
}

impl Core {
    pub(super) fn new(
        project: Project,
        target: Target,
        clock: SharedClock,
        actor: Actor,
        assembly: Arc<dyn Assemble>,
    ) -> Self {
        Self {
            journal: Journal::of(&project, target),
            measurements: Measurements::in_project(&project),
            target,
            clock,
            actor,
            history: OnceLock::new(),
            assembly,
            events: broadcast::Sender::new(EVENTS_KEPT),
            memory: StateMemory::default(),
            loading: Loading::default(),
            nudge: Notify::new(),
            session: Mutex::new(None),
            project,
        }
    }

    /// Tells everybody who listens; nobody listening is fine.
    pub(super) fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// Tells a new state, if it is new.
    pub(super) fn tell_state(&self, state: StateEvent) {
        if self.memory.remember(&state) {
            self.tell(Event::State(state));
        }
    }

    /// Who holds a lock for an action that begins now.
    pub(super) fn holder(&self, action: &Action) -> Holder {
        Holder {
            pid: std::process::id(),
            actor: self.actor.0.clone(),
            operation: action.name().into(),
            since: self.clock.wall(),
        }
    }

    /// Reads the manifest as it is on disk now.
    pub(super) fn document(&self) -> Result<Document, ManifestError> {
        Document::load(self.project.manifest())
    }

    /// The session for a manifest; made when there is none that fits.
    pub(super) async fn session(&self, manifest: &Manifest) -> Result<Session, RuntimeError> {
        let key = SessionKey::of(manifest, self.target);
        let known = self.session.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((known_key, session)) = known
            && known_key == key
        {
            return Ok(session);
        }
        let session = self.assembly.assemble(manifest, &self.project, self.target).await?;
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some((key, session.clone()));
        Ok(session)
    }

    /// The history, opened when something is to be written: who only looks
    /// needs no right to write.
    fn history(&self) -> Result<Arc<History>, HistoryError> {
        if let Some(history) = self.history.get() {
            return Ok(Arc::clone(history));
        }
        let history = Arc::new(History::open(self.project.root(), self.actor.clone())?);
        Ok(Arc::clone(self.history.get_or_init(|| history)))
    }

    /// Writes a line of the history; on disk when this returns.
    pub(super) async fn record(&self, entry: Entry) -> Result<(), HistoryError> {
        self.record_as(self.actor.clone(), entry).await
    }

    /// Writes a line for what the tool did or saw by itself.
    pub(super) async fn record_own(&self, entry: Entry) -> Result<(), HistoryError> {
        self.record_as(Actor("swiftdeploy".into()), entry).await
    }

    /// The manifest by which the stack was last changed, whatever was edited since.
    pub(super) fn deployed_document(&self) -> Option<Document> {
        let text = self.journal.deployed_manifest()?;
        Document::parse(self.project.manifest(), text).ok()
    }

    /// Why the folder is no project: it holds neither a manifest nor anything
    /// of ours.
    pub(super) fn no_project(&self) -> Option<ManifestError> {
        if self.project.is_begun() {
            return None;
        }
        self.document().err().filter(|error| matches!(error, ManifestError::NotFound { .. }))
    }

    /// A folder that is no project gets no history either.
    async fn record_as(&self, actor: Actor, entry: Entry) -> Result<(), HistoryError> {
        if self.no_project().is_some() {
            return Ok(());
        }
        let history = self.history()?;
        let at = self.clock.wall();
        let written = tokio::task::spawn_blocking(move || history.append_as(&actor, at, entry)).await;
        match written {
            Ok(outcome) => outcome.map(|_seq| ()),
            Err(stopped) => Err(HistoryError::Write {
                path: self.project.root().join("history.jsonl"),
                source: stopped.into(),
            }),
        }
    }
}
