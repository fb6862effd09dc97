//! The `docker` target: one host's daemon through its API, nginx as proxy,
//! Open Policy Agent as policy engine.
//!
//! Everything is made from the same [`ContainerSpec`] that the Compose file is
//! printed from, and found again by its labels; nothing is remembered between
//! calls but what can be measured again (versions of images, which checks they
//! can run, the use of memory and processor). Files reach containers as copies in volumes, never
//! as bind mounts: that works on a remote daemon too.
//!
//! Invariants: every call has a limit in time; what does not carry the
//! project's label is never changed; the old proxy configuration serves until
//! the new one provably does.

mod abilities;
mod broken;
mod checks;
mod client;
mod connect;
mod containers;
mod create;
mod events;
mod exec;
mod failures;
mod farewell;
mod files;
mod health;
mod helper;
mod images;
mod info;
mod judge;
mod labels;
mod lingering;
mod logs;
mod maker;
mod marker;
mod nginx;
mod observe;
mod platform;
mod policy;
mod ports;
mod proxy;
mod replacement;
mod rotate;
mod served;
mod servers;
mod start;
mod teardown;
mod usage;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use self::client::Client;
use self::connect::Address;
use self::info::{Apps, Reach};
use super::{
    Check, EngineInfo, Given, HostFacts, ImagePresence, Instance, LogLine, LogRequest, Observed, PortOwner,
    PullProgress, Replacement, Runtime, RuntimeError, RuntimeEvent, StackFiles, Unanswered,
};
use crate::clock::SharedClock;
use crate::domain::stack::{ContainerSpec, Stack};
use crate::domain::{Routes, Slot, Target};

/// What the target needs to know.
#[derive(Clone)]
pub struct DockerOptions {
    /// The project: the value of every label.
    pub project: String,
    /// Where the daemon is, as in `DOCKER_HOST`. Without it that variable
    /// counts, then the default socket, then a rootless daemon's.
    pub host: Option<String>,
    /// Where apps listen that do not tell it by `APP_PORT`.
    pub service_port: u16,
    /// Where time comes from.
    pub clock: SharedClock,
}

impl std::fmt::Debug for DockerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DockerOptions")
            .field("project", &self.project)
            .field("host", &self.host)
            .field("service_port", &self.service_port)
            .finish_non_exhaustive()
    }
}

/// Releases as containers of one Docker daemon.
pub struct DockerRuntime {
    client: Client,
    reach: Reach,
    http: reqwest::Client,
    clock: SharedClock,
    service_port: u16,
    usage: usage::Meter,
    nginx: abilities::KnownVersions,
    checks: checks::KnownChecks,
    keeper: rotate::Keeper,
}

impl DockerRuntime {
    /// Connects to the daemon.
    ///
    /// # Errors
    /// When none answers ([`RuntimeError::EngineAbsent`]), when what answers
    /// may not be used or is no Docker daemon
    /// ([`RuntimeError::EngineRefuses`]), or when its API is older than 1.40
    /// ([`RuntimeError::EngineTooOld`]).
    pub async fn connect(options: DockerOptions) -> Result<Self, RuntimeError> {
        let address = Address::find(options.host.as_deref())?;
        let client =
            Client { docker: address.open().await?, address: address.to_string(), project: options.project };
        let reach = Reach::find(&client, &address).await?;
        let http = marker::client().map_err(|error| RuntimeError::Engine {
            doing: "preparing the HTTP client".to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Self {
            client,
            reach,
            http,
            clock: options.clock,
            service_port: options.service_port,
            usage: usage::Meter::default(),
            nginx: abilities::KnownVersions::default(),
            checks: checks::KnownChecks::default(),
            keeper: rotate::Keeper::default(),
        })
    }

    /// Puts nginx' logs aside when they are larger than so many bytes, instead
    /// of the 64 MiB that are sound for use.
    #[must_use]
    pub fn with_full_logs(mut self, bytes: u64) -> Self {
        self.keeper.full = bytes;
        self
    }

    /// Reaches releases at a port on the daemon's loopback instead of at their
    /// own addresses, as is done by itself with rootless engines and Docker
    /// Desktop: for a machine whose network keeps those addresses from us.
    #[must_use]
    pub fn publishing_apps(mut self) -> Self {
        self.reach.apps = Apps::Published;
        self
    }
}

#[async_trait]
impl Runtime for DockerRuntime {
    fn target(&self) -> Target {
        Target::Docker
    }

    async fn info(&self) -> Result<EngineInfo, RuntimeError> {
        info::engine(&self.client, self.reach).await
    }

    async fn observe(&self) -> Result<Observed, RuntimeError> {
        observe::observe(self).await
    }

    async fn image(&self, image: &str) -> Result<ImagePresence, RuntimeError> {
        images::presence(&self.client, image).await
    }

    async fn pull(&self, image: &str, progress: mpsc::Sender<PullProgress>) -> Result<(), RuntimeError> {
        images::pull(&self.client, image, progress).await
    }

    async fn port_owner(&self, stack: &Stack) -> Result<PortOwner, RuntimeError> {
        self.reach.refuse_out_of_reach(&self.client).await?;
        let (bind, port) = proxy::published(stack)?;
        ports::owner(&self.client, self.reach.is_local, bind, port).await
    }

    async fn check_proxy(
        &self,
        stack: &Stack,
        files: &StackFiles,
        routes: &Routes,
    ) -> Result<Check, RuntimeError> {
        proxy::check(self, stack, files, routes).await
    }

    async fn check_policies(
        &self,
        stack: &Stack,
        policies: &std::path::Path,
    ) -> Result<Option<Check>, RuntimeError> {
        judge::judge(&self.client, stack, policies).await
    }

    async fn taken_names(&self, stack: &Stack) -> Result<Vec<RuntimeError>, RuntimeError> {
        platform::taken_names(&self.client, stack).await
    }

    async fn ensure_ground(&self, stack: &Stack) -> Result<(), RuntimeError> {
        platform::ensure(self, stack).await
    }

    async fn ensure_policy(&self, stack: &Stack, files: &StackFiles) -> Result<Given, RuntimeError> {
        Box::pin(policy::ensure(self, stack, files)).await
    }

    async fn ensure_proxy(
        &self,
        stack: &Stack,
        files: &StackFiles,
        routes: &Routes,
    ) -> Result<(), RuntimeError> {
        Box::pin(proxy::ensure(self, stack, files, routes)).await
    }

    async fn replacements(&self, stack: &Stack) -> Result<Vec<Replacement>, RuntimeError> {
        replacement::all(self, stack).await
    }

    async fn sync_policies(&self, stack: &Stack, files: &StackFiles) -> Result<Given, RuntimeError> {
        Box::pin(policy::sync(self, stack, files)).await
    }

    async fn start(&self, spec: &ContainerSpec, image_id: Option<&str>) -> Result<Instance, RuntimeError> {
        start::start(self, spec, image_id).await
    }

    async fn route(&self, stack: &Stack, files: &StackFiles, routes: &Routes) -> Result<(), RuntimeError> {
        proxy::route(self, stack, files, routes).await?;
        // The traffic is where it should be; a log that stays full is looked at
        // again by the next.
        let _ = rotate::tend(self, stack).await;
        Ok(())
    }

    async fn lingering(&self) -> Duration {
        lingering::left(&self.client).await
    }

    async fn tend(&self, stack: &Stack) -> Result<(), RuntimeError> {
        rotate::tend(self, stack).await
    }

    async fn generation(&self, stack: &Stack) -> Result<Option<String>, RuntimeError> {
        proxy::generation(self, stack).await
    }

    async fn stop(&self, slot: Slot, grace: Duration) -> Result<(), RuntimeError> {
        start::stop(&self.client, slot, grace).await
    }

    async fn kill(&self, slot: Slot) -> Result<(), RuntimeError> {
        start::kill(&self.client, slot).await
    }

    async fn logs(&self, request: LogRequest) -> Result<mpsc::Receiver<LogLine>, RuntimeError> {
        logs::stream(&self.client, request).await
    }

    async fn unanswered(&self, slot: Slot, since: DateTime<Utc>) -> Result<Unanswered, RuntimeError> {
        failures::unanswered(self, slot, since).await
    }

    async fn events(&self) -> Result<mpsc::Receiver<RuntimeEvent>, RuntimeError> {
        events::stream(&self.client).await
    }

    async fn host_facts(&self) -> Result<HostFacts, RuntimeError> {
        info::host_facts(&self.client, self.reach).await
    }

    async fn belongings(&self) -> Result<Vec<String>, RuntimeError> {
        teardown::belongings(&self.client).await
    }

    async fn teardown(&self) -> Result<Vec<String>, RuntimeError> {
        teardown::teardown(&self.client).await
    }
}
