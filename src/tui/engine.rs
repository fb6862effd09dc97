//! The engine as the app's backend.

use async_trait::async_trait;
use tokio::sync::{broadcast, mpsc};

use super::backend::{Backend, Header};
use crate::engine::{Action, Engine, Event, OperationId, Replayed, StateEvent};
use crate::policy::Decision;
use crate::policy::explain::Explanation;
use crate::runtime::{LogLine, LogRequest};

#[async_trait]
impl Backend for Engine {
    fn subscribe(&self) -> broadcast::Receiver<Event> {
        Self::subscribe(self)
    }

    fn snapshot(&self) -> Vec<StateEvent> {
        Self::snapshot(self)
    }

    fn running(&self) -> Vec<OperationId> {
        Self::running(self)
    }

    async fn dispatch(&self, action: Action) {
        Self::dispatch(self, action);
    }

    fn cancel(&self) {
        Self::cancel(self);
    }

    async fn logs(&self, request: LogRequest) -> Result<mpsc::Receiver<LogLine>, String> {
        Self::logs(self, request).await
    }

    async fn belongings(&self) -> Result<Vec<String>, String> {
        Self::belongings(self).await
    }

    async fn explain(&self, decision: Decision) -> Explanation {
        Self::explain(self, decision).await
    }

    async fn replay(&self) -> Result<Replayed, String> {
        Self::replay(self).await
    }

    fn header(&self) -> Header {
        let project = self.project();
        let name = self.document().map_or_else(
            |_| project.root().file_name().unwrap_or_default().to_string_lossy().into_owned(),
            |document| document.manifest().project.clone(),
        );
        Header {
            project: name,
            target: self.target(),
            manifest: project.manifest().to_owned(),
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }
}
