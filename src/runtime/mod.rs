//! Where releases run. One trait, [`Runtime`], that the `docker` and `local`
//! targets both implement and one test suite that both must pass. What is
//! true about a running stack is asked here, from labels (Docker) or checked
//! process records (local), never remembered.
//!
//! The trait speaks of slots, routes and services, not of containers, so that
//! a target with more than one host can implement it.

pub mod docker;
mod error;
mod failures;
pub mod local;
mod model;
mod unanswered;

pub use error::RuntimeError;
pub use failures::LONGEST_REQUEST;
pub use model::{
    Check, CheckStatus, EngineInfo, Given, Health, HostFacts, ImagePresence, Instance, KEPT_OVER_RELOAD,
    LogLine, LogRequest, Observed, PortOwner, ProxyAbilities, ProxyConfigSource, ProxyRules, PullProgress,
    Replacement, RuntimeEvent, SlotServer, SlotServers, StackFiles, Usage,
};
pub use unanswered::{Unanswered, Waits};

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::mpsc;

use crate::domain::stack::{ContainerSpec, Stack};
use crate::domain::{Routes, Slot, Target};

/// Where releases run. Every method asks or changes the real thing at the
/// moment of the call; each is safe to repeat.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// Which target this is.
    fn target(&self) -> Target;

    /// Reaches the engine and tells what it is; fails when it is absent,
    /// refuses, or speaks a version that is too old.
    async fn info(&self) -> Result<EngineInfo, RuntimeError>;

    /// Everything of this project that exists now, with health, in one look.
    /// Proxy and policy engine are only healthy when they answer. Fails with
    /// [`RuntimeError::ProxySilent`], which carries what was seen, where a proxy
    /// runs that does not tell what it serves.
    async fn observe(&self) -> Result<Observed, RuntimeError>;

    /// Whether an image is present, and as which content. On the local target
    /// an "image" is the program to start.
    async fn image(&self, image: &str) -> Result<ImagePresence, RuntimeError>;

    /// Brings an image to this target. Progress is sent until the channel's
    /// reader goes away, which does not stop the pull.
    async fn pull(&self, image: &str, progress: mpsc::Sender<PullProgress>) -> Result<(), RuntimeError>;

    /// Who listens on the proxy's public port.
    async fn port_owner(&self, stack: &Stack) -> Result<PortOwner, RuntimeError>;

    /// Checks a proxy configuration with the real proxy (`nginx -t` in a
    /// throw-away container; the built-in proxy's own loader) without using
    /// it. `Err` is for a check that could not be made.
    async fn check_proxy(
        &self,
        stack: &Stack,
        files: &StackFiles,
        routes: &Routes,
    ) -> Result<Check, RuntimeError>;

    /// What the stack's policy engine says of a folder of policies, strictly,
    /// in its own words; `None` where there is no such engine to ask, or not
    /// yet. Loads nothing into the engine that runs.
    async fn check_policies(
        &self,
        stack: &Stack,
        policies: &std::path::Path,
    ) -> Result<Option<Check>, RuntimeError> {
        let _ = (stack, policies);
        Ok(None)
    }

    /// What keeps the networks and volumes of the stack from being made: names that
    /// others have. Changes nothing.
    async fn taken_names(&self, _stack: &Stack) -> Result<Vec<RuntimeError>, RuntimeError> {
        Ok(Vec::new())
    }

    /// Creates the networks and volumes of the stack that do not exist yet.
    async fn ensure_ground(&self, stack: &Stack) -> Result<(), RuntimeError>;

    /// Creates and starts the stack's policy engine where there is none, and
    /// waits until it answers; one made from another spec is replaced. One
    /// that exists but was stopped is left stopped: somebody did that, and the
    /// gates say so. Tells whether it was given other policies.
    async fn ensure_policy(&self, stack: &Stack, files: &StackFiles) -> Result<Given, RuntimeError>;

    /// Brings the proxy to what the stack says, and waits until it answers; a
    /// proxy that is right already is left alone, with the routes it has. A
    /// new one starts with `routes`; replacing one that was made from another
    /// spec is the one change that interrupts the traffic.
    async fn ensure_proxy(
        &self,
        stack: &Stack,
        files: &StackFiles,
        routes: &Routes,
    ) -> Result<(), RuntimeError>;

    /// What of the platform runs and would be made anew by
    /// [`Self::ensure_policy`] or [`Self::ensure_proxy`], and why. Changes nothing.
    async fn replacements(&self, _stack: &Stack) -> Result<Vec<Replacement>, RuntimeError> {
        Ok(Vec::new())
    }

    /// Copies the policies to the policy engine, where it has a copy. Tells
    /// whether they were other ones than it had.
    async fn sync_policies(&self, stack: &Stack, files: &StackFiles) -> Result<Given, RuntimeError>;

    /// Starts a release in its slot (`spec.role` names it), from `image_id`
    /// where given. Whatever was in the slot is replaced; the caller sees to
    /// it that the slot gets no traffic.
    async fn start(&self, spec: &ContainerSpec, image_id: Option<&str>) -> Result<Instance, RuntimeError>;

    /// Makes the proxy serve `routes` and returns once it provably does: the
    /// configuration is checked, loaded, and its generation read back through
    /// the public port. On any failure the old configuration keeps serving.
    async fn route(&self, stack: &Stack, files: &StackFiles, routes: &Routes) -> Result<(), RuntimeError>;

    /// How long after a [`Self::route`] the proxy may still bring requests by
    /// the routes before it; nothing once it certainly brings none.
    async fn lingering(&self) -> Duration {
        Duration::ZERO
    }

    /// Keeps what a running stack writes bounded, where that is not done by
    /// itself. For every look: most calls find that it is not time yet.
    async fn tend(&self, _stack: &Stack) -> Result<(), RuntimeError> {
        Ok(())
    }

    /// The generation that the proxy serves now, `None` when there is none.
    async fn generation(&self, stack: &Stack) -> Result<Option<String>, RuntimeError>;

    /// Asks what runs in a slot to stop, waits up to `grace`, then ends and
    /// removes it. An empty slot is fine.
    async fn stop(&self, slot: Slot, grace: Duration) -> Result<(), RuntimeError>;

    /// Ends the process of a slot at once, as a crash would.
    async fn kill(&self, slot: Slot) -> Result<(), RuntimeError>;

    /// Lines of a service's log (`app-blue`, `nginx`, `opa`); with
    /// `request.follow` until the receiver is dropped. The proxy is known as `nginx`
    /// and as `proxy` on every target.
    async fn logs(&self, request: LogRequest) -> Result<mpsc::Receiver<LogLine>, RuntimeError>;

    /// What the proxy saw of a slot since a moment, and the service's own
    /// metrics may not show: requests without an answer (refused, cut off or
    /// timed out, whether or not another slot took over), errors (5xx), answers
    /// that broke off, requests that their clients gave up and, where it can
    /// tell, those that wait at this moment. An error where it cannot be known.
    async fn unanswered(&self, slot: Slot, since: DateTime<Utc>) -> Result<Unanswered, RuntimeError>;

    /// Requests that the proxy gave a slot and that are not over, by how long they
    /// have been under way: answers that have not begun, and bodies that have not
    /// gone to their end either way. `None` where the proxy cannot tell, as nginx,
    /// which tells of a request when it ends.
    async fn under_way(&self, _slot: Slot) -> Result<Option<Waits>, RuntimeError> {
        Ok(None)
    }

    /// What changes from outside (started, died, health), until the receiver
    /// is dropped or the connection ends.
    async fn events(&self) -> Result<mpsc::Receiver<RuntimeEvent>, RuntimeError>;

    /// Facts about the machine that runs the containers.
    async fn host_facts(&self) -> Result<HostFacts, RuntimeError>;

    /// What `teardown` would remove, by name.
    async fn belongings(&self) -> Result<Vec<String>, RuntimeError>;

    /// Removes everything of this project and nothing else; tells what went.
    async fn teardown(&self) -> Result<Vec<String>, RuntimeError>;
}
