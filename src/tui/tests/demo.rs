//! A made-up engine on the real terminal, to look at the app by eye:
//! `cargo test --lib tui::tests::demo -- --ignored --nocapture`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use super::fixtures::*;
use super::world::World;
use crate::clock::SystemClock;
use crate::domain::{Mode, Slot};
use crate::engine::{
    Action, Connection, Event, GeneratedState, OperationEvent, OperationId, Outcome, Replayed, Sample,
    StateEvent, StepResult,
};
use crate::policy::Decision;
use crate::policy::explain::{Explanation, unexplained};
use crate::runtime::{LogLine, LogRequest};
use crate::tui::backend::{Backend, Header};
use crate::tui::{Options, run};

struct Demo {
    events: broadcast::Sender<Event>,
    cancel: Mutex<CancellationToken>,
}

impl Demo {
    fn tell(&self, event: Event) {
        let _nobody = self.events.send(event);
    }

    async fn operate(&self, action: Action) {
        let id = OperationId(format!("op-{}", action.name()));
        let cancel = CancellationToken::new();
        *self.cancel.lock().unwrap() = cancel.clone();
        self.tell(Event::Operation(OperationEvent::Started { id: id.clone(), action: action.clone() }));
        for (step, name) in
            ["init", "validate", "gate infra", "start app-green", "wait healthy"].iter().enumerate()
        {
            let (id, name) = (id.clone(), (*name).to_owned());
            self.tell(Event::Operation(OperationEvent::StepStarted {
                id: id.clone(),
                step,
                name: name.clone(),
            }));
            tokio::time::sleep(Duration::from_millis(700)).await;
            self.tell(Event::Operation(OperationEvent::StepFinished {
                id,
                step,
                name,
                result: StepResult::Ok,
                elapsed: Duration::from_millis(700),
                detail: String::new(),
            }));
            if cancel.is_cancelled() {
                break;
            }
        }
        let outcome = if cancel.is_cancelled() {
            Outcome::Cancelled { state: "app-blue serves as before".into() }
        } else {
            Outcome::Done { summary: "app-green serves all traffic".into() }
        };
        let elapsed = Duration::from_secs(3);
        self.tell(Event::Operation(OperationEvent::Finished { id, action, outcome, elapsed }));
    }
}

#[async_trait]
impl Backend for Demo {
    fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    fn snapshot(&self) -> Vec<StateEvent> {
        let watch = World::failing_canary().state.watch;
        vec![
            StateEvent::Connection(Connection::Up(engine_info())),
            StateEvent::Manifest(Ok(Box::new(manifest()))),
            StateEvent::Generated(GeneratedState::UpToDate),
            StateEvent::Instances(watch.instances.unwrap_or_default()),
            StateEvent::Live(watch.live),
            StateEvent::Gates(watch.gates),
        ]
    }

    fn running(&self) -> Vec<OperationId> {
        Vec::new()
    }

    async fn dispatch(&self, action: Action) {
        // A teardown panics here, to see that the terminal survives it.
        assert!(!matches!(action, Action::Teardown { .. }), "a panic made on purpose");
        self.operate(action).await;
    }

    fn cancel(&self) {
        self.cancel.lock().unwrap().cancel();
    }

    async fn logs(&self, request: LogRequest) -> Result<mpsc::Receiver<LogLine>, String> {
        let (sender, receiver) = mpsc::channel(16);
        tokio::spawn(async move {
            for number in 0_u64.. {
                let text = format!("\u{1b}[32m{}\u{1b}[0m GET /cart/{number} 200 3 ms", request.service);
                if sender.send(LogLine { is_stderr: number % 7 == 0, text }).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(if number < 100 { 1 } else { 200 })).await;
            }
        });
        Ok(receiver)
    }

    async fn belongings(&self) -> Result<Vec<String>, String> {
        Ok((0..20).map(|number| format!("container shop-{number}")).collect())
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "not a test: a demonstration for a person at a terminal"]
async fn look() {
    let clock = SystemClock::shared();
    let demo = Arc::new(Demo { events: broadcast::channel(256).0, cancel: Mutex::default() });
    let source = Arc::clone(&demo);
    let time = Arc::clone(&clock);
    tokio::spawn(async move {
        for step in 0_u32.. {
            let rate = 40.0 + 30.0 * (f64::from(step) / 5.0).sin();
            let p99 = 250.0 + 200.0 * (f64::from(step) / 9.0).sin();
            source.tell(Event::State(StateEvent::Sample(Box::new(Sample {
                taken_at: time.wall(),
                mode: Mode::Canary,
                readings: vec![
                    reading(Mode::Stable, Slot::Blue, 903, 0, rate, Some(41.0)),
                    reading(Mode::Canary, Slot::Green, 301, u64::from(step % 60), rate / 3.0, Some(p99)),
                ],
                samples_needed: 50,
                window: Duration::from_secs(30),
            }))));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let no_color = std::env::var_os("NO_COLOR").is_some();
    let left = run(demo, clock, Options { no_color, ..Options::default() }).await;
    println!("\r\nleft: {left:?}");
}
