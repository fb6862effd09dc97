//! A stack for one test on a real Docker daemon: a project, ports and names of
//! its own, made by hand so that the runtime is tested apart from what renders
//! stacks from manifests.

#![expect(clippy::unwrap_used, reason = "a test tells what went wrong by ending")]

#[path = "ports.rs"]
mod ports;
#[path = "skipped.rs"]
mod skipped;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bollard::Docker;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::{ContainerCreateBody, HealthStatusEnum, NetworkCreateRequest, VolumeCreateRequest};
use bollard::query_parameters::{CreateContainerOptionsBuilder, RemoveContainerOptions, RemoveVolumeOptions};
use futures_util::{FutureExt as _, StreamExt as _};
use ports::free_port;
use swiftdeploy::clock::{Clock as _, SystemClock};
use swiftdeploy::domain::stack::{
    ContainerSpec, FileSet, HealthSpec, Mount, MountSource, NetworkSpec, PublishedPort, Role, Stack, label,
};
use swiftdeploy::domain::{Mode, Routes, Slot};
use swiftdeploy::manifest::{Document, Manifest};
use swiftdeploy::render;
use swiftdeploy::runtime::docker::{DockerOptions, DockerRuntime};
use swiftdeploy::runtime::{
    Instance, ProxyAbilities, ProxyConfigSource, ProxyRules, Runtime as _, StackFiles,
};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::runtime_suite::{Harness, client, get};

/// Names the daemon that has the test images.
const HOST: &str = "SWIFTDEPLOY_TEST_DOCKER_HOST";
const APP_PORT: u16 = 3000;
const PROXY_PORT: u16 = 8080;

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A project of its own on the daemon.
pub struct World {
    pub runtime: DockerRuntime,
    pub docker: Docker,
    pub stack: Stack,
    pub policies: PathBuf,
    pub host: String,
    rendered: std::sync::atomic::AtomicBool,
    _folder: tempfile::TempDir,
}

/// Runs a test on a fresh project and removes the project whatever happens.
/// Without a daemon it is skipped.
pub async fn with_docker(test: impl AsyncFnOnce(&World)) {
    let Some(host) = skipped::needs(HOST) else { return };
    let world = World::new(&host).await;
    let outcome = AssertUnwindSafe(test(&world)).catch_unwind().await;
    let _ = world.strangers_gone().await;
    let end = world.runtime.teardown().await;
    match outcome {
        Err(panic) => std::panic::resume_unwind(panic),
        Ok(()) => drop(end.unwrap()),
    }
}

impl World {
    async fn new(host: &str) -> Self {
        let number = COUNTER.fetch_add(1, Ordering::SeqCst);
        let project = format!("sdtest-{}-{number}", std::process::id());
        let folder = tempfile::tempdir().unwrap();
        let policies = folder.path().join("policies");
        std::fs::create_dir(&policies).unwrap();
        std::fs::write(policies.join("infra.rego"), "package infra\n\nanswer := 1\n").unwrap();
        Self {
            runtime: connect(host, &project).await,
            docker: Docker::connect_with_host(host).unwrap(),
            stack: stack(&project, "nginx:latest"),
            policies,
            host: host.to_owned(),
            rendered: std::sync::atomic::AtomicBool::new(false),
            _folder: folder,
        }
    }

    /// The same project seen by another process.
    pub async fn connect(&self) -> DockerRuntime {
        self.connect_at(&self.host).await
    }

    /// The same, with the daemon's socket at another place.
    pub async fn connect_at(&self, host: &str) -> DockerRuntime {
        connect(host, &self.stack.project).await
    }

    /// From now on the proxy gets what `render` makes of a manifest, instead
    /// of the smallest configuration that will do.
    pub fn use_rendered(&self) {
        self.rendered.store(true, Ordering::SeqCst);
    }

    /// The repository's own manifest, for this project and free ports, and the
    /// files that belong to it: what a user deploys.
    pub fn declared(&self) -> (Manifest, StackFiles) {
        let mut manifest = own_manifest().unwrap();
        manifest.project.clone_from(&self.stack.project);
        manifest.network.name = format!("{}-net", self.stack.project);
        manifest.nginx.port = self.public().port();
        manifest.nginx.bind = Ipv4Addr::LOCALHOST.into();
        manifest.policy.port = self.policy_address().port();
        let config = manifest.clone();
        let files = self.files_with(move |routes, abilities| {
            render::nginx_conf(&config, routes, abilities).map_err(|error| error.to_string())
        });
        let policy_config = render::opa_files(&manifest).unwrap();
        (manifest, StackFiles { policy_config, ..files })
    }

    /// What the daemon itself says of a container's health; `None` where it has
    /// no check.
    pub async fn daemons_word(&self, service: &str) -> Option<HealthStatusEnum> {
        let name = format!("{}-{service}", self.stack.project);
        let inspected = self.docker.inspect_container(&name, None).await.unwrap();
        inspected.state.unwrap().health?.status
    }

    /// Runs a command in a container, to its end.
    pub async fn exec(&self, id: &str, command: &[&str]) {
        let config = CreateExecOptions {
            cmd: Some(command.to_vec()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..CreateExecOptions::default()
        };
        let exec = self.docker.create_exec(id, config).await.unwrap().id;
        if let StartExecResults::Attached { output, .. } = self.docker.start_exec(&exec, None).await.unwrap()
        {
            output.for_each(|_| async {}).await;
        }
    }

    /// What the policy engine answers about a package.
    pub async fn policy(&self, package: &str) -> String {
        let path = format!("/v1/data/{package}");
        get(&client(), self.policy_address(), &path).await.unwrap().trim().to_owned()
    }

    /// Waits until the policy engine answers so: its watch takes a moment.
    pub async fn policy_becomes(&self, package: &str, expected: &str) {
        let what = format!("{package} answers {expected}");
        super::runtime_suite::eventually(&what, async || {
            (self.policy(package).await == expected).then_some(())
        })
        .await;
    }

    /// The policy engine's container and the moment of its start.
    pub async fn policy_id(&self) -> (String, String) {
        let observed = self.runtime.observe().await.unwrap();
        let policy = observed.instances.iter().find(|instance| instance.role == Role::Policy).unwrap();
        (policy.id.clone(), format!("{:?}", policy.started_at))
    }

    /// The monotonic time.
    pub fn now() -> std::time::Instant {
        SystemClock.instant()
    }

    /// Files with another proxy configuration.
    pub fn files_with(
        &self,
        make: impl Fn(&Routes, ProxyAbilities) -> Result<String, String> + Send + Sync + 'static,
    ) -> StackFiles {
        let rules = ProxyRules {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: self.public().port(),
            timeout_ms: 5000,
            service: "app".into(),
            contact: String::new(),
            operator: "host".into(),
            operator_paths: Vec::new(),
        };
        StackFiles {
            policies: self.policies.clone(),
            policy_config: Vec::new(),
            proxy: ProxyConfigSource::new(rules, move |routes, abilities, _| make(routes, abilities)),
        }
    }

    /// Where the policy engine is reached.
    pub fn policy_address(&self) -> SocketAddr {
        let spec = self.stack.containers.iter().find(|spec| spec.role == Role::Policy).unwrap();
        SocketAddr::new(spec.ports[0].bind, spec.ports[0].host)
    }

    fn stranger(&self, what: &str) -> String {
        format!("{}-{what}", self.stack.project)
    }
}

#[async_trait]
impl Harness for World {
    fn stack(&self) -> &Stack {
        &self.stack
    }

    fn files(&self) -> StackFiles {
        if self.rendered.load(Ordering::SeqCst) {
            return self.files_with(rendered);
        }
        self.files_with(|routes, abilities| Ok(config(routes, abilities)))
    }

    fn broken_files(&self) -> StackFiles {
        self.files_with(|routes, abilities| Ok(config(routes, abilities).replace("events", "evnets")))
    }

    fn spec(&self, slot: Slot, mode: Mode, version: &str) -> ContainerSpec {
        app(&self.stack.project, slot, mode, version)
    }

    fn dying_spec(&self, slot: Slot) -> ContainerSpec {
        let command = vec!["--no-such-argument".to_owned()];
        ContainerSpec { command, ..app(&self.stack.project, slot, Mode::Stable, "0") }
    }

    fn access_log(&self) -> &'static str {
        "nginx"
    }

    fn public(&self) -> SocketAddr {
        let spec = self.stack.containers.iter().find(|spec| spec.role == Role::Proxy).unwrap();
        SocketAddr::new(spec.ports[0].bind, spec.ports[0].host)
    }

    /// All of nginx but the master, which answers nobody.
    async fn let_proxy_hang(&self, proxy: &Instance, hangs: bool) {
        let signal = if hangs { "STOP" } else { "CONT" };
        self.exec(&proxy.id, &["sh", "-c", &format!("kill -{signal} -1")]).await;
    }

    async fn plant_strangers(&self) {
        let project = &self.stack.project;
        // Its name begins as ours, and so does the value of its label.
        let labels = HashMap::from([(label::PROJECT.to_owned(), format!("{project}-2"))]);
        let options = CreateContainerOptionsBuilder::new().name(&self.stranger("app-blue-2")).build();
        let body = ContainerCreateBody {
            image: Some("swift-deploy-1-node:latest".into()),
            labels: Some(labels.clone()),
            ..ContainerCreateBody::default()
        };
        self.docker.create_container(Some(options), body).await.unwrap();
        let network =
            NetworkCreateRequest { name: self.stranger("net-2"), ..NetworkCreateRequest::default() };
        self.docker.create_network(network).await.unwrap();
        let volume = VolumeCreateRequest {
            name: Some(self.stranger("logs-2")),
            labels: Some(labels),
            ..VolumeCreateRequest::default()
        };
        self.docker.create_volume(volume).await.unwrap();
    }

    async fn strangers_gone(&self) -> Vec<String> {
        let mut gone = Vec::new();
        let container = self.stranger("app-blue-2");
        if self.docker.remove_container(&container, None::<RemoveContainerOptions>).await.is_err() {
            gone.push(container);
        }
        let network = self.stranger("net-2");
        if self.docker.remove_network(&network).await.is_err() {
            gone.push(network);
        }
        let volume = self.stranger("logs-2");
        // The daemon does not say whether a volume was there: look first.
        if self.docker.inspect_volume(&volume).await.is_err() {
            gone.push(volume.clone());
        }
        let _ = self.docker.remove_volume(&volume, None::<RemoveVolumeOptions>).await;
        gone
    }
}

async fn connect(host: &str, project: &str) -> DockerRuntime {
    let options = DockerOptions {
        project: project.to_owned(),
        host: Some(host.to_owned()),
        service_port: APP_PORT,
        clock: SystemClock::shared(),
    };
    DockerRuntime::connect(options).await.unwrap()
}

/// A stack as the manifest's defaults mean it, on free ports.
pub fn stack(project: &str, nginx: &str) -> Stack {
    Stack {
        project: project.to_owned(),
        networks: ["app", "policy"]
            .map(|key| NetworkSpec {
                key: key.to_owned(),
                name: format!("{project}-net-{key}"),
                driver: "bridge".to_owned(),
            })
            .into(),
        volumes: vec!["logs".to_owned()],
        containers: vec![
            app(project, Slot::Blue, Mode::Stable, "1.0.0"),
            ContainerSpec {
                entrypoint: Some(
                    ["nginx", "-c", "/etc/swiftdeploy/nginx.conf", "-e", "stderr"].map(str::to_owned).into(),
                ),
                user: "101:101".to_owned(),
                mounts: vec![
                    read_only(FileSet::ProxyConfig, "/etc/swiftdeploy"),
                    Mount {
                        source: MountSource::Volume("logs"),
                        target: "/var/tmp".to_owned(),
                        read_only: false,
                    },
                ],
                ports: vec![published(PROXY_PORT)],
                stop_signal: "SIGQUIT".to_owned(),
                ..base(project, Role::Proxy, "nginx", nginx)
            },
            ContainerSpec {
                command: ["run", "--server", "--addr", "0.0.0.0:8181", "--skip-version-check", "--watch"]
                    .into_iter()
                    .chain(["--ignore", ".*", "/policies"])
                    .map(str::to_owned)
                    .collect(),
                user: "1000:1000".to_owned(),
                mounts: vec![
                    read_only(FileSet::Policies, "/policies"),
                    read_only(FileSet::PolicyConfig, "/authz"),
                ],
                networks: vec!["policy".to_owned()],
                ports: vec![published(8181)],
                ..base(project, Role::Policy, "opa", "openpolicyagent/opa:latest")
            },
        ],
    }
}

fn app(project: &str, slot: Slot, mode: Mode, version: &str) -> ContainerSpec {
    let env = [("MODE", mode.as_str()), ("APP_VERSION", version), ("APP_PORT", "3000")];
    ContainerSpec {
        env: env.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        health: Some(HealthSpec {
            command: vec!["/swiftdeploy-service".to_owned(), "healthcheck".to_owned()],
            interval: Duration::from_millis(500),
            timeout: Duration::from_secs(2),
            retries: 3,
            start_period: Duration::from_secs(10),
        }),
        ..base(project, Role::App { slot, mode }, &format!("app-{slot}"), "swift-deploy-1-node:latest")
    }
}

fn base(project: &str, role: Role, service: &str, image: &str) -> ContainerSpec {
    ContainerSpec {
        role,
        service: service.to_owned(),
        name: format!("{project}-{service}"),
        image: image.to_owned(),
        entrypoint: None,
        command: Vec::new(),
        env: BTreeMap::new(),
        user: "65532:65532".to_owned(),
        read_only: true,
        tmpfs: vec!["/tmp".to_owned()],
        mounts: Vec::new(),
        networks: vec!["app".to_owned()],
        ports: Vec::new(),
        health: None,
        restart: "unless-stopped".to_owned(),
        stop_signal: "SIGTERM".to_owned(),
        stop_grace: Duration::from_secs(5),
        memory: None,
        milli_cpus: None,
        depends_on: Vec::new(),
    }
}

fn read_only(files: FileSet, target: &str) -> Mount {
    Mount { source: MountSource::Files(files), target: target.to_owned(), read_only: true }
}

fn published(container: u16) -> PublishedPort {
    let bind = IpAddr::V4(Ipv4Addr::LOCALHOST);
    PublishedPort { bind, host: free_port(), container }
}

/// The configuration of the repository's own manifest.
fn rendered(routes: &Routes, abilities: ProxyAbilities) -> Result<String, String> {
    render::nginx_conf(&own_manifest()?, routes, abilities).map_err(|error| error.to_string())
}

fn own_manifest() -> Result<Manifest, String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/manifest.yaml");
    let document = Document::load(path).map_err(|error| error.to_string())?;
    Ok(document.manifest().clone())
}

/// A way to the daemon that counts what is asked of it.
pub struct Relay {
    /// As in `DOCKER_HOST`.
    pub address: String,
    seen: Arc<AtomicU32>,
    _folder: tempfile::TempDir,
}

impl Relay {
    /// Counts the requests whose text has `wanted` in it.
    pub fn new(host: &str, wanted: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.sock");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let seen = Arc::new(AtomicU32::new(0));
        let (counter, wanted) = (Arc::clone(&seen), wanted.to_owned());
        let daemon = host.strip_prefix("unix://").unwrap().to_owned();
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let (counter, wanted, daemon) = (Arc::clone(&counter), wanted.clone(), daemon.clone());
                tokio::spawn(async move {
                    let daemon = tokio::net::UnixStream::connect(daemon).await.unwrap();
                    let (mut from_daemon, mut to_daemon) = daemon.into_split();
                    let (mut from_caller, mut to_caller) = caller.into_split();
                    tokio::spawn(async move { tokio::io::copy(&mut from_daemon, &mut to_caller).await });
                    let mut chunk = vec![0; 64 << 10];
                    while let Ok(read @ 1..) = from_caller.read(&mut chunk).await {
                        if String::from_utf8_lossy(&chunk[..read]).contains(&wanted) {
                            counter.fetch_add(1, Ordering::SeqCst);
                        }
                        to_daemon.write_all(&chunk[..read]).await.unwrap();
                    }
                });
            }
        });
        Self { address: format!("unix://{}", path.display()), seen, _folder: folder }
    }

    /// How many there were.
    pub fn seen(&self) -> u32 {
        self.seen.load(Ordering::SeqCst)
    }
}

/// The smallest configuration that keeps the proxy's promises.
pub fn config(routes: &Routes, abilities: ProxyAbilities) -> String {
    let keepalive = if abilities.keepalive_min_timeout { "keepalive_min_timeout 5s;" } else { "" };
    let target = routes.shares.first().map_or_else(
        || "return 503;".to_owned(),
        |share| format!("proxy_pass http://app-{}:{APP_PORT};", share.slot),
    );
    let (marker, generation) = (Routes::MARKER_PATH, &routes.generation);
    format!(
        "daemon off;
pid /tmp/nginx.pid;
worker_processes 2;
error_log stderr notice;
events {{ worker_connections 1024; }}
http {{
    access_log /dev/stdout;
    client_body_temp_path /tmp/client_body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    {keepalive}
    server {{
        listen {PROXY_PORT};
        location = {marker} {{ access_log off; default_type text/plain; return 200 '{generation}'; }}
        location / {{ {target} }}
    }}
}}
"
    )
}
