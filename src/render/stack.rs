//! What a manifest means as containers, networks and volumes.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::{health, proxy};
use crate::domain::stack::{
    ContainerSpec, FileSet, HealthSpec, Mount, MountSource, NetworkSpec, PublishedPort, Role, Stack, env,
};
use crate::domain::{Mode, Slot};
use crate::manifest::{EngineKind, Manifest};

/// Volume of the proxy's logs.
const LOGS: &str = "logs";

/// The proxy's service name.
const PROXY: &str = "nginx";
/// The policy engine's service name.
const POLICY: &str = "opa";

/// A user without rights: the one of distroless images.
const APP_USER: &str = "65532:65532";
/// The `nginx` user of the official image.
const PROXY_USER: &str = "101:101";
/// The user of the official OPA image.
const POLICY_USER: &str = "1000:1000";

/// OPA's heap is a few megabytes, and collecting it holds up decisions. With 1000
/// the slowest one of a hundred takes 4.1 ms where it took 4.8 with 400 (OPA 1.19.1,
/// `benches/decision.rs`); near the limit it is done as often as it takes.
const POLICY_MEMORY: [(&str, &str); 2] = [("GOGC", "1000"), ("GOMEMLIMIT", "256MiB")];

/// Where OPA listens inside its container.
const POLICY_PORT: u16 = 8181;

/// The whole stack as the manifest declares it: the app in slot blue in the
/// declared mode, the proxy and, unless the manifest chooses the embedded
/// engine, OPA.
#[must_use]
pub fn stack(manifest: &Manifest) -> Stack {
    let (image, version) = declared_release(manifest);
    let app = app_container(manifest, Slot::Blue, manifest.services.mode, image, version);
    let mut networks = vec![network(app_network(manifest), manifest.network.driver_type.clone())];
    let mut containers = vec![app, proxy_container(manifest)];
    if matches!(manifest.policy.engine, None | Some(EngineKind::Opa)) {
        // Whatever the app's network is: OPA is published on the host's
        // loopback address, which takes a bridge.
        networks.push(network(policy_network(manifest), "bridge".to_owned()));
        containers.push(policy_container(manifest));
    }
    Stack { project: manifest.project.clone(), networks, volumes: vec![LOGS.to_owned()], containers }
}

/// A network whose key is its name: Compose 1 labels a network with its name
/// and Compose 2 looks for the key there, so only then does one accept what
/// the other made.
fn network(name: String, driver: String) -> NetworkSpec {
    NetworkSpec { key: name.clone(), name, driver }
}

/// The network that app and proxy share.
fn app_network(manifest: &Manifest) -> String {
    manifest.network.name.clone()
}

/// The policy engine's own network.
fn policy_network(manifest: &Manifest) -> String {
    format!("{}-policy", manifest.network.name)
}

/// What the declared mode runs: in canary mode the release under test, where
/// the manifest names one of its own.
fn declared_release(manifest: &Manifest) -> (&str, &str) {
    let Manifest { services, canary, .. } = manifest;
    match services.mode {
        Mode::Stable => (&services.image, &services.version),
        Mode::Canary => (
            canary.image.as_deref().unwrap_or(&services.image),
            canary.version.as_deref().unwrap_or(&services.version),
        ),
    }
}

/// The service's name in a slot, on the network and in Compose: `app-blue`.
pub(super) fn app_service(manifest: &Manifest, slot: Slot) -> String {
    format!("{}-{slot}", manifest.services.name)
}

/// The app's container for any slot, mode and release.
#[must_use]
pub fn app_container(
    manifest: &Manifest,
    slot: Slot,
    mode: Mode,
    image: &str,
    version: &str,
) -> ContainerSpec {
    let services = &manifest.services;
    let mut env = services.env.clone();
    // Last, so that they hold whatever the manifest's `env` says.
    env.extend(
        [
            (env::MODE, mode.to_string()),
            (env::VERSION, version.to_owned()),
            (env::PORT, services.port.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    let health = services.health.command.as_ref().map(|command| HealthSpec {
        command: command.clone(),
        interval: services.health.interval,
        timeout: services.health.timeout,
        retries: services.health.retries,
        start_period: services.health.wait,
    });
    ContainerSpec {
        env,
        health,
        user: APP_USER.to_owned(),
        networks: vec![app_network(manifest)],
        restart: services.restart_policy.clone(),
        stop_grace: services.stop_grace,
        memory: services.resources.memory,
        milli_cpus: services.resources.milli_cpus,
        ..base(manifest, Role::App { slot, mode }, app_service(manifest, slot), image)
    }
}

/// The proxy. Started directly: the official image's entrypoint wants to
/// write below `/etc/nginx`.
fn proxy_container(manifest: &Manifest) -> ContainerSpec {
    let command = ["nginx", "-c", "/etc/swiftdeploy/nginx.conf", "-e", "stderr"];
    ContainerSpec {
        entrypoint: Some(command.map(str::to_owned).into()),
        user: PROXY_USER.to_owned(),
        mounts: vec![
            read_only(FileSet::ProxyConfig, "/etc/swiftdeploy"),
            // At /var/tmp on purpose: a fresh volume takes over the mode of the
            // folder that it covers, and this one may be written by everybody
            // (1777) in the official image as in most others. At a path that
            // the image lacks the volume would belong to root.
            Mount {
                source: MountSource::Volume(LOGS),
                target: proxy::LOG_FOLDER.to_owned(),
                read_only: false,
            },
        ],
        networks: vec![app_network(manifest)],
        ports: vec![PublishedPort {
            bind: manifest.nginx.bind,
            host: manifest.nginx.port,
            container: manifest.nginx.port,
        }],
        health: Some(health::proxy(manifest.nginx.port)),
        // Graceful: finish what runs. SIGTERM would cut it.
        stop_signal: "SIGQUIT".to_owned(),
        stop_grace: proxy::shutdown_timeout(manifest),
        depends_on: vec![app_service(manifest, Slot::Blue)],
        ..base(manifest, Role::Proxy, PROXY.to_owned(), &manifest.nginx.image)
    }
}

/// Open Policy Agent, out of reach of app and proxy.
fn policy_container(manifest: &Manifest) -> ContainerSpec {
    let address = format!("0.0.0.0:{POLICY_PORT}");
    // Not at /opa: that is the program itself in the official image.
    let command = [
        "run",
        "--server",
        "--addr",
        &address,
        "--authorization=basic",
        "--skip-version-check",
        "--watch",
        // Half-written files of editors, and the policies' tests.
        "--ignore",
        ".*",
        "--ignore",
        "*_test.rego",
        "/policies",
        "/authz",
    ];
    ContainerSpec {
        command: command.map(str::to_owned).into(),
        env: POLICY_MEMORY.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        user: POLICY_USER.to_owned(),
        mounts: vec![read_only(FileSet::Policies, "/policies"), read_only(FileSet::PolicyConfig, "/authz")],
        networks: vec![policy_network(manifest)],
        ports: vec![PublishedPort {
            bind: Ipv4Addr::LOCALHOST.into(),
            host: manifest.policy.port,
            container: POLICY_PORT,
        }],
        health: Some(health::policy(POLICY_PORT)),
        ..base(manifest, Role::Policy, POLICY.to_owned(), &manifest.policy.image)
    }
}

/// What all containers have in common.
fn base(manifest: &Manifest, role: Role, service: String, image: &str) -> ContainerSpec {
    ContainerSpec {
        role,
        name: format!("{}-{service}", manifest.project),
        service,
        image: image.to_owned(),
        entrypoint: None,
        command: Vec::new(),
        env: BTreeMap::new(),
        user: String::new(),
        read_only: true,
        tmpfs: vec!["/tmp".to_owned()],
        mounts: Vec::new(),
        networks: Vec::new(),
        ports: Vec::new(),
        health: None,
        restart: "unless-stopped".to_owned(),
        stop_signal: "SIGTERM".to_owned(),
        stop_grace: Duration::from_secs(10),
        memory: None,
        milli_cpus: None,
        depends_on: Vec::new(),
    }
}

fn read_only(files: FileSet, target: &str) -> Mount {
    Mount { source: MountSource::Files(files), target: target.to_owned(), read_only: true }
}
