//! A real OPA with the generated rules about its own API.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use swiftdeploy::domain::stack::Role;
use swiftdeploy::render;

use super::docker::write;
use super::http::{Answer, get, request};
use super::ports::free_port;
use super::render_support::{full, seed};
use super::{run, skipped, wait_for};

#[test]
fn rules_pass_the_strict_check_and_the_formatter() {
    let Some(opa) = skipped::needs("SWIFTDEPLOY_TEST_OPA") else { return };
    for manifest in [seed(), full()] {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in render::opa_files(&manifest).unwrap() {
            write(folder.path(), &name, &text);
        }
        run(Command::new(&opa).args(["check", "--strict"]).arg(folder.path())).unwrap();
        run(Command::new(&opa).args(["fmt", "--diff", "--fail"]).arg(folder.path())).unwrap();
    }
}

/// An OPA started as the generated container starts it.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    fn start(opa: &str, folder: &Path) -> Self {
        let port = free_port();
        let stack = render::stack(&full());
        let spec = stack.containers.iter().find(|spec| spec.role == Role::Policy).unwrap();
        let arguments = spec.command.iter().map(|argument| match argument.as_str() {
            "0.0.0.0:8181" => format!("127.0.0.1:{port}"),
            path if path.starts_with('/') => folder.join(&path[1..]).display().to_string(),
            other => other.to_owned(),
        });
        let process =
            Command::new(opa).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { process, port };
        wait_for("OPA", || get(port, "/health"));
        server
    }

    fn ask(&self, method: &str, path: &str) -> Answer {
        request(self.port, method, path, "Content-Type: application/json\r\n", "{\"input\":{}}").unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn api_answers_the_gates_and_nothing_else() {
    let Some(opa) = skipped::needs("SWIFTDEPLOY_TEST_OPA") else { return };
    let folder = tempfile::tempdir().unwrap();
    for package in ["infra", "canary", "freeze", "team.release", "other"] {
        let text = format!("package {package}\n\ndecision := {{\"allow\": true, \"limit\": data.limit}}\n");
        write(folder.path(), &format!("policies/{package}.rego"), &text);
    }
    write(folder.path(), "policies/data.json", r#"{"limit": 7}"#);
    // Neither is loaded: both would keep OPA from starting.
    write(folder.path(), "policies/.half-written.json", "{");
    write(folder.path(), "policies/infra_test.rego", "package");
    for (name, text) in render::opa_files(&full()).unwrap() {
        write(folder.path(), &format!("authz/{name}"), &text);
    }
    let server = Server::start(&opa, folder.path());

    for gate in ["infra", "canary", "freeze", "team/release"] {
        for query in ["", "?pretty", "?metrics=true&provenance=true"] {
            let answer = server.ask("POST", &format!("/v1/data/{gate}/decision{query}"));
            assert_eq!(answer.status, 200, "{gate}{query}: {}", answer.body);
            assert!(answer.body.contains("allow") && answer.body.contains('7'), "{}", answer.body);
        }
    }
    assert_eq!(server.ask("GET", "/health").status, 200);
    let policies = server.ask("GET", "/v1/policies");
    assert_eq!(policies.status, 200);
    assert!(policies.body.contains("package team.release"), "{}", policies.body);

    for (method, path) in refused() {
        let answer = server.ask(method, &path);
        assert_eq!(answer.status, 401, "{method} {path}: {}", answer.body);
        assert!(!answer.body.contains("allow"), "{method} {path}: {}", answer.body);
    }
    // OPA's own router knows no HEAD; it never reaches the rules.
    assert_eq!(server.ask("HEAD", "/v1/data/infra/decision").status, 405);
    // What was refused had no effect.
    assert!(server.ask("POST", "/v1/data/infra/decision").body.contains('7'));
}

/// Every other method on every path, allowed ones among them, and every other
/// path of OPA's API.
fn refused() -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    for path in ["/v1/data/infra/decision", "/v1/data/team/release/decision"] {
        for method in ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            all.push((method, path.to_owned()));
        }
        for query in
            ["explain=full", "explain=notes", "instrument", "strict-builtin-errors", "pretty&explain=fails"]
        {
            all.push(("POST", format!("{path}?{query}")));
        }
    }
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        all.extend(
            ["/health", "/v1/policies", "/v1/policies/infra.rego"].map(|path| (method, path.to_owned())),
        );
    }
    for path in [
        "/",
        "/v1",
        "/v1/data",
        "/v1/data/infra",
        "/v1/data/infra/decision/allow",
        "/v1/data/other/decision",
        "/v1/data/limit",
        "/v1/data/system/authz",
        "/v1/data/system/authz/allow",
        "/v0/data/infra/decision",
        "/v1/query",
        "/v1/compile",
        "/v1/config",
        "/v1/status",
        "/metrics",
        "/health/live",
        "/health?bundles",
        "/v1/policies?explain=full",
        "//v1/data/infra/decision",
    ] {
        all.extend(["GET", "POST", "PUT", "PATCH", "DELETE"].map(|method| (method, path.to_owned())));
    }
    all.push(("GET", "/v1/query?q=data".to_owned()));
    all
}
