//! Requests that are under way when the slot that answers them is emptied, on
//! the local target: each outlives it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

#[allow(dead_code, reason = "only traffic is needed here")]
#[path = "support/dashboard.rs"]
mod dashboard;
#[path = "support/world.rs"]
mod world;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use dashboard::Load;
use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};
use world::{Answer, Ran, World, request_within, until};

/// Longer than any of these tests takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A service of the user's own. It answers `/slow` three seconds after it was
/// asked to stop, and not while there is a file `hold`, then ends: longer than
/// `stop_grace` and the drain of these tests.
const SERVICE: &str = r##"#!/usr/bin/env python3
import http.server, json, os, signal, threading, time
stopping, lock, counted = threading.Event(), threading.Lock(), [0]
class H(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_GET(self):
        version, kind = os.environ["APP_VERSION"], "application/json"
        if self.path == "/healthz" and "x-forwarded-for" in self.headers and os.path.exists(version + "-lies-to-the-proxy"):
            version = "?"
        body = json.dumps({"version": version, "mode": os.environ["MODE"]})
        if self.path == "/slow":
            open("under-way-" + os.environ["APP_VERSION"], "w").close()
            stopping.wait()
            time.sleep(3)
            while os.path.exists("hold"): time.sleep(0.05)
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

/// The same, but it ends at once when it is asked to stop, whatever it has. It
/// answers `/slow` and the rest of `/half` once there is a file `answer`.
fn hasty_service() -> String {
    let wait = r#"while not os.path.exists("answer"): time.sleep(0.05)"#;
    let parts = [
        (r#"if self.path == "/slow":"#, r#"if self.path in ("/slow", "/half"):"#),
        (
            "            stopping.wait()\n            time.sleep(3)\n            while os.path.exists(\"hold\"): time.sleep(0.05)\n",
            "            if self.path == \"/slow\": self.wait()\n",
        ),
        (
            "        self.end_headers()\n",
            "        self.end_headers()\n        if self.path == \"/half\": self.wait()\n",
        ),
        ("    def do_GET", &format!("    def wait(self):\n        {wait}\n    def do_GET")),
        ("signal.signal(signal.SIGTERM, stop)\n", ""),
    ];
    parts.iter().fold(SERVICE.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old}");
        text.replace(old, new)
    })
}

/// One that never becomes well and does not end when it is asked to.
const DEAF: &str = "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.1; done\n";

/// A project whose version 1.0.0 serves, with a request under way in it.
fn with_a_slow_request(edit: impl FnOnce(&str) -> String) -> (World, JoinHandle<Answer>) {
    let world = deployed(edit);
    let slow = slow_request(&world, "1.0.0");
    (world, slow)
}

/// A project whose version 1.0.0 serves.
fn deployed(edit: impl FnOnce(&str) -> String) -> World {
    deployed_as(SERVICE, edit)
}

fn deployed_as(service: &str, edit: impl FnOnce(&str) -> String) -> World {
    let world = World::local();
    program(&world, service);
    world.edit_manifest(|text| {
        let services = "services:\n  command: [\"./app\"]\n  stop_grace: 1s\n";
        edit(&text.replace("services:\n", services))
    });
    world.run(&["deploy"]).ends_with(0);
    world
}

/// A request that the version that serves answers when it is asked to stop.
fn slow_request(world: &World, version: &str) -> JoinHandle<Answer> {
    slow_request_for(world, version, "/slow")
}

fn slow_request_for(world: &World, version: &str, path: &'static str) -> JoinHandle<Answer> {
    let port = world.port;
    let slow = std::thread::spawn(move || request_within(PATIENCE, port, "GET", path, "").unwrap());
    let under_way = world.path(&format!("under-way-{version}"));
    until("the slow request is under way", PATIENCE, || {
        if under_way.exists() { Ok(()) } else { Err(String::new()) }
    });
    slow
}

/// Another version as canary, so that the warm slot is not what becomes stable.
fn tests_version_2(text: &str) -> String {
    text.replace("canary:\n", "canary:\n  version: \"2.0.0\"\n")
}

/// A request that only ends with its service is awaited for half of that.
fn gives_20_s(text: &str) -> String {
    text.replace("proxy_timeout: 30", "proxy_timeout: 20")
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

/// Reads what a command tells until it awaits a request; the rest is still to come.
#[track_caller]
fn until_it_awaits(deploy: &mut Child) -> impl FnOnce() -> String + use<> {
    let mut output = BufReader::new(deploy.stdout.take().unwrap());
    let mut told = String::new();
    while !told.contains("1 request is awaited") {
        assert!(output.read_line(&mut told).unwrap() > 0, "no request was awaited:\n{told}");
    }
    move || {
        output.read_to_string(&mut told).unwrap();
        told
    }
}

/// Cancels a command.
fn interrupt(child: &Child) {
    signal(i32::try_from(child.id()).unwrap(), Signal::INT);
}

/// Ends a release as a crash would.
fn end_process(world: &World, service: &str) {
    let record = world.read(&format!(".swiftdeploy/local/processes/{service}.json"));
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let pid = record["process"]["pid"].as_i64().unwrap();
    signal(i32::try_from(pid).unwrap(), Signal::KILL);
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
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
    let load = Load::begin(&world, 20);
    assert!(!slow.is_finished(), "the stable slot is warm");
    world.run(&["promote", "stable"]).ends_with(0).says("empty slot");
    load.end();
    was_answered_by(slow, "1.0.0");
    assert_eq!(world.get("/").json()["version"], "2.0.0");
}

#[rstest]
#[case::nothing_has_come("/slow")]
#[case::its_answer_has_begun("/half")]
fn a_service_that_ends_at_once_is_not_asked_to_while_it_answers(#[case] path: &'static str) {
    let world = deployed_as(&hasty_service(), str::to_owned);
    let slow = slow_request_for(&world, "1.0.0", path);
    set_version(&world, "1.0.0", "1.0.1");
    let mut deploy = begin(&world, &["deploy", "--json"], "drain");
    let rest = until_it_awaits(&mut deploy);
    std::fs::write(world.path("answer"), "").unwrap();
    let told = rest();
    assert!(told.contains("requests were under way for longer than the drain"), "{told}");
    assert!(deploy.wait().unwrap().success(), "{told}");
    was_answered_by(slow, "1.0.0");
}

#[test]
fn a_rollback_in_the_drain_goes_to_what_still_runs_and_loses_nothing_there() {
    let world = deployed_as(&hasty_service(), str::to_owned);
    let slow = slow_request(&world, "1.0.0");
    set_version(&world, "1.0.0", "1.0.1");
    let mut deploy = begin(&world, &["deploy", "--json"], "drain");
    let rest = until_it_awaits(&mut deploy);
    let back = world.run(&["rollback"]).ends_with(0);
    assert!(!back.text().contains("empty slot") && !back.text().contains("start app-"), "{}", back.text());
    let told = rest();
    assert!(told.contains("cut short for a rollback: app-blue goes on"), "{told}");
    assert!(deploy.wait().unwrap().success(), "{told}");
    assert_eq!(world.get("/").json()["version"], "1.0.0");
    assert!(!slow.is_finished(), "it was not asked to stop");
    std::fs::write(world.path("answer"), "").unwrap();
    was_answered_by(slow, "1.0.0");
}

#[test]
fn a_rollback_does_not_wait_for_the_deploy_that_waits_for_a_slot_to_end() {
    let (world, slow) = with_a_slow_request(gives_20_s);
    std::fs::write(world.path("hold"), "").unwrap();
    set_version(&world, "1.0.0", "1.0.1");
    let deploy = begin(&world, &["deploy"], "stop app-blue");
    is_asked_to_stop(&world);
    let rollback = begin(&world, &["rollback"], "\"operation\": \"rollback\",\n  \"step\": \"empty slot");
    Ran::of(&deploy.wait_with_output().unwrap()).ends_with(0).says("left to finish: a rollback begins");
    std::fs::remove_file(world.path("hold")).unwrap();
    Ran::of(&rollback.wait_with_output().unwrap()).ends_with(0);
    was_answered_by(slow, "1.0.0");
    assert_eq!(world.get("/").json()["version"], "1.0.0");
}

#[test]
fn a_cancelled_switch_awaits_what_its_release_answers() {
    let world = deployed_as(&hasty_service(), str::to_owned);
    set_version(&world, "1.0.0", "1.0.1");
    std::fs::write(world.path("1.0.1-lies-to-the-proxy"), "").unwrap();
    let mut deploy = begin(&world, &["deploy", "--json"], "verify");
    let slow = slow_request(&world, "1.0.1");
    interrupt(&deploy);
    let rest = until_it_awaits(&mut deploy);
    std::fs::write(world.path("answer"), "").unwrap();
    let told = rest();
    assert_eq!(deploy.wait().unwrap().code(), Some(130), "{told}");
    was_answered_by(slow, "1.0.1");
    assert_eq!(world.get("/").json()["version"], "1.0.0");
}

#[test]
fn a_shorter_timeout_does_not_cut_off_what_came_under_a_longer_one() {
    let (world, slow) = with_a_slow_request(gives_20_s);
    set_version(&world, "1.0.0", "1.0.1");
    world.edit_manifest(|text| text.replace("proxy_timeout: 20", "proxy_timeout: 1"));
    world.run(&["deploy"]).ends_with(0);
    was_answered_by(slow, "1.0.0");
}

#[test]
fn a_deploy_after_one_that_was_killed_while_draining_loses_nothing() {
    let (world, slow) = with_a_slow_request(|text| gives_20_s(text).replace("drain: 1s", "drain: 50s"));
    set_version(&world, "1.0.0", "1.0.1");
    kill(begin(&world, &["deploy"], "drain"));
    assert!(!slow.is_finished(), "the old slot drains");
    set_version(&world, "1.0.1", "1.0.2");
    world.edit_manifest(|text| {
        text.replace("drain: 50s", "drain: 0s").replace("proxy_timeout: 20", "proxy_timeout: 1")
    });
    world.run(&["deploy"]).ends_with(0).says("empty slot");
    was_answered_by(slow, "1.0.0");
}

#[test]
fn nothing_is_waited_for_in_a_slot_that_no_route_led_to() {
    let (world, slow) = with_a_slow_request(gives_20_s);
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
    std::fs::remove_file(world.path("app")).unwrap();
    let load = Load::begin(&world, 20);
    world.run(&["promote", "stable"]).ends_with(1);
    load.end();
    world.run(&["rollback"]).ends_with(0);
    assert_eq!(world.get("/").json()["version"], "1.0.0");
    assert!(!slow.is_finished(), "it was never asked to stop");
}

fn is_asked_to_stop(world: &World) {
    until("it is asked to stop", PATIENCE, || {
        let is_noted = world.path(".swiftdeploy/local-asked-to-stop.json").exists();
        if is_noted { Ok(()) } else { Err(String::new()) }
    });
}

/// A slow request in the warm slot of a canary that is being promoted; it is not
/// answered while there is a file `hold`.
fn while_a_promotion_empties_the_slot() -> (World, JoinHandle<Answer>, Child) {
    let (world, slow) = with_a_slow_request(tests_version_2);
    world.run(&["promote", "canary"]).ends_with(0);
    std::fs::write(world.path("hold"), "").unwrap();
    let load = Load::begin(&world, 20);
    let promotion = begin(&world, &["promote", "stable"], "empty slot");
    load.end();
    is_asked_to_stop(&world);
    (world, slow, promotion)
}

#[test]
fn a_rollback_lets_requests_finish_in_the_slot_that_it_starts_in() {
    let (world, slow, promotion) = while_a_promotion_empties_the_slot();
    let rollback = begin(&world, &["rollback"], "\"operation\": \"rollback\",\n  \"step\": \"empty slot");
    std::fs::remove_file(world.path("hold")).unwrap();
    Ran::of(&rollback.wait_with_output().unwrap())
        .ends_with(0)
        .says("empty slot")
        .says("finished what it had");
    Ran::of(&promotion.wait_with_output().unwrap()).ends_with(130);
    was_answered_by(slow, "1.0.0");
    assert_eq!(world.get("/").json()["mode"], "stable");
}

#[test]
fn a_rollback_waits_for_nothing_where_nothing_serves() {
    let (world, slow, promotion) = while_a_promotion_empties_the_slot();
    kill(promotion);
    end_process(&world, "app-green");
    let ran = world.run(&["rollback"]).ends_with(0);
    assert!(!ran.text().contains("empty slot"), "{}", ran.text());
    assert_eq!(world.get("/").json()["mode"], "stable");
    drop(slow);
}

#[test]
fn a_rollback_does_not_start_what_still_runs() {
    let (world, slow) = with_a_slow_request(|text| text.replace("drain: 1s", "drain: 50s"));
    set_version(&world, "1.0.0", "1.0.1");
    kill(begin(&world, &["deploy"], "drain"));
    let rollback = begin(&world, &["rollback"], "\"operation\": \"rollback\",\n  \"step\": \"drain\"");
    assert_eq!(world.get("/").json()["version"], "1.0.0");
    assert!(!slow.is_finished(), "it was never asked to stop");
    // Its drain of the other release is as long.
    interrupt(&rollback);
    let ran = Ran::of(&rollback.wait_with_output().unwrap()).ends_with(0);
    assert!(!ran.text().contains("start app-"), "{}", ran.text());
    assert!(!slow.is_finished());
    set_version(&world, "1.0.1", "1.0.2");
    world.edit_manifest(|text| text.replace("drain: 50s", "drain: 0s"));
    world.run(&["deploy"]).ends_with(0);
    was_answered_by(slow, "1.0.0");
}

#[test]
fn a_rollback_does_not_go_to_what_was_asked_to_stop() {
    let (world, slow) = with_a_slow_request(gives_20_s);
    set_version(&world, "1.0.0", "1.0.1");
    let deploy = begin(&world, &["deploy"], "stop app-blue");
    is_asked_to_stop(&world);
    kill(deploy);
    world.run(&["rollback"]).ends_with(0).says("start app-blue");
    was_answered_by(slow, "1.0.0");
    assert_eq!(world.get("/").json()["version"], "1.0.0");
}

#[test]
fn a_failed_switch_lets_requests_finish_in_the_release_that_it_takes_out() {
    let world = deployed(gives_20_s);
    set_version(&world, "1.0.0", "1.0.1");
    std::fs::write(world.path("1.0.1-lies-to-the-proxy"), "").unwrap();
    let deploy = begin(&world, &["deploy"], "verify");
    let slow = slow_request(&world, "1.0.1");
    Ran::of(&deploy.wait_with_output().unwrap()).ends_with(1).says("does not show the new release");
    was_answered_by(slow, "1.0.1");
    assert_eq!(world.get("/").json()["version"], "1.0.0");
}
