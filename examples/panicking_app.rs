//! The terminal app over a backend that panics: what the tests of the
//! terminal's restoration run. `panicking_app snapshot` panics in the app's
//! own task before anything is known, `panicking_app dispatch` in a background
//! task on the first action.
#![expect(clippy::panic, reason = "that is what it is for")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use swiftdeploy::clock::SystemClock;
use swiftdeploy::domain::Target;
use swiftdeploy::engine::{Action, Event, OperationId, Replayed, StateEvent};
use swiftdeploy::policy::Decision;
use swiftdeploy::policy::explain::{Explanation, unexplained};
use swiftdeploy::runtime::{LogLine, LogRequest};
use swiftdeploy::tui::{self, Backend, Header, Options};
use tokio::sync::{broadcast, mpsc};

struct Panicking {
    events: broadcast::Sender<Event>,
    is_early: bool,
}

#[async_trait]
impl Backend for Panicking {
    fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    fn snapshot(&self) -> Vec<StateEvent> {
        assert!(!self.is_early, "a panic while asked for the snapshot");
        Vec::new()
    }

    fn running(&self) -> Vec<OperationId> {
        Vec::new()
    }

    async fn dispatch(&self, action: Action) {
        panic!("a panic while asked to {}", action.name());
    }

    fn cancel(&self) {}

    async fn logs(&self, _request: LogRequest) -> Result<mpsc::Receiver<LogLine>, String> {
        Err("there are no logs here".into())
    }

    async fn belongings(&self) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    async fn explain(&self, decision: Decision) -> Explanation {
        unexplained(&decision)
    }

    async fn replay(&self) -> Result<Replayed, String> {
        Err("there is no history here".into())
    }

    fn header(&self) -> Header {
        Header {
            project: "panicking".into(),
            target: Target::Local,
            manifest: PathBuf::from("manifest.yaml"),
            version: "0".into(),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let is_early = std::env::args().nth(1).as_deref() == Some("snapshot");
    let backend = Arc::new(Panicking { events: broadcast::channel(16).0, is_early });
    match tui::run(backend, SystemClock::shared(), Options::default()).await {
        Ok(_) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
