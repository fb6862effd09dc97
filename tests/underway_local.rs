//! Requests that are under way when the slot that answers them is emptied, on
//! the local target: each outlives it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

#[path = "support/world.rs"]
mod world;

use std::process::{Child, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use world::{Answer, Ran, World, request_within, until};

/// Longer than any of these tests takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A service of the user's own. It answers `/slow` three seconds after it was
/// asked to stop, then ends: longer than `stop_grace` and the drain of these tests.
const SERVICE: &str = r##"#!/usr/bin/env python3
import http.server, json, os, signal, threading, time
stopping, lock, counted = threading.Event(), threading.Lock(), [0]
class H(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_GET(self):
        version, kind = os.environ["APP_VERSION"], "application/json"
        body = json.dumps({"version": version, "mode": os.environ["MODE"]})
        if self.path == "/slow":
            open("under-way-" + version, "w").close()
            stopping.wait()
            time.sleep(3)
        elif self.path == "/metrics":
            kind, n = "text/plain", counted[0]
            body = "# TYPE http_requests_total counter\n"
            body += 'http_requests_total{path="/",status_code="200"} %d\n' % n
            body += "# TYPE http_request_duration_seconds histogram\n"
            for edge in ("0.5", "+Inf"):
                body += 'http_request_duration_seconds_bucket{path="/",le="%s"} %d\n' % (edge, n)
            body += 'http_request_duration_seconds_sum{path="/"} %g\n' % (n / 1000)
            body += 'http_request_duration_seconds_count{path="/"} %d\n' % n
        elif self.path == "/":
            with lock:
                counted[0] += 1
        data = body.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
server = Server(("127.0.0.1", int(os.environ["APP_PORT"])), H)
def stop(*a):
    stopping.set()
    threading.Thread(target=server.shutdown).start()
signal.signal(signal.SIGTERM, stop)
server.serve_forever()
server.server_close()
"##;

/// One that never becomes well and does not end when it is asked to.
const DEAF: &str = "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.1; done\n";

/// A project whose version 1.0.0 serves, with a request under way in it.
fn with_a_slow_request(edit: impl FnOnce(&str) -> String) -> (World, JoinHandle<Answer>) {
    let world = World::local();
    program(&world, SERVICE);
    world.edit_manifest(|text| {
        let services = "services:\n  command: [\"./app\"]\n  stop_grace: 1s\n";
        edit(&text.replace("services:\n", services))
    });
    world.run(&["deploy"]).ends_with(0);
    let port = world.port;
    let slow = std::thread::spawn(move || request_within(PATIENCE, port, "GET", "/slow", "").unwrap());
    until("the slow request is under way", PATIENCE, || {
        if world.path("under-way-1.0.0").exists() { Ok(()) } else { Err(String::new()) }
    });
    (world, slow)
}

/// Another version as canary, so that the warm slot is not what becomes stable.
fn tests_version_2(text: &str) -> String {
    text.replace("canary:\n", "canary:\n  version: \"2.0.0\"\n")
}

/// Puts a program in the place of the service's.
fn program(world: &World, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = world.path("app");
    // A running program is not written over.
    let _ = std::fs::remove_file(&path);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn set_version(world: &World, old: &str, new: &str) {
    let version = |version: &str| format!("version: \"{version}\"");
    world.edit_manifest(|text| text.replace(&version(old), &version(new)));
}

/// Begins a command and leaves it once it is in a step.
fn begin(world: &World, args: &[&str], step: &str) -> Child {
    let child = world.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until(&format!("the step {step}"), PATIENCE, || {
        let text = std::fs::read_to_string(world.path(".swiftdeploy/operation.json")).unwrap_or_default();
        if text.contains(step) { Ok(()) } else { Err(text) }
    });
    child
}

/// Ends a command as a crash would.
fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[track_caller]
fn was_answered_by(slow: JoinHandle<Answer>, version: &str) {
    let answer = slow.join().unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["version"], version);
}

#[test]
fn a_promotion_waits_for_requests_in_the_warm_slot_that_it_takes() {
    let (world, slow) = with_a_slow_request(tests_version_2);
    world.run(&["promote", "canary"]).ends_with(0);
    world.run(&["load", "--rps", "20", "--for", "4s"]).ends_with(0);
    assert!(!slow.is_finished(), "the stable slot is warm");
    world.run(&["promote", "stable"]).ends_with(0).says("empty slot");
    was_answered_by(slow, "1.0.0");
    assert_eq!(world.get("/").json()["version"], "2.0.0");
}

#[test]
fn a_shorter_timeout_does_not_cut_off_what_came_under_a_longer_one() {
    let (world, slow) = with_a_slow_request(str::to_owned);
    set_version(&world, "1.0.0", "1.0.1");
    world.edit_manifest(|text| text.replace("proxy_timeout: 30", "proxy_timeout: 1"));
    world.run(&["deploy"]).ends_with(0);
    was_answered_by(slow, "1.0.0");
}

#[test]
fn a_deploy_after_one_that_was_killed_while_draining_loses_nothing() {
    let (world, slow) = with_a_slow_request(|text| text.replace("drain: 1s", "drain: 50s"));
    set_version(&world, "1.0.0", "1.0.1");
    kill(begin(&world, &["deploy"], "drain"));
    assert!(!slow.is_finished(), "the old slot drains");
    set_version(&world, "1.0.1", "1.0.2");
    world.edit_manifest(|text| {
        text.replace("drain: 50s", "drain: 0s").replace("proxy_timeout: 30", "proxy_timeout: 1")
    });
    world.run(&["deploy"]).ends_with(0).says("empty slot");
    was_answered_by(slow, "1.0.0");
}

#[test]
fn nothing_is_waited_for_in_a_slot_that_no_route_led_to() {
    let (world, slow) = with_a_slow_request(str::to_owned);
    program(&world, DEAF);
    set_version(&world, "1.0.0", "1.0.1");
    kill(begin(&world, &["deploy"], "wait healthy"));
    program(&world, SERVICE);
    let ran = world.run(&["deploy"]).ends_with(0);
    assert!(!ran.text().contains("empty slot"), "{}", ran.text());
    was_answered_by(slow, "1.0.0");
}

#[test]
fn a_slot_is_not_emptied_for_what_cannot_be_started() {
    let (world, slow) = with_a_slow_request(tests_version_2);
    world.run(&["promote", "canary"]).ends_with(0);
    world.run(&["load", "--rps", "20", "--for", "4s"]).ends_with(0);
    std::fs::remove_file(world.path("app")).unwrap();
    world.run(&["promote", "stable"]).ends_with(1);
    world.run(&["rollback"]).ends_with(0);
    assert_eq!(world.get("/").json()["version"], "1.0.0");
    assert!(!slow.is_finished(), "it was never asked to stop");
}

#[test]
fn a_rollback_does_not_wait_for_a_promotion_that_empties_a_slot() {
    let (world, slow) = with_a_slow_request(tests_version_2);
    world.run(&["promote", "canary"]).ends_with(0);
    world.run(&["load", "--rps", "20", "--for", "4s"]).ends_with(0);
    let promotion = begin(&world, &["promote", "stable"], "empty slot");
    world.run(&["rollback"]).ends_with(0);
    Ran::of(&promotion.wait_with_output().unwrap()).ends_with(130);
    assert_eq!(world.get("/").json()["mode"], "stable");
    // Within `stop_grace` it was not to be had.
    assert_ne!(slow.join().unwrap().status, 200);
}
