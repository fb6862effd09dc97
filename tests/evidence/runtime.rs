//! A target that only tells what a test says.
#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy knows only test functions as tests")]

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use swiftdeploy::domain::stack::{ContainerSpec, Stack};
use swiftdeploy::domain::{Routes, Slot, Target};
use swiftdeploy::runtime::{
    Check, EngineInfo, Given, HostFacts, ImagePresence, Instance, LogLine, LogRequest, Observed, PortOwner,
    PullProgress, Runtime, RuntimeError, RuntimeEvent, StackFiles, Unanswered,
};
use tokio::sync::mpsc;

/// What it tells.
#[derive(Default)]
pub struct Told {
    pub instances: Vec<Instance>,
    /// What the proxy saw; `None` when it does not tell.
    pub unanswered: Option<Unanswered>,
    /// Since when they were asked for.
    pub asked_since: Option<DateTime<Utc>>,
}

#[derive(Default)]
pub struct FakeRuntime(pub Mutex<Told>);

impl FakeRuntime {
    pub fn tell<T>(&self, change: impl FnOnce(&mut Told) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn not_here<T>() -> Result<T, RuntimeError> {
    Err(RuntimeError::Engine { doing: "changing something".into(), reason: "this target only tells".into() })
}

#[async_trait]
impl Runtime for FakeRuntime {
    fn target(&self) -> Target {
        Target::Local
    }

    async fn info(&self) -> Result<EngineInfo, RuntimeError> {
        Ok(EngineInfo {
            name: "local".into(),
            version: "1".into(),
            host: "here".into(),
            is_local: true,
            shows_client_addresses: true,
        })
    }

    async fn observe(&self) -> Result<Observed, RuntimeError> {
        let instances = self.tell(|told| told.instances.clone());
        Ok(Observed { instances, routes: Some(Routes::all_to(Slot::Green, "g1")), last_routes: None })
    }

    async fn unanswered(&self, slot: Slot, since: DateTime<Utc>) -> Result<Unanswered, RuntimeError> {
        assert_eq!(slot, Slot::Green);
        self.tell(|told| {
            told.asked_since = Some(since);
            told.unanswered.clone().ok_or_else(|| RuntimeError::Engine {
                doing: "counting the requests that got no answer".into(),
                reason: "the log cannot be read".into(),
            })
        })
    }

    async fn host_facts(&self) -> Result<HostFacts, RuntimeError> {
        Ok(HostFacts { disk_free_bytes: 1 << 40, data_root: PathBuf::from("/"), load1: 0.1, cpus: 2 })
    }

    async fn image(&self, _: &str) -> Result<ImagePresence, RuntimeError> {
        not_here()
    }

    async fn pull(&self, _: &str, _: mpsc::Sender<PullProgress>) -> Result<(), RuntimeError> {
        not_here()
    }

    async fn port_owner(&self, _: &Stack) -> Result<PortOwner, RuntimeError> {
        not_here()
    }

    async fn check_proxy(&self, _: &Stack, _: &StackFiles, _: &Routes) -> Result<Check, RuntimeError> {
        not_here()
    }

    async fn ensure_ground(&self, _: &Stack) -> Result<(), RuntimeError> {
        not_here()
    }

    async fn ensure_policy(&self, _: &Stack, _: &StackFiles) -> Result<Given, RuntimeError> {
        not_here()
    }

    async fn ensure_proxy(&self, _: &Stack, _: &StackFiles, _: &Routes) -> Result<(), RuntimeError> {
        not_here()
    }

    async fn sync_policies(&self, _: &Stack, _: &StackFiles) -> Result<Given, RuntimeError> {
        Ok(Given::Nothing)
    }

    async fn start(&self, _: &ContainerSpec, _: Option<&str>) -> Result<Instance, RuntimeError> {
        not_here()
    }

    async fn route(&self, _: &Stack, _: &StackFiles, _: &Routes) -> Result<(), RuntimeError> {
        not_here()
    }

    async fn generation(&self, _: &Stack) -> Result<Option<String>, RuntimeError> {
        not_here()
    }

    async fn stop(&self, _: Slot, _: Duration) -> Result<(), RuntimeError> {
        not_here()
    }

    async fn kill(&self, _: Slot) -> Result<(), RuntimeError> {
        not_here()
    }

    async fn logs(&self, _: LogRequest) -> Result<mpsc::Receiver<LogLine>, RuntimeError> {
        not_here()
    }

    async fn events(&self) -> Result<mpsc::Receiver<RuntimeEvent>, RuntimeError> {
        not_here()
    }

    async fn belongings(&self) -> Result<Vec<String>, RuntimeError> {
        not_here()
    }

    async fn teardown(&self) -> Result<Vec<String>, RuntimeError> {
        not_here()
    }
}
