//! What a manifest means once it is read, checked and completed with its
//! defaults. Durations and sizes have lost their spelling here; the text they
//! came from stays in [`super::Document`].

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::domain::{Mode, Target};

/// A whole manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Where to run; `None` leaves the choice to `--target`.
    pub target: Option<Target>,
    /// The name under which everything of this manifest is found again;
    /// default `services.name`. Lower-case letters, digits and `-`.
    pub project: String,
    /// Whom the error pages name; default `ops@localhost`.
    pub contact: String,
    /// Whether images that are not present may be pulled; default `never`.
    pub pull: Pull,
    /// The service.
    pub services: Service,
    /// The proxy.
    pub nginx: Nginx,
    /// The app's network.
    pub network: Network,
    /// How a canary is released and judged.
    pub canary: Canary,
    /// Who decides.
    pub policy: PolicySection,
    /// How the app names its metrics.
    pub metrics: MetricNames,
    /// How often the state is read.
    pub status: Status,
}

/// Whether images may be pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pull {
    /// An absent image is an error.
    #[default]
    Never,
    /// An absent image is pulled.
    Missing,
}

/// The `services` section.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// Default `app`.
    pub name: String,
    /// Required.
    pub image: String,
    /// Where the service listens, inside its container. Required.
    pub port: u16,
    /// What the service must report; default `1.0.0`.
    pub version: String,
    /// The one value that the tool changes by itself; default `stable`.
    pub mode: Mode,
    /// Further environment variables.
    pub env: BTreeMap<String, String>,
    /// How health is asked.
    pub health: Health,
    /// Limits; none by default.
    pub resources: Resources,
    /// Default `unless-stopped`.
    pub restart_policy: String,
    /// How long the service may take to stop; default 10 s.
    pub stop_grace: Duration,
    /// What to start on the local target instead of the built-in sample
    /// service: program and arguments; it gets `APP_PORT`, `MODE`,
    /// `APP_VERSION` and `env`.
    pub command: Option<Vec<String>>,
}

/// The `services.health` section.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    /// Default `/healthz`.
    pub path: String,
    /// Time between two checks; default 2 s.
    pub interval: Duration,
    /// Longest time of one check; default 2 s.
    pub timeout: Duration,
    /// Failures in a row that make a release unhealthy; default 3.
    pub retries: u32,
    /// How long a new release may take to become healthy; default 60 s.
    pub wait: Duration,
    /// A program inside the image that checks the health (exit 0 = healthy);
    /// without it only checks from outside are made. `None` for an image that
    /// is not the sample service.
    pub command: Option<Vec<String>>,
}

/// The `services.resources` section.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resources {
    /// Bytes.
    pub memory: Option<u64>,
    /// Thousandths of a processor.
    pub milli_cpus: Option<u32>,
}

/// The `nginx` section.
#[derive(Debug, Clone, PartialEq)]
pub struct Nginx {
    /// Required.
    pub image: String,
    /// The port on the host, the only one published for the service. Required.
    pub port: u16,
    /// Longest wait for the service; default 30 s.
    pub proxy_timeout: Duration,
    /// The host's address to listen on; default `0.0.0.0`.
    pub bind: IpAddr,
    /// How long an old slot keeps serving after the switch; default 10 s.
    pub drain: Duration,
    /// Who may reach `/metrics` and `/chaos`; default `host`.
    pub operator: OperatorAccess,
}

/// Who may reach the operator's paths, `/metrics` and `/chaos`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OperatorAccess {
    /// The host itself; nobody where the engine hides client addresses.
    #[default]
    Host,
    /// Nobody.
    Closed,
    /// Everybody.
    Open,
}

/// The `network` section.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Default `swiftdeploy-net`.
    pub name: String,
    /// Default `bridge`.
    pub driver_type: String,
}

/// The `canary` section.
#[derive(Debug, Clone, PartialEq)]
pub struct Canary {
    /// The image under test; default the service's own.
    pub image: Option<String>,
    /// The version under test; default the service's own.
    pub version: Option<String>,
    /// Shares of traffic in percent, rising, the last 100; default `[100]`.
    pub steps: Vec<u8>,
    /// The window that the gate looks at; default 30 s.
    pub window: Duration,
    /// Requests needed for a verdict; default 50.
    pub min_requests: u64,
    /// How long a promotion waits for enough requests; default 5 min.
    pub max_wait: Duration,
    /// How a client is assigned; default `request`.
    pub split: Split,
}

/// How requests are split between two slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Split {
    /// Each request by chance.
    #[default]
    Request,
    /// A client keeps its slot by cookie.
    Cookie,
    /// A client keeps its slot by address.
    Ip,
}

/// The `policy` section.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicySection {
    /// Who decides; `None` takes the target's own: OPA on Docker, embedded on
    /// local.
    pub engine: Option<EngineKind>,
    /// Default `openpolicyagent/opa:latest`.
    pub image: String,
    /// Where OPA listens on 127.0.0.1; default 8181.
    pub port: u16,
    /// Longest wait for an answer; default 500 ms.
    pub timeout: Duration,
    /// Further gates: packages of the user's own.
    pub gates: Vec<CustomGate>,
}

/// Which policy engine decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// Open Policy Agent over HTTP.
    Opa,
    /// regorus, in this process.
    Embedded,
}

impl EngineKind {
    /// The word used in the manifest, on screen and in the history.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opa => "opa",
            Self::Embedded => "embedded",
        }
    }
}

/// A gate of the user's own, in `policies/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomGate {
    /// The package to ask.
    pub package: String,
    /// Which operation asks it.
    pub before: GatePoint,
}

/// Where a gate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GatePoint {
    /// Before `deploy`.
    Deploy,
    /// Before `promote canary`.
    PromoteCanary,
    /// Before `promote stable`.
    PromoteStable,
}

/// The `metrics` section: what the app calls its metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricNames {
    /// Where they are served; default `/metrics`.
    pub path: String,
    /// The counter of requests; default `http_requests_total`.
    pub requests: String,
    /// The histogram of durations in seconds; default
    /// `http_request_duration_seconds`.
    pub duration: String,
    /// The label of the path; default `path`.
    pub path_label: String,
    /// The label of the status code; default `status_code`.
    pub status_label: String,
}

/// The `status` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Time between two scrapes; default 2 s.
    pub interval: Duration,
}
