//! What a runtime tells and is told: plain data, the same on every target.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::domain::stack::Role;
use crate::domain::{Release, Routes, Slot};

/// What is known about the engine of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// `docker` or `local`.
    pub name: String,
    /// Its version as it tells it.
    pub version: String,
    /// The machine that it runs on.
    pub host: String,
    /// Whether it is on this machine. Files and addresses of a remote engine
    /// are not this machine's.
    pub is_local: bool,
    /// Whether clients' addresses reach the proxy unchanged; not so on Docker
    /// Desktop and rootless engines.
    pub shows_client_addresses: bool,
}

/// A running (or just ended) part of the stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// The engine's own id: container id, or `pid@start-time`.
    pub id: String,
    /// The service's name: `app-blue`, `nginx`, `opa`.
    pub service: String,
    /// What it is for.
    pub role: Role,
    /// The release, for app instances.
    pub release: Option<Release>,
    /// The state in which it is.
    pub health: Health,
    /// Since when it runs.
    pub started_at: Option<DateTime<Utc>>,
    /// Where this machine reaches it directly, not through the proxy.
    pub endpoint: Option<SocketAddr>,
    /// How often the engine has restarted it.
    pub restarts: u64,
    /// Whether it was ended for using too much memory.
    pub oom_killed: bool,
    /// The hash of the spec that it was made from.
    pub spec: Option<String>,
    /// What it uses now, where known.
    pub usage: Option<Usage>,
}

/// The state of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Runs, not yet known to be well.
    Starting,
    /// Runs and, if it has a health check, passes it.
    Healthy,
    /// Runs and fails its health check; the last failure as told.
    Unhealthy(String),
    /// Does not run; with the exit code where known.
    Exited(Option<i64>),
}

impl Health {
    /// The word on screen.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy(_) => "unhealthy",
            Self::Exited(_) => "exited",
        }
    }
}

/// What an instance uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Bytes of memory.
    pub memory: u64,
    /// Percent of one processor.
    pub cpu_percent: f64,
}

/// Everything of the project, at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observed {
    /// Apps first (blue, green), then proxy, then policy engine.
    pub instances: Vec<Instance>,
    /// What the proxy serves, where a proxy runs.
    pub routes: Option<Routes>,
    /// What a proxy that does not run now served last, where that is known: the
    /// slot that it names must not be taken for free.
    pub last_routes: Option<Routes>,
}

impl Observed {
    /// The instance in a slot; one that runs, where there are several.
    #[must_use]
    pub fn in_slot(&self, wanted: crate::domain::Slot) -> Option<&Instance> {
        self.all_in(wanted).next()
    }

    /// Every instance in a slot: where somebody scaled it there are several.
    pub fn all_in(&self, wanted: crate::domain::Slot) -> impl Iterator<Item = &Instance> {
        self.instances
            .iter()
            .filter(move |instance| matches!(instance.role, Role::App { slot, .. } if slot == wanted))
    }

    /// The slot that gets most of the traffic (or got it, where the proxy is
    /// down) and has something in it.
    #[must_use]
    pub fn live_slot(&self) -> Option<crate::domain::Slot> {
        let routes = self.routes.as_ref().or(self.last_routes.as_ref())?;
        let share = routes.shares.iter().max_by_key(|share| share.percent)?;
        self.in_slot(share.slot).map(|_| share.slot)
    }

    /// The proxy's instance.
    #[must_use]
    pub fn proxy(&self) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.role == Role::Proxy)
    }
}

/// Whether an image is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImagePresence {
    /// Present; with the id of its content where the target has one.
    Present(Option<String>),
    /// Absent; with what the target can tell about it.
    Absent(String),
}

/// A step of a pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullProgress {
    /// What happens now, in the engine's words.
    pub status: String,
    /// Bytes here, over all layers known so far.
    pub current: u64,
    /// Bytes in all layers known so far; 0 while unknown.
    pub total: u64,
}

/// Who listens on the proxy's public port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortOwner {
    /// Nobody.
    Free,
    /// This project's own proxy.
    OurProxy,
    /// Somebody else, named as well as can be found out.
    Other(String),
    /// Nobody, and it cannot be had: an address of another machine, no right.
    Unusable {
        /// Why not.
        reason: String,
        /// What to do.
        next: &'static str,
    },
}

/// The outcome of a check that could be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Whether it is fine.
    pub status: CheckStatus,
    /// What was found, for people.
    pub detail: String,
}

/// Whether a check passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckStatus {
    /// It is fine.
    Pass,
    /// It is not.
    Fail,
}

/// A part of the platform that runs and that the next deployment makes anew,
/// since it was made from something else than the stack says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The service's name.
    pub service: String,
    /// The proxy's interrupts the traffic.
    pub role: Role,
    /// In the manifest's words.
    pub why: String,
    /// Whether the one that runs could go on all the same, and take new routes
    /// as the stack says.
    pub can_stay: bool,
}

impl std::fmt::Display for Replacement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let effect = match self.role {
            Role::Proxy => "INTERRUPTS THE TRAFFIC until the new one serves",
            Role::App { .. } | Role::Policy => "the traffic goes on",
        };
        write!(f, "{}: {}; {effect}", self.service, self.why)
    }
}

/// In the manifest's words, what moved a public address; nothing where it stayed.
pub(super) fn moved(old: SocketAddr, new: SocketAddr) -> Vec<String> {
    let port =
        (old.port() != new.port()).then(|| format!("nginx.port is {} and was {}", new.port(), old.port()));
    let bind = (old.ip() != new.ip()).then(|| format!("nginx.bind is {} and was {}", new.ip(), old.ip()));
    port.into_iter().chain(bind).collect()
}

/// Where the files are that the runtime gives to proxy and policy engine, and
/// the manifest's values that the proxy of the local target needs.
#[derive(Debug, Clone, PartialEq)]
pub struct StackFiles {
    /// The project's `policies/`.
    pub policies: PathBuf,
    /// OPA's own configuration: file name and content.
    pub policy_config: Vec<(String, String)>,
    /// Makes the proxy's configuration for a routing state and for what the
    /// proxy at hand can do.
    pub proxy: ProxyConfigSource,
}

/// How the proxy's configuration is made. Holds what `render` needs, so that
/// the runtime does not know the manifest.
#[derive(Clone)]
pub struct ProxyConfigSource {
    make: std::sync::Arc<MakeText>,
    /// What the built-in proxy obeys.
    pub rules: ProxyRules,
}

/// Where the release in a slot listens, as the proxy reaches it. The manifest may
/// name another service or port by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotServer {
    /// The service's name in the network.
    pub service: String,
    /// The port inside its container.
    pub port: u16,
}

/// What runs in the slots.
pub type SlotServers = BTreeMap<Slot, SlotServer>;

/// Renders the text of a configuration, or says why it cannot.
type MakeText = dyn Fn(&Routes, ProxyAbilities, &SlotServers) -> Result<String, String> + Send + Sync;

impl ProxyConfigSource {
    /// Wraps the function that renders the text.
    pub fn new(
        rules: ProxyRules,
        make: impl Fn(&Routes, ProxyAbilities, &SlotServers) -> Result<String, String> + Send + Sync + 'static,
    ) -> Self {
        Self { make: std::sync::Arc::new(make), rules }
    }

    /// The configuration's text, for what runs in the slots.
    pub fn text(
        &self,
        routes: &Routes,
        abilities: ProxyAbilities,
        servers: &SlotServers,
    ) -> Result<String, super::RuntimeError> {
        (self.make)(routes, abilities, servers).map_err(|reason| super::RuntimeError::ProxyRefused { reason })
    }
}

impl std::fmt::Debug for ProxyConfigSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProxyConfigSource").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl PartialEq for ProxyConfigSource {
    fn eq(&self, other: &Self) -> bool {
        self.rules == other.rules
    }
}

/// How long a reload keeps an idle client connection, where the proxy can: by
/// the old routes it may bring one more request then.
pub const KEPT_OVER_RELOAD: Duration = Duration::from_secs(5);

/// What the proxy at hand can do beyond nginx 1.22.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProxyAbilities {
    /// `keepalive_min_timeout`, since nginx 1.27.4: an idle client connection
    /// is not cut by a reload.
    pub keepalive_min_timeout: bool,
    /// `server … resolve` in open source nginx, since 1.27.3.
    pub resolve: bool,
    /// The engine hides clients' addresses: the operator's paths stay closed.
    pub hides_client_addresses: bool,
}

/// What the proxy promises, whatever it is made of.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProxyRules {
    /// The host's address to listen on.
    pub bind: std::net::IpAddr,
    /// The port to listen on.
    pub port: u16,
    /// Longest wait for the service, in milliseconds.
    pub timeout_ms: u64,
    /// The service's name, for the JSON errors.
    pub service: String,
    /// The contact, for the JSON errors.
    pub contact: String,
    /// Who may reach the operator's paths: `host`, `closed` or `open`.
    pub operator: String,
    /// The operator's paths.
    pub operator_paths: Vec<String>,
}

/// Which log to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRequest {
    /// The service's name.
    pub service: String,
    /// How many of the last lines.
    pub tail: usize,
    /// Whether to go on with new lines.
    pub follow: bool,
}

/// A line of a log, without its line end; not yet stripped of control
/// characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Whether it came by standard error.
    pub is_stderr: bool,
    /// The text.
    pub text: String,
}

/// Something that happened to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeEvent {
    /// The service's name.
    pub service: String,
    /// What happened, in the engine's word (`start`, `die`, `health_status`).
    pub what: String,
}

/// Facts about the machine that runs the containers.
#[derive(Debug, Clone, PartialEq)]
pub struct HostFacts {
    /// Free bytes where the engine keeps its data, for a non-root user.
    pub disk_free_bytes: u64,
    /// Where that is.
    pub data_root: PathBuf,
    /// Load average of the last minute, of the whole host.
    pub load1: f64,
    /// Number of processors.
    pub cpus: u32,
}

/// What a policy engine was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// Nothing: it has these policies, or reads them by itself.
    Nothing,
    /// Other policies than it had; it needs a moment to load them.
    OtherPolicies,
}
