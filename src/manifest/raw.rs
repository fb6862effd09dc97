//! The manifest's sections as they are written: which keys there are, what
//! kind of value each takes, and (in the doc comments, which become the JSON
//! Schema's descriptions) what they are for. Defaults are filled in by
//! `complete`; a test holds the two together.

use schemars::JsonSchema;
use serde::Deserialize;

use super::field::Field;
use super::model::{EngineKind, GatePoint, OperatorAccess, Pull, Split};
use super::value::{
    Address, Choice, Contact, Cpus, Driver, EnvName, EnvValue, ImageRef, LabelName, List, Memory, MetricName,
    Name, NetworkName, Number, Package, Plain, Restart, Table, TargetWord, Time, UrlPath, Version,
};
use crate::domain::Mode;

/// A port.
type Port = Number<u16, 1, 65_535>;

const SECOND: u32 = 1_000;
const MINUTE: u32 = 60 * SECOND;
const HOUR: u32 = 60 * MINUTE;

/// One service, its proxy and how it is released: everything that SwiftDeploy
/// needs to know.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Manifest", extend("required" = ["services", "nginx"]))]
pub(super) struct RawManifest {
    /// Where to run: `docker` (one Docker host with nginx and Open Policy
    /// Agent) or `local` (child processes behind a built-in proxy, nothing to
    /// install). Without it, `--target` must say.
    #[schemars(example = &"docker")]
    pub(super) target: Field<TargetWord>,
    /// The name under which everything of this manifest is found again, also
    /// the prefix of containers, networks and volumes. Without it,
    /// `services.name`.
    #[schemars(example = &"shop")]
    pub(super) project: Field<Name>,
    /// Whom the error pages name: a mail address, a link or plain words.
    #[schemars(extend("default" = "ops@localhost"), example = &"ops@example.com")]
    pub(super) contact: Field<Contact>,
    /// Whether images that are not present may be pulled.
    #[schemars(extend("default" = "never"))]
    pub(super) pull: Field<Choice<Pull>>,
    /// The service.
    pub(super) services: Field<RawService>,
    /// The proxy in front of the service.
    pub(super) nginx: Field<RawNginx>,
    /// The app's network.
    pub(super) network: Field<RawNetwork>,
    /// How a canary is released and judged.
    pub(super) canary: Field<RawCanary>,
    /// Who decides whether a deployment or promotion may happen.
    pub(super) policy: Field<RawPolicy>,
    /// How the app names its metrics.
    pub(super) metrics: Field<RawMetrics>,
    /// How often the state is read.
    pub(super) status: Field<RawStatus>,
}

/// The service.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Service", extend("required" = ["image", "port"]))]
pub(super) struct RawService {
    /// What the service is called.
    #[schemars(extend("default" = "app"))]
    pub(super) name: Field<Name>,
    /// The container image of the service.
    #[schemars(example = &"registry.example.com/team/app:1.2.0")]
    pub(super) image: Field<ImageRef>,
    /// The port on which the service listens, inside its container.
    #[schemars(example = 3000)]
    pub(super) port: Field<Port>,
    /// What the service must report as its version. Quote it: `1.10` alone is
    /// a number.
    #[schemars(extend("default" = "1.0.0"))]
    pub(super) version: Field<Version>,
    /// How the service runs. SwiftDeploy changes this value in place when it
    /// promotes.
    #[schemars(extend("default" = "stable"))]
    pub(super) mode: Field<Choice<Mode>>,
    /// Further environment variables. `MODE`, `APP_VERSION` and `APP_PORT` are
    /// set by SwiftDeploy.
    pub(super) env: Field<Table<EnvName, EnvValue>>,
    /// How the health of the service is asked.
    pub(super) health: Field<RawHealth>,
    /// Limits of memory and processors.
    pub(super) resources: Field<RawResources>,
    /// When the container is started again.
    #[schemars(extend("default" = "unless-stopped"))]
    pub(super) restart_policy: Field<Choice<Restart>>,
    /// How long the service may take to stop.
    #[schemars(extend("default" = "10s"))]
    pub(super) stop_grace: Field<Time<SECOND, HOUR>>,
    /// What to start on the local target instead of the built-in sample
    /// service: program and arguments. It gets `APP_PORT`, `MODE`,
    /// `APP_VERSION` and `env`.
    pub(super) command: Field<List<Plain, 1>>,
}

/// How the health of the service is asked.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Health")]
pub(super) struct RawHealth {
    /// The path that answers 200 when the service is healthy.
    #[schemars(extend("default" = "/healthz"))]
    pub(super) path: Field<UrlPath>,
    /// Time between two checks.
    #[schemars(extend("default" = "2s"))]
    pub(super) interval: Field<Time<100, HOUR>>,
    /// Longest time of one check.
    #[schemars(extend("default" = "2s"))]
    pub(super) timeout: Field<Time<100, HOUR>>,
    /// Failures in a row that make a release unhealthy.
    #[schemars(extend("default" = 3))]
    pub(super) retries: Field<Number<u32, 1, 100>>,
    /// How long a new release may take to become healthy.
    #[schemars(extend("default" = "60s"))]
    pub(super) wait: Field<Time<SECOND, HOUR>>,
    /// A program inside the image that checks the health (exit 0 = healthy),
    /// with its arguments; no shell. Without it the health is asked from
    /// outside only.
    pub(super) command: Field<List<Plain, 1>>,
}

/// Limits; none by default.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Resources")]
pub(super) struct RawResources {
    /// Most memory: `512Mi`, `1.5Gi`; a bare number counts bytes.
    #[schemars(example = &"512Mi")]
    pub(super) memory: Field<Memory>,
    /// Most processors: `1.5`.
    #[schemars(example = 1.5)]
    pub(super) cpus: Field<Cpus>,
}

/// The proxy in front of the service.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Nginx", extend("required" = ["image", "port"]))]
pub(super) struct RawNginx {
    /// The nginx image; 1.27.4 or newer reloads without cutting a connection.
    #[schemars(example = &"nginx:1.28")]
    pub(super) image: Field<ImageRef>,
    /// The port on the host: the only one published for the service.
    #[schemars(example = 8080)]
    pub(super) port: Field<Port>,
    /// Longest wait for the service's answer; a bare number counts seconds.
    #[schemars(extend("default" = 30))]
    pub(super) proxy_timeout: Field<Time<SECOND, HOUR>>,
    /// The host's address to listen on.
    #[schemars(extend("default" = "0.0.0.0"), example = &"127.0.0.1")]
    pub(super) bind: Field<Address>,
    /// How long an old slot keeps serving after the switch; behind nginx up to
    /// 5 s in any case, while idle connections of clients lead to it; on the local
    /// target longer while it has requests, each for up to half of `proxy_timeout`.
    #[schemars(extend("default" = "10s"))]
    pub(super) drain: Field<Time<0, HOUR>>,
    /// Who may reach `/metrics` and `/chaos` through the proxy: the host
    /// itself, nobody (`closed`), everybody (`open`).
    #[schemars(extend("default" = "host"))]
    pub(super) operator: Field<Choice<OperatorAccess>>,
}

/// The app's network.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Network")]
pub(super) struct RawNetwork {
    /// The name that Docker shows.
    #[schemars(extend("default" = "swiftdeploy-net"))]
    pub(super) name: Field<NetworkName>,
    /// The network driver.
    #[schemars(extend("default" = "bridge"))]
    pub(super) driver_type: Field<Driver>,
}

/// How a canary is released and judged.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Canary")]
pub(super) struct RawCanary {
    /// The image under test. Without it, the service's own.
    #[schemars(example = &"registry.example.com/team/app:1.3.0-rc1")]
    pub(super) image: Field<ImageRef>,
    /// The version under test. Without it, the service's own.
    #[schemars(example = &"1.3.0-rc1")]
    pub(super) version: Field<Version>,
    /// Shares of the traffic in percent, rising, the last 100.
    #[schemars(extend("default" = [100]), example = [10, 50, 100])]
    pub(super) steps: Field<List<Number<u8, 1, 100>, 1>>,
    /// The window of metrics that the gate looks at.
    #[schemars(extend("default" = "30s"))]
    pub(super) window: Field<Time<SECOND, HOUR>>,
    /// Requests in the window that are needed for a verdict.
    #[schemars(extend("default" = 50))]
    pub(super) min_requests: Field<Number<u64, 1, 1_000_000_000>>,
    /// How long a promotion waits for enough requests.
    #[schemars(extend("default" = "5m"))]
    pub(super) max_wait: Field<Time<0, { 24 * HOUR }>>,
    /// How requests are split: each by chance (`request`), or a client keeps
    /// its slot by `cookie` or by `ip`.
    #[schemars(extend("default" = "request"))]
    pub(super) split: Field<Choice<Split>>,
}

/// Who decides whether a deployment or promotion may happen.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Policy")]
pub(super) struct RawPolicy {
    /// Open Policy Agent in a container (`opa`) or the engine inside
    /// SwiftDeploy (`embedded`). Without it, what the target uses: `opa` on
    /// docker, `embedded` on local.
    #[schemars(example = &"opa")]
    pub(super) engine: Field<Choice<EngineKind>>,
    /// The image of Open Policy Agent.
    #[schemars(extend("default" = "openpolicyagent/opa:latest"))]
    pub(super) image: Field<ImageRef>,
    /// Where Open Policy Agent listens, on 127.0.0.1 of the host.
    #[schemars(extend("default" = 8181))]
    pub(super) port: Field<Port>,
    /// Longest wait for an answer; no answer denies.
    #[schemars(extend("default" = "500ms"))]
    pub(super) timeout: Field<Time<10, MINUTE>>,
    /// Further gates: packages of your own in `policies/`.
    #[schemars(extend("default" = []))]
    pub(super) gates: Field<List<RawGate, 0>>,
}

/// A gate of your own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Gate", extend("required" = ["package", "before"]))]
pub(super) struct RawGate {
    /// The Rego package to ask; it lies in `policies/`.
    #[schemars(example = &"team.freeze")]
    pub(super) package: Field<Package>,
    /// The operation that asks it first.
    #[schemars(example = &"promote_stable")]
    pub(super) before: Field<Choice<GatePoint>>,
}

/// How the app names its metrics.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Metrics")]
pub(super) struct RawMetrics {
    /// Where the app serves its metrics.
    #[schemars(extend("default" = "/metrics"))]
    pub(super) path: Field<UrlPath>,
    /// The counter of requests.
    #[schemars(extend("default" = "http_requests_total"))]
    pub(super) requests: Field<MetricName>,
    /// The histogram of request durations, in seconds.
    #[schemars(extend("default" = "http_request_duration_seconds"))]
    pub(super) duration: Field<MetricName>,
    /// The label that holds the path.
    #[schemars(extend("default" = "path"))]
    pub(super) path_label: Field<LabelName>,
    /// The label that holds the status code.
    #[schemars(extend("default" = "status_code"))]
    pub(super) status_label: Field<LabelName>,
}

/// How often the state is read.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Status")]
pub(super) struct RawStatus {
    /// Time between two scrapes.
    #[schemars(extend("default" = "2s"))]
    pub(super) interval: Field<Time<200, HOUR>>,
}
