//! A project in a folder of its own, with everything it started ended when
//! the test is over, however it ends.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use swiftdeploy::clock::{Clock as _, SystemClock};
use swiftdeploy::domain::stack::{ContainerSpec, PublishedPort, Role, Stack};
use swiftdeploy::domain::{Mode, Routes, Slot};
use swiftdeploy::runtime::local::{LocalOptions, LocalRuntime};
use swiftdeploy::runtime::{Health, Instance, Observed, ProxyConfigSource, ProxyRules, Runtime, StackFiles};

use super::ports::free_port;
use super::runtime_suite::eventually;

/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct World {
    pub folder: tempfile::TempDir,
    pub runtime: LocalRuntime,
    pub rules: ProxyRules,
    /// Added to the environment of each release.
    pub env: BTreeMap<String, String>,
    /// What each release is made of; the sample service when empty.
    pub command: Vec<String>,
}

impl World {
    /// With the built-in sample service.
    pub fn new() -> Self {
        Self::with_command(None)
    }

    /// With this test program as the user's own service.
    pub fn with_app() -> Self {
        Self::with_command(Some(own_test("helper_app")))
    }

    /// With a shell script as the user's own service.
    pub fn with_script(script: &str) -> Self {
        Self::with_command(Some(vec!["sh".into(), "-c".into(), script.into()]))
    }

    pub fn with_command(command: Option<Vec<String>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = LocalRuntime::new(options(folder.path(), command.clone())).unwrap();
        let rules = ProxyRules {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: free_port(),
            timeout_ms: 30_000,
            service: "app".into(),
            contact: "ops@example.com".into(),
            operator: "host".into(),
            operator_paths: vec!["/metrics".into(), "/chaos".into()],
        };
        Self { folder, runtime, rules, env: BTreeMap::new(), command: command.unwrap_or_default() }
    }

    pub fn state_dir(&self) -> PathBuf {
        self.folder.path().join(".swiftdeploy/local")
    }

    pub fn stack(&self) -> Stack {
        let proxy = ContainerSpec {
            ports: vec![PublishedPort { bind: self.rules.bind, host: self.rules.port, container: 8080 }],
            ..spec(Role::Proxy, "nginx")
        };
        Stack { project: "shop".into(), networks: vec![], volumes: vec![], containers: vec![proxy] }
    }

    pub fn files(&self) -> StackFiles {
        StackFiles {
            policies: self.folder.path().join("policies"),
            policy_config: vec![],
            proxy: ProxyConfigSource::new(self.rules.clone(), |_, _, _| Err("this is for nginx only".into())),
        }
    }

    pub fn spec(&self, slot: Slot, mode: Mode, version: &str) -> ContainerSpec {
        let mut spec = spec(Role::App { slot, mode }, &format!("app-{slot}"));
        spec.command.clone_from(&self.command);
        spec.env = self.env.clone();
        spec.env.insert("MODE".into(), mode.to_string());
        spec.env.insert("APP_VERSION".into(), version.into());
        spec.env.insert("APP_PORT".into(), "3000".into());
        spec
    }

    /// Starts a stable release and waits until it is healthy.
    pub async fn start(&self, slot: Slot, version: &str) -> Instance {
        self.start_as(slot, Mode::Stable, version).await
    }

    pub async fn start_as(&self, slot: Slot, mode: Mode, version: &str) -> Instance {
        self.runtime.start(&self.spec(slot, mode, version), None).await.unwrap();
        self.until(|seen| seen.in_slot(slot).is_some_and(|one| one.health == Health::Healthy))
            .await
            .in_slot(slot)
            .unwrap()
            .clone()
    }

    pub async fn platform(&self, routes: &Routes) {
        self.runtime.ensure_proxy(&self.stack(), &self.files(), routes).await.unwrap();
    }

    pub async fn route(&self, routes: &Routes) {
        self.runtime.route(&self.stack(), &self.files(), routes).await.unwrap();
    }

    /// A release in blue that gets all the traffic.
    pub async fn serving(&self) -> Instance {
        let instance = self.start(Slot::Blue, "1.0.0").await;
        self.platform(&Routes::all_to(Slot::Blue, "g1")).await;
        instance
    }

    /// Looks until something is so.
    pub async fn until(&self, is_so: impl Fn(&Observed) -> bool) -> Observed {
        let look = async {
            loop {
                let seen = self.runtime.observe().await.unwrap();
                if is_so(&seen) {
                    return seen;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if let Ok(seen) = tokio::time::timeout(PATIENCE, look).await {
            return seen;
        }
        panic!("it never was so; {:#?}", self.runtime.observe().await)
    }

    /// Looks until so many requests of the blue slot have got no answer.
    pub async fn until_counted(&self, since: DateTime<Utc>, expected: u64) {
        eventually("they are counted", async || {
            (self.runtime.unanswered(Slot::Blue, since).await.unwrap().failed == expected).then_some(())
        })
        .await;
    }

    pub fn public(&self) -> SocketAddr {
        SocketAddr::new(self.rules.bind, self.rules.port)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.public())
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        client().get(self.url(path)).send().await.unwrap()
    }

    pub fn access_log(&self) -> String {
        std::fs::read_to_string(self.state_dir().join("logs/proxy-access.log")).unwrap_or_default()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        end(&self.runtime);
    }
}

/// Ends a stack, also where no async code can run any more.
pub fn end(runtime: &LocalRuntime) {
    let runtime = runtime.clone();
    let ending = std::thread::spawn(move || {
        let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        own.block_on(runtime.teardown()).map(drop)
    });
    let ended = ending.join().unwrap();
    if !std::thread::panicking() {
        ended.unwrap();
    }
}

pub fn options(folder: &Path, command: Option<Vec<String>>) -> LocalOptions {
    LocalOptions {
        project: "shop".into(),
        folder: folder.to_owned(),
        state_dir: folder.join(".swiftdeploy/local"),
        program: PathBuf::from(env!("CARGO_BIN_EXE_swiftdeploy")),
        command,
        health_path: "/healthz".into(),
        health_timeout: Duration::from_secs(2),
        health_retries: 3,
        health_wait: PATIENCE,
        clock: SystemClock::shared(),
    }
}

/// The command that runs one of this program's own tests.
pub fn own_test(name: &str) -> Vec<String> {
    let program = std::env::current_exe().unwrap().display().to_string();
    [program.as_str(), name, "--exact", "--ignored", "--nocapture"].map(String::from).to_vec()
}

/// Without kept connections.
pub fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(PATIENCE).build().unwrap()
}

pub fn pid(instance: &Instance) -> u32 {
    instance.id.split('@').next().unwrap().parse().unwrap()
}

/// Whether a process lives; a zombie does not.
pub fn lives(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(") ").unwrap().1.starts_with('Z'))
}

/// Sends a signal by its name to a process that a test started.
pub fn signal(name: &str, pid: u32) {
    let sent = std::process::Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(sent.unwrap().success());
    // A signal is delivered later than it is sent: until then a thread on
    // another processor may still answer.
    let stopped = || has_stopped(pid);
    if name == "STOP" {
        let end = SystemClock.instant() + PATIENCE;
        while !stopped() && SystemClock.instant() < end {
            std::thread::yield_now();
        }
        assert!(stopped(), "process {pid} does not stop");
    }
}

/// Whether no thread of a process runs any more, by state T in `proc(5)`.
fn has_stopped(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks.flatten().all(|task| {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        // The name before it may hold anything, parentheses too.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    })
}

fn spec(role: Role, service: &str) -> ContainerSpec {
    ContainerSpec {
        role,
        service: service.into(),
        name: format!("shop-{service}"),
        image: "swift-deploy-1-node:latest".into(),
        entrypoint: None,
        command: vec![],
        env: BTreeMap::new(),
        user: "65532:65532".into(),
        read_only: true,
        tmpfs: vec![],
        mounts: vec![],
        networks: vec![],
        ports: vec![],
        health: None,
        restart: "unless-stopped".into(),
        stop_signal: "SIGTERM".into(),
        stop_grace: Duration::from_secs(10),
        memory: None,
        milli_cpus: None,
        depends_on: vec![],
    }
}
