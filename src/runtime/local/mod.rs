//! The `local` target: releases are child processes on this machine behind
//! the built-in proxy; nothing needs to be installed.
//!
//! The processes outlive the app. What is true is read from records in the
//! state directory, each checked against the process it names; a signal never
//! goes to a process whose start time was not checked. Differences from the
//! Docker target: nothing restarts a release that ended, resource limits are
//! not enforced, and there is no policy engine to run.

mod been_healthy;
mod ending;
mod events;
mod failures;
mod host;
mod insist;
mod layout;
mod logs;
mod observe;
mod os;
mod platform;
mod port;
mod probe;
mod program;
mod proxy;
mod record;
mod release;
mod serving;
mod spawn;
mod teardown;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

pub use self::program::{PROXY_ARGS, SERVICE_ARGS};
pub use self::proxy::{ProxyError, run_proxy};

use self::been_healthy::BeenHealthy;
use self::host::Meter;
use self::layout::Layout;
use self::port::Port;
use self::probe::Probe;
use self::record::Records;
use self::serving::SILENCE;
use self::spawn::Children;
use crate::clock::SharedClock;
use crate::domain::stack::{ContainerSpec, Role, Stack};
use crate::domain::{Routes, Slot, Target};
use crate::runtime::model::moved;
use crate::runtime::{
    Check, EngineInfo, Given, HostFacts, ImagePresence, Instance, LogLine, LogRequest, Observed, PortOwner,
    PullProgress, Replacement, Runtime, RuntimeError, RuntimeEvent, StackFiles, Unanswered, Waits,
};

/// The proxy's service name on this target.
pub const PROXY: &str = "proxy";

/// The name under which the proxy's access log is read.
pub const ACCESS_LOG: &str = "proxy-access";

/// The name of the proxy's log of requests that a slot did not answer.
const FAILURES_LOG: &str = "proxy-failures";

/// What the target needs to know.
#[derive(Clone)]
pub struct LocalOptions {
    /// The project's name.
    pub project: String,
    /// The manifest's folder: the user's program runs in it.
    pub folder: PathBuf,
    /// Where records, logs and the proxy's configuration lie:
    /// `<manifest folder>/.swiftdeploy/local`.
    pub state_dir: PathBuf,
    /// The `swiftdeploy` executable, which is run again as proxy and as the
    /// sample service.
    pub program: PathBuf,
    /// `services.command` of today's manifest: the user's own program instead
    /// of the sample service. Only tells whether it is there; what a release
    /// is made of stands in its spec, so that an older one starts as it was.
    pub command: Option<Vec<String>>,
    /// `services.health.path`.
    pub health_path: String,
    /// `services.health.timeout`: longest wait for one answer.
    pub health_timeout: Duration,
    /// `services.health.retries`: failures in a row that make a release
    /// unhealthy.
    pub health_retries: u32,
    /// `services.health.wait`: how long a release that has not been healthy yet
    /// counts as starting.
    pub health_wait: Duration,
    /// Where time comes from.
    pub clock: SharedClock,
}

/// Releases as child processes of this machine.
#[derive(Clone)]
pub struct LocalRuntime {
    shared: Arc<Shared>,
}

struct Shared {
    options: LocalOptions,
    layout: Layout,
    records: Records,
    been_healthy: BeenHealthy,
    children: Children,
    probe: Probe,
    meter: Mutex<Meter>,
}

impl LocalRuntime {
    /// Makes the target ready; nothing is written or started yet.
    pub fn new(options: LocalOptions) -> Result<Self, RuntimeError> {
        let layout = Layout::new(&options.state_dir);
        let shared = Shared {
            records: Records::new(layout.clone()),
            been_healthy: BeenHealthy::new(layout.clone()),
            layout,
            children: Children::default(),
            probe: Probe::new()?,
            meter: Mutex::new(Meter::new()),
            options,
        };
        Ok(Self { shared: Arc::new(shared) })
    }
}

#[async_trait]
impl Runtime for LocalRuntime {
    fn target(&self) -> Target {
        Target::Local
    }

    async fn info(&self) -> Result<EngineInfo, RuntimeError> {
        Ok(EngineInfo {
            name: Target::Local.as_str().into(),
            version: env!("CARGO_PKG_VERSION").into(),
            host: host::name(),
            is_local: true,
            shows_client_addresses: true,
        })
    }

    async fn observe(&self) -> Result<Observed, RuntimeError> {
        self.shared.observe().await
    }

    async fn image(&self, _image: &str) -> Result<ImagePresence, RuntimeError> {
        Ok(self.shared.program_presence())
    }

    async fn pull(&self, image: &str, _progress: mpsc::Sender<PullProgress>) -> Result<(), RuntimeError> {
        Err(RuntimeError::PullFailed {
            image: image.into(),
            reason: "the local target runs programs of this machine, there is nothing to pull".into(),
        })
    }

    async fn port_owner(&self, stack: &Stack) -> Result<PortOwner, RuntimeError> {
        let (bind, port) = public_address(stack)?;
        Ok(match port::look(bind, port) {
            Port::Free => PortOwner::Free,
            Port::Taken(_) if self.shared.proxy_listens_on(bind, port)? => PortOwner::OurProxy,
            Port::Taken(by) => PortOwner::Other(port::describe(&by)),
            Port::Forbidden { reason, next } => PortOwner::Unusable { reason, next },
        })
    }

    async fn check_proxy(
        &self,
        _stack: &Stack,
        files: &StackFiles,
        routes: &Routes,
    ) -> Result<Check, RuntimeError> {
        self.shared.check_proxy(&files.proxy.rules, routes)
    }

    /// A folder for records and logs; processes need no networks.
    async fn ensure_ground(&self, _stack: &Stack) -> Result<(), RuntimeError> {
        self.shared.prepare()
    }

    /// The embedded engine is in the app's own process and a real OPA by
    /// address is its owner's: nothing is started here.
    async fn ensure_policy(&self, _stack: &Stack, _files: &StackFiles) -> Result<Given, RuntimeError> {
        Ok(Given::Nothing)
    }

    async fn ensure_proxy(
        &self,
        _stack: &Stack,
        files: &StackFiles,
        routes: &Routes,
    ) -> Result<(), RuntimeError> {
        self.shared.ensure_proxy(&files.proxy.rules, routes).await
    }

    /// A proxy that listens elsewhere than the stack says cannot move.
    async fn replacements(&self, stack: &Stack) -> Result<Vec<Replacement>, RuntimeError> {
        let wanted = public_address(stack)?;
        let Some(proxy) = self.shared.living_proxy()? else { return Ok(Vec::new()) };
        let Some(status) = self.shared.proxy_status(proxy)? else { return Ok(Vec::new()) };
        let rules = &status.serving.rules;
        let why = moved((rules.bind, rules.port).into(), wanted.into());
        if why.is_empty() {
            return Ok(Vec::new());
        }
        let why = why.join(", ");
        Ok(vec![Replacement { service: PROXY.into(), role: Role::Proxy, why, can_stay: false }])
    }

    /// The embedded engine reads the project's own files and a real OPA by
    /// address has its own: there is no copy here.
    async fn sync_policies(&self, _stack: &Stack, _files: &StackFiles) -> Result<Given, RuntimeError> {
        Ok(Given::Nothing)
    }

    async fn start(&self, spec: &ContainerSpec, image_id: Option<&str>) -> Result<Instance, RuntimeError> {
        self.shared.start_release(spec, image_id).await
    }

    async fn route(&self, _stack: &Stack, files: &StackFiles, routes: &Routes) -> Result<(), RuntimeError> {
        self.shared.route(&files.proxy.rules, routes).await
    }

    async fn generation(&self, stack: &Stack) -> Result<Option<String>, RuntimeError> {
        let public = public_address(stack)?;
        let serving = self.shared.serving(SILENCE).await?;
        // One that serves on another port serves nothing of this stack.
        Ok(serving
            .filter(|config| (config.rules.bind, config.rules.port) == public)
            .map(|config| config.routes.generation))
    }

    async fn stop(&self, slot: Slot, grace: Duration) -> Result<(), RuntimeError> {
        self.shared.stop_slot(slot, grace).await
    }

    /// Nothing restarts it on this target.
    async fn kill(&self, slot: Slot) -> Result<(), RuntimeError> {
        self.shared.kill_slot(slot).await
    }

    async fn logs(&self, request: LogRequest) -> Result<mpsc::Receiver<LogLine>, RuntimeError> {
        logs::open(&self.shared.layout, &self.shared.records, &request)
    }

    async fn unanswered(&self, slot: Slot, since: DateTime<Utc>) -> Result<Unanswered, RuntimeError> {
        self.shared.unanswered(slot, since).await
    }

    async fn under_way(&self, slot: Slot) -> Result<Option<Waits>, RuntimeError> {
        self.shared.under_way(slot).await
    }

    async fn events(&self) -> Result<mpsc::Receiver<RuntimeEvent>, RuntimeError> {
        events::watch(Arc::clone(&self.shared)).await
    }

    async fn host_facts(&self) -> Result<HostFacts, RuntimeError> {
        host::facts(self.shared.layout.root())
    }

    async fn belongings(&self) -> Result<Vec<String>, RuntimeError> {
        self.shared.belongings()
    }

    async fn teardown(&self) -> Result<Vec<String>, RuntimeError> {
        self.shared.teardown().await
    }
}

/// Where clients reach the proxy that a stack declares.
fn public_address(stack: &Stack) -> Result<(std::net::IpAddr, u16), RuntimeError> {
    stack
        .containers
        .iter()
        .find(|container| container.role == Role::Proxy)
        .and_then(|proxy| proxy.ports.first())
        .map(|port| (port.bind, port.host))
        .ok_or_else(|| RuntimeError::Engine {
            doing: "looking for the proxy's public port".into(),
            reason: "the stack declares none".into(),
        })
}
