//! A stack as data: the containers, networks and volumes that a manifest
//! means. `render` makes it from the manifest; the Compose file is printed
//! from it and the Docker runtime creates the very same things from it, so
//! the two cannot drift apart.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Mode, Slot};

mod identity;

pub use identity::compose_label;

/// Labels by which SwiftDeploy recognises what is its own.
pub mod label {
    /// The project that owns the object.
    pub const PROJECT: &str = "io.swiftdeploy.project";
    /// `app`, `proxy` or `policy`.
    pub const ROLE: &str = "io.swiftdeploy.role";
    /// `blue` or `green`, on app containers.
    pub const SLOT: &str = "io.swiftdeploy.slot";
    /// `stable` or `canary`, on app containers.
    pub const MODE: &str = "io.swiftdeploy.mode";
    /// The version of the release, on app containers.
    pub const VERSION: &str = "io.swiftdeploy.version";
    /// The image as the manifest names it.
    pub const IMAGE: &str = "io.swiftdeploy.image";
    /// SHA-256 over the spec the container was made from: a different value
    /// means that the container is not what the manifest declares now.
    pub const SPEC: &str = "io.swiftdeploy.spec";
}

/// The environment variables by which the service learns what it is.
pub mod env {
    /// `stable` or `canary`.
    pub const MODE: &str = "MODE";
    /// The version that it must report.
    pub const VERSION: &str = "APP_VERSION";
    /// Where it must listen.
    pub const PORT: &str = "APP_PORT";
}

/// Everything of one project.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    /// The project's name: prefix of every object, value of the label.
    pub project: String,
    /// Networks, the app's first.
    pub networks: Vec<NetworkSpec>,
    /// Names of the volumes, without the project's prefix.
    pub volumes: Vec<String>,
    /// App (in the declared slot), proxy and, where OPA is asked, the policy
    /// engine.
    pub containers: Vec<ContainerSpec>,
}

/// A network of the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSpec {
    /// The key by which containers of the stack name it.
    pub key: String,
    /// The name that the engine knows.
    pub name: String,
    /// `bridge` on a single host.
    pub driver: String,
}

/// What a container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A release of the service, in a slot, in a mode.
    App {
        /// Where it runs.
        slot: Slot,
        /// How it runs.
        mode: Mode,
    },
    /// The proxy in front of the slots.
    Proxy,
    /// Open Policy Agent.
    Policy,
}

impl Role {
    /// The value of [`label::ROLE`].
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::App { .. } => "app",
            Self::Proxy => "proxy",
            Self::Policy => "policy",
        }
    }
}

/// One container, complete: nothing is left to the engine's defaults that
/// matters for safety.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerSpec {
    /// What it is for.
    pub role: Role,
    /// The Compose service, also the name on the networks (`app-blue`,
    /// `nginx`, `opa`).
    pub service: String,
    /// The container's name (`PROJECT-app-blue`).
    pub name: String,
    /// The image as the manifest names it.
    pub image: String,
    /// Replaces the image's entrypoint when present.
    pub entrypoint: Option<Vec<String>>,
    /// Replaces the image's command when not empty.
    pub command: Vec<String>,
    /// The environment, sorted.
    pub env: BTreeMap<String, String>,
    /// `uid:gid`; never root.
    pub user: String,
    /// Whether the root file system is read-only.
    pub read_only: bool,
    /// Paths of in-memory file systems.
    pub tmpfs: Vec<String>,
    /// What is mounted where.
    pub mounts: Vec<Mount>,
    /// Keys of the networks it joins.
    pub networks: Vec<String>,
    /// Ports published on the host.
    pub ports: Vec<PublishedPort>,
    /// A health check run inside the container. The Docker runtime leaves out
    /// that of a proxy or policy engine whose image cannot run it.
    pub health: Option<HealthSpec>,
    /// `no`, `on-failure`, `always` or `unless-stopped`.
    pub restart: String,
    /// The signal that asks it to stop (`SIGTERM`, nginx `SIGQUIT`).
    pub stop_signal: String,
    /// How long it may take to stop before it is killed.
    pub stop_grace: Duration,
    /// Limit of memory in bytes.
    pub memory: Option<u64>,
    /// Limit of processors, in thousandths (1500 = one and a half).
    pub milli_cpus: Option<u32>,
    /// Services that must run before it.
    pub depends_on: Vec<String>,
}

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub source: MountSource,
    /// Where, inside the container.
    pub target: String,
    /// Whether the container may only read it.
    pub read_only: bool,
}

/// What a mount brings into the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountSource {
    /// A named volume of the stack (without the project's prefix).
    Volume(&'static str),
    /// A folder of files that the tool owns. Compose binds the folder on disk;
    /// the Docker runtime copies the files into a volume of their own, which
    /// works on a remote daemon too and survives a deleted folder.
    Files(FileSet),
}

/// The folders of files that containers read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileSet {
    /// The proxy's configuration.
    ProxyConfig,
    /// The project's `policies/`.
    Policies,
    /// OPA's own configuration, `generated/opa/`.
    PolicyConfig,
}

impl FileSet {
    /// The name of the volume that holds the copy, without the project's
    /// prefix.
    #[must_use]
    pub const fn volume(self) -> &'static str {
        match self {
            Self::ProxyConfig => "proxy-config",
            Self::Policies => "policies",
            Self::PolicyConfig => "policy-config",
        }
    }
}

/// A port published on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedPort {
    /// The host's address to listen on.
    pub bind: std::net::IpAddr,
    /// The port on the host.
    pub host: u16,
    /// The port in the container.
    pub container: u16,
}

/// A health check that the engine runs inside the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthSpec {
    /// The program and its arguments; no shell.
    pub command: Vec<String>,
    /// Time between two checks.
    pub interval: Duration,
    /// Longest time of one check.
    pub timeout: Duration,
    /// Failures in a row that make it unhealthy.
    pub retries: u32,
    /// Failures in this time after the start do not count.
    pub start_period: Duration,
}
