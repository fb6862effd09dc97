//! A project in a folder of its own, driven by the real binary as a person
//! would: what the tests of whole stories stand on.
#![allow(dead_code, reason = "every test binary uses another part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "helpers of tests: clippy knows only test functions as tests, and waiting needs the machine's clock"
)]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_swiftdeploy");

/// Where the ports of the tests are: below the range from which the kernel
/// gives ports to connections, so that none is taken between choice and use.
const PORTS: std::ops::Range<u32> = 20_000..32_000;

/// A port that nobody has, given once in this process; other processes begin
/// elsewhere in the range.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(97);
    for _ in PORTS {
        let step = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(PORTS.start + step % (PORTS.end - PORTS.start)).unwrap();
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
    panic!("no port of {PORTS:?} is free");
}

/// The Docker daemon of the tests. Without one a test says so and ends, except
/// in CI, where leaving something out is a failure.
pub fn docker_host() -> Option<String> {
    let host = std::env::var("SWIFTDEPLOY_TEST_DOCKER_HOST").ok().filter(|host| !host.is_empty());
    if host.is_none() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "SWIFTDEPLOY_TEST_DOCKER_HOST is not set; `tests/run` sets it"
        );
        note_skipped("no Docker daemon for tests (SWIFTDEPLOY_TEST_DOCKER_HOST)");
    }
    host
}

/// Tells `tests/run` that the test of this thread did without something.
pub fn note_skipped(without: &str) {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    println!("skipped: {without}");
    if let Some(path) = std::env::var_os("SWIFTDEPLOY_TEST_SKIPPED") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "{name}").unwrap();
    }
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Ran {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Requires an exit code.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\n--- out\n{}\n--- err\n{}", self.out, self.err);
        self
    }

    /// Both outputs.
    pub fn text(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// Requires a text somewhere in the output.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.text().contains(text), "no {text:?} in\n--- out\n{}\n--- err\n{}", self.out, self.err);
        self
    }

    /// The JSON lines of standard output.
    pub fn json(&self) -> Vec<serde_json::Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header lines, lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Sends one request on a connection of its own.
pub fn request(port: u16, method: &str, path: &str, body: &str) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let (head, rest) = text.split_once("\r\n\r\n").ok_or_else(|| std::io::Error::other("no answer"))?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let is_chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if is_chunked { unchunked(rest) } else { rest.to_owned() };
    Ok(Answer { status: status.ok_or_else(|| std::io::Error::other("no status"))?, headers, body })
}

fn unchunked(mut text: &str) -> String {
    let mut body = String::new();
    while let Some((size, rest)) = text.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 {
            break;
        }
        body.push_str(&rest[..size]);
        text = &rest[size + 2..];
    }
    body
}

/// Looks until something holds; fails with what it saw last.
#[track_caller]
pub fn until<T>(what: &str, within: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match look() {
            Ok(value) => return value,
            Err(last) => assert!(began.elapsed() < within, "{what}: not within {within:?}; last: {last}"),
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

/// A project of its own.
pub struct World {
    folder: tempfile::TempDir,
    /// The public port.
    pub port: u16,
    /// The project's name.
    pub project: String,
    /// `local` or `docker`.
    pub target: &'static str,
    docker: Option<String>,
}

impl World {
    /// A project on the local target, made by `new`.
    pub fn local() -> Self {
        Self::made("local", None)
    }

    /// A project on the tests' Docker daemon, if there is one.
    pub fn docker() -> Option<Self> {
        docker_host().map(|host| Self::made("docker", Some(host)))
    }

    fn made(target: &'static str, docker: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let project = format!("t{}-{port}", std::process::id());
        let world = Self { folder, port, project, target, docker };
        world.run(&["new", ".", "--target", target]).ends_with(0);
        world.edit_manifest(|text| {
            let text = text
                .replace("services:\n", &format!("project: {}\nservices:\n", world.project))
                .replace("port: 8080", &format!("port: {port}\n  drain: 1s"))
                .replace("swiftdeploy-net", &format!("{}-net", world.project));
            format!(
                "{text}canary:\n  window: 5s\n  min_requests: 20\n  max_wait: 20s\npolicy:\n  port: {}\nstatus:\n  interval: 1s\n",
                free_port()
            )
        });
        // The machines that run tests are busy; a test that is about the
        // limits sets its own.
        world.set_limits(
            r#"{"thresholds":{"disk_free_gb":1,"cpu_load":1000,"error_rate":0.01,"p99_latency_ms":500}}"#,
        );
        world
    }

    /// The project's folder.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// A file of the project.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file's text.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Changes the manifest.
    pub fn edit_manifest(&self, edit: impl FnOnce(String) -> String) {
        let text = edit(self.read("manifest.yaml"));
        std::fs::write(self.path("manifest.yaml"), text).unwrap();
    }

    /// Writes `policies/data.json`.
    pub fn set_limits(&self, json: &str) {
        std::fs::write(self.path("policies/data.json"), json).unwrap();
    }

    /// The command with its environment, not yet run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(args).env("NO_COLOR", "1");
        self.place(&mut command);
        match &self.docker {
            Some(host) => command.env("DOCKER_HOST", host),
            None => command.env_remove("DOCKER_HOST"),
        };
        command
    }

    /// Runs it in the project's folder, with a mark by which whatever it
    /// starts is found again.
    fn place(&self, command: &mut Command) {
        let root = self.root().canonicalize().unwrap();
        command.current_dir(&root).env("PWD", &root).stdin(Stdio::null());
    }

    /// Runs a command to its end.
    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&self.command(args).output().unwrap())
    }

    /// Runs another program against the tests' daemon, in the project's
    /// folder.
    pub fn tool(&self, program: &str, args: &[&str]) -> Ran {
        let mut command = Command::new(program);
        command.args(args);
        self.place(&mut command);
        if let Some(host) = &self.docker {
            command.env("DOCKER_HOST", host);
        }
        Ran::of(&command.output().unwrap_or_else(|error| panic!("{program}: {error}")))
    }

    /// Asks through the proxy.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        request(self.port, "GET", path, "").unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// Sends through the proxy.
    #[track_caller]
    pub fn post(&self, path: &str, body: &str) -> Answer {
        request(self.port, "POST", path, body).unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// Everything that the daemon has, by kind and name.
    pub fn docker_listing(&self) -> BTreeSet<String> {
        let list = |kind: &str, args: &[&str]| -> Vec<String> {
            let ran = self.tool("docker", args).ends_with(0);
            ran.out.lines().map(|line| format!("{kind} {line}")).collect()
        };
        let mut all = BTreeSet::new();
        all.extend(list("container", &["ps", "-a", "--format", "{{.Names}}"]));
        all.extend(list("network", &["network", "ls", "--format", "{{.Name}}"]));
        all.extend(list("volume", &["volume", "ls", "--format", "{{.Name}}"]));
        all
    }

    /// Processes that have to do with the project's folder, by command line:
    /// those that name it, and those that a command in it has started.
    pub fn processes(&self) -> Vec<String> {
        let wanted = self.root().canonicalize().unwrap().display().to_string();
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
            let shown = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).replace('\0', " ");
            let command = shown(read("cmdline"));
            if command.contains(&wanted) || shown(read("environ")).contains(&wanted) {
                found.push(command);
            }
        }
        found
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.command(&["teardown", "--yes"]).output();
    }
}
