//! A project in a folder of its own, driven by the real binary as a person
//! would: what the tests of whole stories stand on.
#![allow(dead_code, reason = "every test binary uses another part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helpers of tests: clippy knows only test functions as tests, and waiting needs the machine's clock"
)]

#[path = "ports.rs"]
pub mod ports;
#[path = "skipped.rs"]
pub mod skipped;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ports::free_port;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_swiftdeploy");

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
    /// What a command gave.
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
    request_within(Duration::from_secs(10), port, method, path, body)
}

/// The same, with another patience.
pub fn request_within(
    patience: Duration,
    port: u16,
    method: &str,
    path: &str,
    body: &str,
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(patience))?;
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

/// How long the project's windows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// A window of 5 s and 20 requests, so that a test need not wait long.
    Quick,
    /// The windows as `new` writes them: 30 s and 50 requests.
    Shipped,
}

/// A project of its own, in a folder beside others.
pub struct World {
    outside: Arc<tempfile::TempDir>,
    root: PathBuf,
    /// The public port.
    pub port: u16,
    /// The project's name.
    pub project: String,
    /// `local` or `docker`.
    pub target: &'static str,
    pace: Pace,
    docker: Option<String>,
}

impl World {
    /// A project on the local target, made by `new`.
    pub fn local() -> Self {
        Self::empty_local(Pace::Quick).begun()
    }

    /// A project on the tests' Docker daemon, if there is one.
    #[track_caller]
    pub fn docker() -> Option<Self> {
        Self::empty_docker(Pace::Quick).map(Self::begun)
    }

    /// An empty folder for a project on the local target.
    pub fn empty_local(pace: Pace) -> Self {
        Self::empty("local", pace, None)
    }

    /// An empty folder for a project on the tests' Docker daemon, if there is
    /// one.
    #[track_caller]
    pub fn empty_docker(pace: Pace) -> Option<Self> {
        let host = skipped::needs("SWIFTDEPLOY_TEST_DOCKER_HOST")?;
        Some(Self::empty("docker", pace, Some(host)))
    }

    fn empty(target: &'static str, pace: Pace, docker: Option<String>) -> Self {
        let outside = Arc::new(tempfile::tempdir().unwrap());
        for folder in ["home", "tmp"] {
            std::fs::create_dir(outside.path().join(folder)).unwrap();
        }
        // Only the tests' own daemon has the usual ports to itself.
        let (port, project) = if pace == Pace::Shipped && docker.is_some() {
            (8080, "app".to_owned())
        } else {
            let port = free_port();
            (port, format!("t{}-{port}", std::process::id()))
        };
        Self::placed(outside, target, pace, docker, port, project)
    }

    fn placed(
        outside: Arc<tempfile::TempDir>,
        target: &'static str,
        pace: Pace,
        docker: Option<String>,
        port: u16,
        project: String,
    ) -> Self {
        let root = outside.path().canonicalize().unwrap().join(&project);
        std::fs::create_dir(&root).unwrap();
        Self { outside, root, port, project, target, pace, docker }
    }

    /// Another project on the same target, in a folder beside this one, whose
    /// name begins as this one's does.
    pub fn neighbour(&self) -> Self {
        let project = format!("{}-2", self.project);
        let outside = Arc::clone(&self.outside);
        Self::placed(outside, self.target, Pace::Quick, self.docker.clone(), free_port(), project).begun()
    }

    fn begun(self) -> Self {
        self.run(&["new", ".", "--target", self.target]).ends_with(0);
        self.settle();
        self
    }

    /// Changes what `new` wrote where this machine needs it: ports that are
    /// free, and for the quick pace short windows.
    pub fn settle(&self) {
        match self.pace {
            Pace::Shipped => self.edit_manifest(|text| {
                let text = text.replace("  port: 8080\n", &format!("  port: {}\n", self.port));
                // As below.
                if self.target == "docker" { text + "policy:\n  timeout: 5s\n" } else { text }
            }),
            Pace::Quick => self.edit_manifest(|text| {
                // Behind nginx a verdict needs requests as old as that.
                let patience = if self.target == "docker" { "3" } else { "30" };
                let text = text
                    .replace("proxy_timeout: 30", &format!("proxy_timeout: {patience}"))
                    .replace("services:\n", &format!("project: {}\nservices:\n", self.project))
                    .replace("port: 8080", &format!("port: {}\n  drain: 1s", self.port))
                    .replace("swiftdeploy-net", &format!("{}-net", self.project));
                // Docker's OPA shares the machine with all the other tests.
                let patience = if self.target == "docker" { "\n  timeout: 5s" } else { "" };
                format!(
                    "{text}canary:\n  window: 5s\n  min_requests: 20\n  max_wait: 20s\npolicy:\n  port: {}{patience}\nstatus:\n  interval: 1s\n",
                    free_port()
                )
            }),
        }
        // The machines that run tests are busy; a test that is about the
        // limits sets its own.
        let limits = self.read("policies/data.json");
        let roomy = limits.replace("\"cpu_load\": 2.0", "\"cpu_load\": 1000");
        let roomy = roomy.replace("\"disk_free_gb\": 10,", "\"disk_free_gb\": 1,");
        assert_ne!(limits, roomy, "the starter's limits are not where they were");
        self.set_limits(&roomy);
    }

    /// The project's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder in which the project's folder lies, with the home and the
    /// temporary folder of everything that the tests run for it.
    pub fn outside(&self) -> &Path {
        self.outside.path()
    }

    /// The address of the Docker daemon, on that target.
    pub fn docker_host(&self) -> Option<&str> {
        self.docker.as_deref()
    }

    /// A file of the project.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
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
        command.current_dir(&self.root).env("PWD", &self.root).stdin(Stdio::null());
        command.env("HOME", self.outside().join("home")).env("TMPDIR", self.outside().join("tmp"));
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

    /// Injects a fault as a person would, by `curl` on the public port.
    #[track_caller]
    pub fn curl_chaos(&self, fault: &str) -> Answer {
        let url = format!("http://localhost:{}/chaos", self.port);
        let args = ["-sS", "-X", "POST", "-d", fault, "-w", "\n%{http_code}", url.as_str()];
        if Command::new("curl").arg("--version").output().is_err() {
            skipped::note("curl is not installed, so the test itself sends what it would");
            return self.post("/chaos", fault);
        }
        let ran = self.tool("curl", &args).ends_with(0);
        let (body, status) = ran.out.rsplit_once('\n').unwrap();
        Answer { status: status.parse().unwrap(), headers: Vec::new(), body: body.to_owned() }
    }

    /// Processes that have to do with the project's folder, by command line:
    /// those that name it, and those that a command in it has started.
    pub fn processes(&self) -> Vec<String> {
        let wanted = self.root.display().to_string();
        let pids = std::fs::read_dir("/proc").unwrap().flatten();
        pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| has_to_do_with(*pid, &wanted))
            .map(|pid| told_by_proc(pid, "cmdline"))
            .collect()
    }
}

/// What the kernel tells about a process; nothing once it has ended.
fn told_by_proc(pid: u32, what: &str) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// Whether a process names a project's folder, or was started from one that was
/// started in it.
pub fn has_to_do_with(pid: u32, root: &str) -> bool {
    ["cmdline", "environ"].iter().any(|what| names(&told_by_proc(pid, what), root))
}

/// Whether a text names a path or something below it, not one that only begins
/// the same.
fn names(text: &str, path: &str) -> bool {
    text.match_indices(path).any(|(at, _)| {
        !text[at + path.len()..].starts_with(|next: char| next.is_alphanumeric() || "-_.".contains(next))
    })
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.command(&["teardown", "--yes"]).output();
    }
}
