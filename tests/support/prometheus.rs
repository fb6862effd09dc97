//! A real Prometheus server of the test's own: it scrapes what it is told to,
//! answers queries, and ends with the value that holds it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::world::ports::free_port;
use super::world::{request, skipped, until};

/// How long the server may take to start, and to see something; it takes a
/// second or two on an idle machine.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The Prometheus to test against: `SWIFTDEPLOY_TEST_PROMETHEUS`, else the one
/// on the path. Without one a test says so and ends, except in CI, where
/// leaving something out is a failure.
pub fn program() -> Option<PathBuf> {
    let named = std::env::var_os("SWIFTDEPLOY_TEST_PROMETHEUS").filter(|name| !name.is_empty());
    let program = named.map_or_else(|| PathBuf::from("prometheus"), PathBuf::from);
    let answers = Command::new(&program).arg("--version").stdin(Stdio::null()).output();
    if answers.is_ok_and(|output| output.status.success()) {
        return Some(program);
    }
    skipped::note(
        "no Prometheus (SWIFTDEPLOY_TEST_PROMETHEUS or `prometheus` on the path); `tests/fixtures/packages` installs it",
    );
    None
}

/// What to scrape.
pub struct Target {
    /// The label `job`.
    pub job: String,
    /// On the loopback address.
    pub port: u16,
    /// The path of the metrics.
    pub path: String,
}

/// A running server.
pub struct Prometheus {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

/// A value with its time in seconds since 1970.
pub type Sample = (f64, f64);

impl Prometheus {
    /// Starts one that scrapes each target so often; ready when this returns.
    pub fn scraping(program: &Path, interval: &str, targets: &[Target]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = format!(
            "global:\n  scrape_interval: {interval}\n  scrape_timeout: {interval}\nscrape_configs:\n"
        );
        for Target { job, port, path } in targets {
            writeln!(
                config,
                "- job_name: {job}\n  metrics_path: {path}\n  static_configs:\n  - targets: ['127.0.0.1:{port}']"
            )
            .unwrap();
        }
        std::fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        let port = free_port();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(program)
            .arg(format!("--config.file={}", folder.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={}:{port}", Ipv4Addr::LOCALHOST))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let server = Self { child, port, folder };
        until("Prometheus is ready", PATIENCE, || match request(server.port, "GET", "/-/ready", "") {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => Err(format!("{answer:?}")),
            Err(error) => Err(format!("{error}; its log:\n{}", server.log())),
        });
        server
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The answer to an instant query, now or at a time.
    pub fn query(&self, query: &str, at: Option<f64>) -> Vec<Value> {
        let time = at.map(|at| format!("&time={at:.3}")).unwrap_or_default();
        let path = format!("/api/v1/query?query={}{time}", encoded(query));
        let answer = request(self.port, "GET", &path, "").unwrap().json();
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        answer["data"]["result"].as_array().unwrap().clone()
    }

    /// The one value of an instant query; `None` without one or for NaN.
    pub fn value(&self, query: &str, at: f64) -> Option<f64> {
        let found = self.query(query, Some(at));
        assert!(found.len() < 2, "{query}: more than one series: {found:?}");
        found.first().map(|series| sample(&series["value"]).1).filter(|value| !value.is_nan())
    }

    /// Every sample of the one series that a selector finds, oldest first.
    pub fn samples(&self, selector: &str) -> Vec<Sample> {
        let found = self.query(&format!("{selector}[1h]"), None);
        assert!(found.len() < 2, "{selector}: more than one series: {found:?}");
        let values = found.first().map(|series| series["values"].as_array().unwrap().clone());
        values.unwrap_or_default().iter().map(sample).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `[seconds, "value"]`.
fn sample(pair: &Value) -> Sample {
    (pair[0].as_f64().unwrap(), pair[1].as_str().unwrap().parse().unwrap())
}

/// A query as a part of an address.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
    }
    encoded
}
