//! What the policy tests share: a folder of policies, a real OPA where there
//! is one, and the facts that the fixtures start from.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

#[path = "../support/eventually.rs"]
pub mod eventually;
pub mod fixtures;
#[path = "../support/ports.rs"]
#[allow(clippy::duplicate_mod, reason = "a program that also drives the binary has it twice")]
mod ports;
#[path = "../support/skipped.rs"]
#[allow(clippy::duplicate_mod, reason = "a program that also drives the binary has it twice")]
mod skipped;
pub mod snippets;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use swiftdeploy::clock::SystemClock;
use swiftdeploy::policy::{EmbeddedEngine, OpaEngine, STARTERS};
use tempfile::TempDir;

/// Generous: the machine that runs the tests may be busy.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// A folder of policies of its own: the starters, to be changed at will.
pub struct Policies {
    folder: TempDir,
}

impl Policies {
    pub fn starters() -> Self {
        let policies = Self { folder: tempfile::tempdir().unwrap() };
        for (name, content) in STARTERS {
            policies.write(name, content);
        }
        policies
    }

    /// A folder with nothing in it.
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn with_data(data: &Value) -> Self {
        let policies = Self::starters();
        policies.write("data.json", &data.to_string());
        policies
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, content: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn append(&self, name: &str, content: &str) {
        let old = fs::read_to_string(self.path().join(name)).unwrap();
        self.write(name, &format!("{old}{content}"));
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path().join(name)).unwrap();
    }

    pub fn embedded(&self) -> EmbeddedEngine {
        EmbeddedEngine::new(self.path(), TIMEOUT, SystemClock::shared())
    }

    pub fn asked_at(&self, address: SocketAddr, timeout: Duration) -> OpaEngine {
        OpaEngine::new(address, timeout, self.path(), SystemClock::shared())
    }
}

/// The binary of a real OPA, named by `SWIFTDEPLOY_TEST_OPA`; without one the
/// test is skipped.
#[track_caller]
pub fn real_opa() -> Option<PathBuf> {
    skipped::needs("SWIFTDEPLOY_TEST_OPA").map(PathBuf::from)
}

/// A running OPA, stopped at the end of the test.
pub struct RunningOpa {
    child: Child,
    pub address: SocketAddr,
}

impl RunningOpa {
    /// Starts OPA on a folder and waits until it answers. A port that somebody
    /// takes between looking and starting costs another try.
    pub async fn start(binary: &Path, policies: &Path, flags: &[&str]) -> Self {
        for _ in 0..10 {
            let address = free_address();
            let child = Command::new(binary)
                .args(["run", "--server", "--disable-telemetry", "--skip-version-check"])
                .args(["--log-level", "error", "--ignore", ".*", "--addr", &address.to_string()])
                .args(flags)
                .arg(policies)
                // As the container has it.
                .envs([("GOGC", "1000"), ("GOMEMLIMIT", "256MiB")])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("SWIFTDEPLOY_TEST_OPA names a program");
            let mut running = Self { child, address };
            if running.answers().await {
                return running;
            }
        }
        panic!("OPA did not come up on any of ten free ports");
    }

    async fn answers(&mut self) -> bool {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        eventually::eventually("OPA answers, or has ended", async || {
            if self.child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            let health = client.get(format!("http://{}/health", self.address)).send().await;
            health.is_ok_and(|answer| answer.status().is_success()).then_some(true)
        })
        .await
    }
}

impl Drop for RunningOpa {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address on which nothing listens.
pub fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, ports::free_port()).into()
}

/// The limits of the starters.
pub fn limits() -> Value {
    json!({"disk_free_gb": 10, "cpu_load": 2.0, "error_rate": 0.01, "p99_latency_ms": 500})
}

/// A machine with room.
pub fn roomy_host() -> Value {
    json!({
        "disk_free_gb": 80.1, "cpu_load": 0.4, "cpus": 2, "time": "2026-11-23T12:00:00Z",
        "sources": {"disk_free_gb": "/var/lib/docker", "cpu_load": "load average of the last minute"},
    })
}

/// A canary that serves well.
pub fn good_canary() -> Value {
    json!({
        "requests": 300, "errors": 1, "error_rate": 1.0 / 300.0, "request_rate": 10.0,
        "p99_latency_ms": 430.25, "p99_bucket": [250.0, 500.0],
        "latency_buckets": [
            {"le_ms": 100.0, "count": 250.0}, {"le_ms": 250.0, "count": 290.0},
            {"le_ms": 500.0, "count": 299.0}, {"le_ms": null, "count": 300.0},
        ],
        "window_seconds": 30.012, "resets": 0, "vanished": 0, "samples_needed": 50,
        "healthy": true, "health_detail": null, "restarts": 0, "oom_kills": 0,
        "proxy_failures": 0, "proxy_timed_out": 0, "proxy_errors": 0, "proxy_broken": 0,
        "proxy_abandoned": [], "proxy_waiting": null, "proxy_timeout_seconds": 30.0, "settled_requests": 290,
        "proxy_error": null, "instances": 1,
        "stable": {"requests": 903, "errors": 0, "error_rate": 0.0, "p99_latency_ms": 120.04},
        "metrics_error": null, "source": "app-green at 172.18.0.3:3000",
        "sources": {
            "metrics": "/metrics of app-green at 172.18.0.3:3000",
            "health": "state of app-green at 172.18.0.3:3000",
            "proxy": "the proxy's log of requests that went wrong",
        },
        "time": "2026-11-23T12:00:00Z",
    })
}

/// Facts with some of them replaced.
pub fn with(mut facts: Value, changes: Value) -> Value {
    let (Value::Object(fields), Value::Object(changes)) = (&mut facts, changes) else {
        panic!("facts are objects");
    };
    fields.extend(changes);
    facts
}

/// Facts with one of them missing.
pub fn without(mut facts: Value, name: &str) -> Value {
    facts.as_object_mut().unwrap().remove(name).expect("the fact is there to be removed");
    facts
}
