//! The loop with a made-up terminal and engine.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyModifiers};
use futures_util::{Stream, StreamExt};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use tokio::sync::{broadcast, mpsc, watch};

use super::fixtures::{engine_info, header, noon};
use crate::clock::SystemClock;
use crate::domain::Target;
use crate::engine::{Action, Connection, Event, OperationEvent, OperationId, Outcome, Replayed, StateEvent};
use crate::policy::Decision;
use crate::policy::explain::{Explanation, unexplained};
use crate::runtime::{LogLine, LogRequest};
use crate::tui::backend::{Backend, Header};
use crate::tui::farewell::Farewell;
use crate::tui::guard::TuiError;
use crate::tui::moment::Now;
use crate::tui::run::{Screen, Session};
use crate::tui::signals::Told;
use crate::tui::state::State;
use crate::tui::theme::ThemeName;
use crate::tui::view::{self, Measured};

/// An engine that does what the test says and remembers what it was asked.
struct Fake {
    events: broadcast::Sender<Event>,
    asked: Mutex<Vec<String>>,
    shown: watch::Receiver<String>,
    shown_at_subscribe: Mutex<String>,
}

impl Fake {
    fn note(&self, what: impl Into<String>) {
        self.asked.lock().unwrap().push(what.into());
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Backend for Fake {
    fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.shown_at_subscribe.lock().unwrap().clone_from(&self.shown.borrow());
        self.events.subscribe()
    }

    fn snapshot(&self) -> Vec<StateEvent> {
        self.note("snapshot");
        vec![StateEvent::Connection(Connection::Up(engine_info()))]
    }

    fn running(&self) -> Vec<OperationId> {
        Vec::new()
    }

    async fn dispatch(&self, action: Action) {
        self.note(format!("dispatch {}", action.name()));
    }

    fn cancel(&self) {
        self.note("cancel");
    }

    async fn logs(&self, _request: LogRequest) -> Result<mpsc::Receiver<LogLine>, String> {
        Err("no logs here".into())
    }

    async fn belongings(&self) -> Result<Vec<String>, String> {
        Ok(vec!["container shop-nginx".into()])
    }

    async fn explain(&self, decision: Decision) -> Explanation {
        unexplained(&decision)
    }

    async fn replay(&self) -> Result<Replayed, String> {
        Err("no history here".into())
    }

    fn header(&self) -> Header {
        header()
    }
}

/// A screen whose last frame can be awaited.
struct Paper {
    terminal: Terminal<TestBackend>,
    shown: watch::Sender<String>,
}

impl Screen for Paper {
    fn draw(&mut self, state: &State) -> Result<Measured, TuiError> {
        let mut measured = Measured::default();
        self.terminal.draw(|frame| measured = view::draw(state, frame)).unwrap();
        self.shown.send_replace(self.terminal.backend().to_string());
        Ok(measured)
    }

    fn clear(&mut self) -> Result<(), TuiError> {
        Ok(())
    }

    fn suspend(&mut self) -> Result<(), TuiError> {
        Ok(())
    }

    fn resume(&mut self) -> Result<(), TuiError> {
        Ok(())
    }
}

/// The app, running, with the ends that the test holds.
struct Rig {
    fake: Arc<Fake>,
    keys: mpsc::Sender<TerminalEvent>,
    told: mpsc::Sender<Told>,
    shown: watch::Receiver<String>,
    app: tokio::task::JoinHandle<Result<State, TuiError>>,
}

fn stream<T>(receiver: mpsc::Receiver<T>) -> impl Stream<Item = T> + Unpin {
    Box::pin(futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|item| (item, receiver))
    }))
}

impl Rig {
    fn start(events_kept: usize) -> Self {
        let (shown_sender, shown) = watch::channel(String::new());
        let (keys, key_receiver) = mpsc::channel(16);
        let (told, told_receiver) = mpsc::channel(1);
        let fake = Arc::new(Fake {
            events: broadcast::channel(events_kept).0,
            asked: Mutex::default(),
            shown: shown.clone(),
            shown_at_subscribe: Mutex::default(),
        });
        let clock = SystemClock::shared();
        let now = Now { wall: noon().fixed_offset(), instant: clock.instant() };
        let session = Session {
            state: State::new(header(), ThemeName::Dark, (80, 24), now),
            screen: Paper { terminal: Terminal::new(TestBackend::new(80, 24)).unwrap(), shown: shown_sender },
            backend: Arc::clone(&fake) as Arc<dyn Backend>,
            clock,
        };
        let input = stream(key_receiver).map(io::Result::Ok);
        let app = tokio::spawn(session.run(input, stream(told_receiver)));
        Self { fake, keys, told, shown, app }
    }

    async fn key(&self, code: KeyCode) {
        self.keys.send(TerminalEvent::Key(KeyEvent::new(code, KeyModifiers::NONE))).await.unwrap();
    }

    async fn sees(&mut self, wanted: &str) {
        let seen = self.shown.wait_for(|shown| shown.contains(wanted));
        let found = tokio::time::timeout(Duration::from_secs(10), seen).await.is_ok_and(|seen| seen.is_ok());
        assert!(found, "no {wanted:?} in\n{}", *self.shown.borrow());
    }

    async fn ended(self) -> State {
        tokio::time::timeout(Duration::from_secs(10), self.app).await.unwrap().unwrap().unwrap()
    }
}

#[tokio::test]
async fn the_first_frame_waits_for_nothing() {
    let mut rig = Rig::start(16);
    rig.sees("docker 28.2 ●").await;
    let before = rig.fake.shown_at_subscribe.lock().unwrap().clone();
    assert!(before.contains("connecting"), "{before}");
}

#[tokio::test]
async fn a_key_becomes_an_action_and_its_events_come_on_screen() {
    let mut rig = Rig::start(16);
    rig.sees("docker 28.2").await;
    rig.key(KeyCode::Char('v')).await;
    let id = OperationId("op-1".into());
    let started = OperationEvent::Started { id: id.clone(), action: Action::Validate };
    rig.fake.events.send(Event::Operation(started)).unwrap();
    rig.sees("validate  ⠋ running").await;
    rig.fake
        .events
        .send(Event::Operation(OperationEvent::Finished {
            id,
            action: Action::Validate,
            outcome: Outcome::Done { summary: "all five checks pass".into() },
            elapsed: Duration::from_millis(12),
        }))
        .unwrap();
    rig.sees("all five checks pass").await;
    rig.key(KeyCode::Char('q')).await;
    let fake = Arc::clone(&rig.fake);
    let state = rig.ended().await;
    assert_eq!(fake.asked(), ["snapshot", "dispatch validate"]);
    assert_eq!(Farewell::of(&state, None).still_running, None);
}

#[tokio::test]
async fn a_reader_that_lagged_takes_a_fresh_snapshot() {
    let mut rig = Rig::start(2);
    rig.sees("docker 28.2").await;
    for number in 0..40 {
        let reason = format!("try {number}");
        let down = Connection::Down { reason, retry_in: Duration::from_secs(3) };
        rig.fake.events.send(Event::State(StateEvent::Connection(down))).unwrap();
    }
    rig.sees("events were missed").await;
    rig.sees("try 39").await;
    assert_eq!(rig.fake.asked().iter().filter(|asked| *asked == "snapshot").count(), 2);
}

#[tokio::test]
async fn answers_to_effects_come_on_screen() {
    let mut rig = Rig::start(16);
    rig.sees("docker 28.2").await;
    rig.key(KeyCode::Char('t')).await;
    rig.sees("container shop-nginx").await;
}

#[tokio::test]
async fn a_signal_ends_the_app() {
    let mut rig = Rig::start(16);
    rig.sees("docker 28.2").await;
    rig.told.send(Told::End).await.unwrap();
    rig.ended().await;
}

#[tokio::test]
async fn a_terminal_that_is_gone_ends_the_app() {
    let Rig { keys, app, told: _told, .. } = Rig::start(16);
    drop(keys);
    tokio::time::timeout(Duration::from_secs(10), app).await.unwrap().unwrap().unwrap();
}

#[test]
fn leaving_a_running_stack_says_how_to_end_it() {
    let mut world = super::world::World::stable();
    let said = |world: &super::world::World| {
        Farewell::of(&world.state, Some(Path::new("/srv/shop"))).still_running.unwrap()
    };
    assert_eq!(
        said(&world),
        "shop keeps running on docker at http://localhost:8080; end it with: swiftdeploy teardown"
    );
    world.state.header.manifest = "/srv/shop/manifest.yaml".into();
    assert!(said(&world).ends_with("swiftdeploy teardown"));
    world.state.header.manifest = "/srv/other/manifest.yaml".into();
    assert!(said(&world).ends_with("swiftdeploy teardown --manifest /srv/other/manifest.yaml"));
    // Docker is found by itself; the local target has to be named somewhere.
    world.state.header.target = Target::Local;
    assert!(said(&world).ends_with("manifest.yaml"));
    if let Some(Ok(manifest)) = &mut world.state.watch.manifest {
        manifest.target = None;
    }
    assert!(said(&world).ends_with("manifest.yaml --target local"));
}
