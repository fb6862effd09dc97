//! A state that goes through the moments of a made-up project.

use std::time::Duration;

use chrono::TimeDelta;
use crossterm::event::KeyCode;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::fixtures::*;
use super::verdicts::*;
use crate::clock::SystemClock;
use crate::domain::stack::Role;
use crate::domain::{Mode, Routes, Share, Slot};
use crate::engine::{
    Action, ChaosStatus, Connection, Event, GeneratedState, Live, OperationEvent, OperationId, Outcome,
    Reading, Sample, StateEvent, StepResult,
};
use crate::tui::effect::Effect;
use crate::tui::keymap::Chord;
use crate::tui::message::{Message, TerminalMessage};
use crate::tui::moment::Now;
use crate::tui::state::State;
use crate::tui::theme::ThemeName;
use crate::tui::update::update;
use crate::tui::view;

/// A state and the time that goes by in it.
pub struct World {
    pub state: State,
    pub now: Now,
}

impl World {
    /// Before anything is known.
    pub fn new() -> Self {
        Self::with_theme(ThemeName::Dark)
    }

    pub fn with_theme(theme: ThemeName) -> Self {
        let instant = SystemClock::shared().instant();
        let now = Now { wall: noon().fixed_offset(), instant };
        Self { state: State::new(header(), theme, (120, 36), now), now }
    }

    /// Connected, with a manifest, nothing deployed.
    pub fn connected() -> Self {
        let mut world = Self::new();
        world.watch(StateEvent::Connection(Connection::Up(engine_info())));
        world.watch(StateEvent::Manifest(Ok(Box::new(manifest()))));
        world.watch(StateEvent::Generated(GeneratedState::UpToDate));
        world.watch(StateEvent::Instances(Vec::new()));
        world
    }

    /// Stable serves.
    pub fn stable() -> Self {
        let mut world = Self::connected();
        world.watch(StateEvent::Instances(vec![
            app(Slot::Blue, Mode::Stable, 11_000),
            part("nginx", Role::Proxy, 11_100, 9),
            part("opa", Role::Policy, 11_100, 10),
        ]));
        world.watch(StateEvent::Live(Live {
            slot: Some(Slot::Blue),
            release: Some(release(Mode::Stable)),
            other: None,
            routes: Some(Routes::all_to(Slot::Blue, "g1")),
            drift: None,
        }));
        world.watch(StateEvent::Gates(vec![passing_infra(), not_asked("canary", "promote stable")]));
        for step in 0..40 {
            let rate = 30.0 + f64::from(step % 8);
            let reading = reading(Mode::Stable, Slot::Blue, 1000, 0, rate, Some(42.0));
            world.look(vec![reading]);
        }
        world
    }

    /// A canary gets a quarter of the traffic, fails, and a fault is active.
    pub fn failing_canary() -> Self {
        let mut world = Self::stable();
        let mut declared = manifest();
        declared.services.mode = Mode::Canary;
        declared.canary.steps = vec![25, 100];
        world.watch(StateEvent::Manifest(Ok(Box::new(declared))));
        let mut green = app(Slot::Green, Mode::Canary, 40);
        green.restarts = 2;
        world.watch(StateEvent::Instances(vec![
            app(Slot::Blue, Mode::Stable, 11_000),
            green,
            part("nginx", Role::Proxy, 11_100, 9),
            part("opa", Role::Policy, 11_100, 10),
        ]));
        world.watch(StateEvent::Live(Live {
            slot: Some(Slot::Blue),
            release: Some(release(Mode::Stable)),
            other: Some(release(Mode::Canary)),
            routes: Some(Routes {
                generation: "g2".into(),
                shares: vec![
                    Share { slot: Slot::Blue, percent: 75 },
                    Share { slot: Slot::Green, percent: 25 },
                ],
            }),
            drift: None,
        }));
        for step in 0..24_u32 {
            let errors = u64::from(step.saturating_sub(8)) * 10;
            let p99 = 200.0 + f64::from(step) * 10.0;
            world.look(vec![
                reading(Mode::Stable, Slot::Blue, 903, 0, 114.2, Some(41.0)),
                reading(Mode::Canary, Slot::Green, 301, errors, 38.1, Some(p99)),
            ]);
        }
        world.watch(StateEvent::Gates(vec![passing_infra(), failing_canary_gate()]));
        world.watch(StateEvent::Chaos(Some(ChaosStatus {
            fault: "error".into(),
            detail: "error rate 50 %".into(),
            slot: Slot::Green,
            until: Some(world.now.wall.to_utc() + TimeDelta::seconds(60)),
        })));
        world.pass(Duration::from_secs(18));
        world
    }

    /// Time goes by.
    pub fn pass(&mut self, time: Duration) {
        self.now.instant += time;
        self.now.wall += TimeDelta::from_std(time).unwrap();
        self.tell(Message::Ticked);
    }

    pub fn tell(&mut self, message: Message) -> Vec<Effect> {
        update(&mut self.state, message, self.now)
    }

    pub fn watch(&mut self, event: StateEvent) -> Vec<Effect> {
        self.tell(Message::Engine(Event::State(event)))
    }

    pub fn operation(&mut self, event: OperationEvent) -> Vec<Effect> {
        self.tell(Message::Engine(Event::Operation(event)))
    }

    /// A look at the service, two seconds after the last one.
    fn look(&mut self, readings: Vec<Reading>) {
        let taken_at = self.state.watch.sample.as_ref().map_or_else(
            || noon() - TimeDelta::seconds(600),
            |sample| sample.taken_at + TimeDelta::seconds(2),
        );
        self.watch(StateEvent::Sample(Box::new(Sample {
            taken_at,
            mode: Mode::Stable,
            readings,
            samples_needed: 50,
            window: Duration::from_secs(30),
        })));
    }

    pub fn look_at(&mut self, readings: Vec<Reading>) {
        self.look(readings);
    }

    pub fn begin(&mut self, id: &str, action: Action) {
        self.operation(OperationEvent::Started { id: OperationId(id.into()), action });
    }

    pub fn step(&mut self, id: &str, step: usize, name: &str, detail: &str, millis: u64) {
        self.step_as(id, step, name, detail, millis, StepResult::Ok);
    }

    pub fn step_as(
        &mut self,
        id: &str,
        step: usize,
        name: &str,
        detail: &str,
        millis: u64,
        result: StepResult,
    ) {
        let id = OperationId(id.into());
        self.operation(OperationEvent::StepStarted { id: id.clone(), step, name: name.into() });
        let elapsed = Duration::from_millis(millis);
        self.pass(elapsed);
        self.operation(OperationEvent::StepFinished {
            id,
            step,
            name: name.into(),
            result,
            elapsed,
            detail: detail.into(),
        });
    }

    pub fn finish(&mut self, id: &str, action: Action, outcome: Outcome, millis: u64) -> Vec<Effect> {
        let elapsed = Duration::from_millis(millis);
        self.operation(OperationEvent::Finished { id: OperationId(id.into()), action, outcome, elapsed })
    }

    /// A deploy that waits for health.
    pub fn deploy_running(&mut self) {
        let id = OperationId("op-1".into());
        self.begin("op-1", Action::Deploy);
        self.step("op-1", 0, "init", "4 files as they should be", 12);
        self.step("op-1", 1, "validate", "5 of 5 checks pass", 420);
        self.step("op-1", 2, "gate infra", "PASS", 1);
        self.step("op-1", 3, "start app-blue", "swift-deploy-1-node:latest", 1240);
        self.operation(OperationEvent::StepStarted { id: id.clone(), step: 4, name: "wait healthy".into() });
        self.pass(Duration::from_millis(3300));
        self.operation(OperationEvent::StepProgress {
            id,
            step: 4,
            detail: "3 of 60 s".into(),
            fraction: Some(0.05),
        });
    }

    pub fn key(&mut self, code: KeyCode) -> Vec<Effect> {
        self.tell(Message::Terminal(TerminalMessage::Key(Chord { code, ctrl: false })))
    }

    pub fn ctrl(&mut self, c: char) -> Vec<Effect> {
        self.tell(Message::Terminal(TerminalMessage::Key(Chord { code: KeyCode::Char(c), ctrl: true })))
    }

    /// Types characters; returns the effects of the last one.
    pub fn keys(&mut self, typed: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for c in typed.chars() {
            effects = self.key(KeyCode::Char(c));
        }
        effects
    }

    /// Draws, and tells the state what was measured, as the loop does.
    pub fn draw(&mut self, width: u16, height: u16) -> TestBackend {
        self.tell(Message::Terminal(TerminalMessage::Resized { width, height }));
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let mut measured = view::Measured::default();
        terminal.draw(|frame| measured = view::draw(&self.state, frame)).unwrap();
        self.tell(Message::Terminal(TerminalMessage::Drawn(measured)));
        terminal.backend().clone()
    }

    /// What is on the screen, as one text.
    pub fn text(&mut self, width: u16, height: u16) -> String {
        self.draw(width, height).to_string()
    }
}
