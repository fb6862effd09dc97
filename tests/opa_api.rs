//! Open Policy Agent's API on a real Docker daemon: it answers the gates'
//! questions, its health and which policies it has loaded, and nothing else;
//! nobody but the host reaches it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

#[path = "support/world.rs"]
mod world;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use world::World;

/// OPA's port inside its container.
const PORT: u16 = 8181;

/// A project whose policy engine answers, and where on the host.
fn deployed() -> Option<(World, u16)> {
    let world = World::docker()?;
    let text = world.read("manifest.yaml");
    let line =
        text.lines().skip_while(|line| *line != "policy:").find(|line| line.trim().starts_with("port:"));
    let port = line.unwrap().trim().trim_start_matches("port: ").parse().unwrap();
    world.run(&["deploy"]).ends_with(0);
    Some((world, port))
}

/// What came back, as it came; empty when the connection was closed.
fn raw(port: u16, method: &str, path: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let host =
        if headers.starts_with("Host:") { String::new() } else { format!("Host: localhost:{port}\r\n") };
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// Whether an answer shows or did anything. A redirect shows only the path that
/// was asked for.
fn gives_something(answer: &str) -> bool {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let shows = ["\"result\"", "package ", "\"thresholds\"", "go_gc", "heap profile"];
    (200..300).contains(&status(answer)) || shows.iter().any(|word| body.contains(word))
}

const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

/// Every path of OPA's API, and ways round its rules.
const PATHS: &[&str] = &[
    "/",
    "/?q=data",
    "/v0/data",
    "/v0/data/infra/decision",
    "/v1",
    "/v1/",
    "/v1/data",
    "/v1/data/",
    "/v1/data/infra",
    "/v1/data/infra/limits",
    "/v1/data/infra/decision/allow",
    "/v1/data/infra/decision/",
    "/v1/data/infra//decision",
    "/v1/data/thresholds",
    "/v1/data/thresholds/cpu_load",
    "/v1/data/system",
    "/v1/data/system/authz",
    "/v1/data/system/authz/allow",
    "/v1/data/freeze/decision",
    "/v1/data/infra_test/decision",
    "/v1/data/infra/decision?explain=full",
    "/v1/data/infra/decision?explain=notes&pretty",
    "/v1/data/infra/decision?instrument",
    "/v1/data/infra/decision?strict-builtin-errors",
    "/v1/data/infra/decision?metrics&explain=debug",
    "/v1/data?pretty",
    "/v1/policies/",
    "/v1/policies/x",
    "/v1/policies?explain=full",
    "/v1/query",
    "/v1/query?q=data",
    "/v1/query?q=data.thresholds",
    "/v1/compile",
    "/v1/compile/infra/decision",
    "/v1/config",
    "/v1/status",
    "/v1/batch/data/infra/decision",
    "/metrics",
    "/health?bundles",
    "/health?plugins",
    "/health/live",
    "/health/",
    "/debug/pprof/",
    "/debug/pprof/heap",
    "/debug/pprof/cmdline",
    "/version",
    "//v1/data",
    "//v1/data/thresholds",
    "/v1//data",
    "/./v1/data",
    "/health/../v1/data",
    "/v1/policies/../data",
    "/v1/policies/../data/thresholds",
    "/v1/policies/..%2fdata",
    "/v1/policies/%2e%2e/data",
    "/%76%31/data",
    "/v1%2fdata",
    "/v1/data%2fthresholds",
    "/v1/data/infra/decision%2f..%2f..%2fthresholds",
    "/v1/data/infra/decision/../../thresholds",
    "/v1/data/infra/decision/%2e%2e/%2e%2e/thresholds",
    "/v1/data/infra/decision;/../thresholds",
    "/v1/data/infra/decision%00",
    "/v1/data/infra/decision%3fexplain=full",
    "/V1/data/thresholds",
    "/v1/DATA/thresholds",
];

/// The only ones of the product that may be answered.
fn is_permitted(method: &str, path: &str) -> bool {
    method == "GET"
        && path.starts_with("/v1/policies")
        && !path.contains("..")
        && !path.contains('%')
        && !path.contains('?')
}

#[test]
fn everything_but_the_questions_is_refused_on_the_host_and_changes_nothing() {
    let Some((world, port)) = deployed() else { return };
    let loaded = || {
        let answer = raw(port, "GET", "/v1/policies", "", "");
        assert_eq!(status(&answer), 200, "{answer}");
        // In no order, and with a line for each part of the body.
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let json = &body[body.find('{').unwrap()..=body.rfind('}').unwrap()];
        let mut policies: Vec<String> = serde_json::from_str::<serde_json::Value>(json).unwrap()["result"]
            .as_array()
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        policies.sort();
        policies
    };
    let before = loaded();
    let decided = || raw(port, "POST", "/v1/data/infra/decision", "", "{\"input\": {}}");
    assert!(decided().contains("facts_missing"), "{}", decided());
    for gate in ["infra", "canary"] {
        assert_eq!(
            status(&raw(port, "POST", &format!("/v1/data/{gate}/decision"), "", "{\"input\": {}}")),
            200
        );
    }
    assert_eq!(status(&raw(port, "GET", "/health", "", "")), 200);

    let policy = "package infra\n\ndecision := {\"allow\": true}\n";
    let patch = "[{\"op\": \"add\", \"path\": \"/thresholds\", \"value\": {}}]";
    let bodies = ["", "{\"input\": {}}", "{\"query\": \"data\"}", policy, patch];
    let mut open = Vec::new();
    let mut tried = 0;
    for path in PATHS {
        for method in METHODS {
            // What has a body is tried with everything that could be one.
            let bodies =
                if ["GET", "HEAD", "OPTIONS", "TRACE"].contains(&method) { &bodies[..1] } else { &bodies };
            for body in bodies {
                tried += 1;
                let answer = raw(port, method, path, "", body);
                if gives_something(&answer) && !is_permitted(method, path) {
                    open.push(format!(
                        "{method} {path} {body}: {}",
                        answer.lines().next().unwrap_or_default()
                    ));
                }
            }
        }
    }
    for (method, path) in [
        ("PUT", "/v1/data/infra/decision"),
        ("PATCH", "/v1/data/infra/decision"),
        ("GET", "/v1/data/infra/decision"),
    ] {
        for headers in [
            "",
            "X-HTTP-Method-Override: POST\r\n",
            "X-HTTP-Method: POST\r\n",
            "Authorization: Bearer admin\r\n",
            "Authorization: Basic YWRtaW46YWRtaW4=\r\n",
            "X-Original-URL: /v1/data\r\n",
            "X-Forwarded-For: 127.0.0.1\r\n",
            "Host: opa\r\n",
        ] {
            tried += 1;
            let answer = raw(port, method, path, headers, patch);
            if gives_something(&answer) {
                open.push(format!("{method} {path} with {headers}: {answer}"));
            }
        }
    }
    for method in ["PUT", "POST", "PATCH", "DELETE"] {
        for path in
            ["/v1/policies", "/v1/policies/policies/infra.rego", "/v1/policies/authz/authz.rego", "/health"]
        {
            tried += 1;
            let answer = raw(port, method, path, "", policy);
            if gives_something(&answer) {
                open.push(format!("{method} {path}: {answer}"));
            }
        }
    }
    assert!(open.is_empty(), "{} of {tried} were answered:\n{}", open.len(), open.join("\n"));
    assert!(tried > 1_000, "{tried}");
    assert_eq!(loaded(), before, "what was refused had no effect");
    assert!(decided().contains("facts_missing"), "{}", decided());
    world.run(&["policy", "ask", "infra"]).ends_with(0);
}

/// The networks of a container, each with its address there.
fn networks(world: &World, container: &str) -> Vec<(String, String)> {
    let format = "{{json .NetworkSettings.Networks}}";
    let ran = world.tool("docker", &["inspect", "--format", format, container]).ends_with(0);
    let found: Value = serde_json::from_str(ran.out.trim()).unwrap();
    let networks = found.as_object().unwrap().iter();
    networks
        .map(|(name, network)| (name.clone(), network["IPAddress"].as_str().unwrap().to_owned()))
        .collect()
}

#[test]
fn from_the_apps_network_there_is_no_way_to_the_policy_engine() {
    let Some((world, port)) = deployed() else { return };
    let opa = format!("{}-opa", world.project);
    let app = networks(&world, &format!("{}-app-blue", world.project));
    let policy = networks(&world, &opa);
    assert_eq!((app.len(), policy.len()), (1, 1), "{app:?} {policy:?}");
    let ((app, app_address), (policy, address)) = (&app[0], &policy[0]);
    assert_ne!(app, policy);
    let gateway = |network: &str| {
        let format = "{{(index .IPAM.Config 0).Gateway}}";
        let ran = world.tool("docker", &["network", "inspect", "--format", format, network]).ends_with(0);
        ran.out.trim().to_owned()
    };
    let inside = |network: &str, command: &[&str]| {
        let run = ["run", "--rm", "--network", network, "--entrypoint", "/bin/busybox", "nginx:latest"];
        world.tool("docker", &[&run, command].concat())
    };
    // By hand: a static busybox' own client looks services up, and dies of it.
    let fetch = |network: &str, host: &str, port: u16, path: &str| {
        let head = format!("printf 'GET {path} HTTP/1.0\\r\\n\\r\\n'");
        // Who stops sending at once has hung up, to OPA.
        let ask = format!("({head}; sleep 1) | nc -w 3 {host} {port}");
        inside(network, &["sh", "-c", &ask])
    };
    let lookup = |network: &str, name: &str| inside(network, &["nslookup", name, "127.0.0.11"]);
    // What is refused below is there, and a container like this gets through.
    fetch(policy, address, PORT, "/health").ends_with(0).says("200 OK");
    lookup(policy, "opa").ends_with(0).says(address);
    fetch(app, app_address, 3000, "/healthz").ends_with(0).says("uptime");
    lookup(app, "app-blue").ends_with(0).says(app_address);

    for name in ["opa", &opa] {
        let ran = lookup(app, name);
        assert!(ran.code != 0 && !ran.text().contains(address.as_str()), "{name} is known: {}", ran.text());
    }
    let (own, other) = (gateway(app), gateway(policy));
    for host in [address, &own, &other] {
        for port in [PORT, port] {
            let ran = fetch(app, host, port, "/health");
            assert!(ran.code != 0 && ran.out.is_empty(), "{host}:{port} answered: {}", ran.text());
        }
    }
}

#[test]
fn through_the_proxy_there_is_no_way_to_the_policy_engine() {
    let Some((world, port)) = deployed() else { return };
    let opa = format!("{}-opa", world.project);
    let address = networks(&world, &opa)[0].1.clone();
    let mut open = Vec::new();
    let mut look = |what: String, answer: &str| {
        // What the app or the proxy says of such a path is neither a policy
        // nor a decision.
        let shows = ["\"result\"", "package ", "thresholds", "unauthorized", "decision_id"];
        if answer.is_empty() || shows.iter().any(|word| answer.contains(word)) {
            open.push(format!("{what}: {answer:?}"));
        }
    };
    for path in [
        "/v1/policies",
        "/v1/data",
        "/v1/data/infra/decision",
        "/opa",
        "/opa/v1/policies",
        "/policy/v1/policies",
        "//opa:8181/v1/policies",
        "/..//opa:8181/v1/policies",
        "/@opa:8181/v1/policies",
        "/%2f%2fopa:8181/v1/policies",
    ] {
        for method in ["GET", "POST"] {
            look(format!("{method} {path}"), &raw(world.port, method, path, "", "{\"input\": {}}"));
        }
    }
    for host in ["opa:8181", &format!("{opa}:8181"), &format!("{address}:8181"), &format!("127.0.0.1:{port}")]
    {
        look(
            format!("Host: {host}"),
            &raw(world.port, "GET", "/v1/policies", &format!("Host: {host}\r\n"), ""),
        );
        let absolute = format!("http://{host}/v1/policies");
        look(absolute.clone(), &raw(world.port, "GET", &absolute, "", ""));
        for header in ["X-Forwarded-Host", "X-Original-URL", "X-Rewrite-URL", "X-Accel-Redirect"] {
            let line = format!("{header}: {absolute}\r\n");
            look(line.clone(), &raw(world.port, "GET", "/", &line, ""));
        }
        look(format!("CONNECT {host}"), &raw(world.port, "CONNECT", host, "", ""));
    }
    assert!(open.is_empty(), "{}", open.join("\n"));
}
