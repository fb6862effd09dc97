//! What goes wrong in the middle, on the local target: edits between two
//! operations, processes that die, cancels, repeated rollbacks. Each was once
//! a hole.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

#[path = "support/world.rs"]
mod world;

use std::process::{Child, Stdio};
use std::time::Duration;

use world::{Ran, World, until};

/// A service of the user's own that tells who it is.
const SERVICE: &str = r##"#!/usr/bin/env python3
import http.server, json, os, sys, time
WHO = "NAME"
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def do_GET(self):
        if self.path == "/metrics":
            body, kind = "# TYPE http_requests_total counter\nhttp_requests_total{path=\"/\",status_code=\"200\"} 1\n", "text/plain"
        else:
            body, kind = json.dumps({"who": WHO, "version": os.environ["APP_VERSION"], "mode": os.environ["MODE"]}), "application/json"
        data = body.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["APP_PORT"])), H).serve_forever()
"##;

/// Writes a service that tells this name.
fn service(world: &World, name: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = world.path(&format!("{name}.py"));
    std::fs::write(&path, SERVICE.replace("NAME", name)).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn set_command(world: &World, name: &str) {
    world.edit_manifest(|text| {
        let kept: Vec<&str> =
            text.lines().filter(|line| !line.trim_start().starts_with("command:")).collect();
        kept.join("\n").replace("services:\n", &format!("services:\n  command: [\"./{name}.py\"]\n")) + "\n"
    });
}

fn set_version(world: &World, version: &str) {
    world.edit_manifest(|text| {
        let lines = text.lines().map(|line| match line.trim_start().strip_prefix("version:") {
            Some(_) => format!("  version: \"{version}\""),
            None => line.to_owned(),
        });
        lines.collect::<Vec<_>>().join("\n") + "\n"
    });
}

/// The recorded process of a service.
fn pid(world: &World, service: &str) -> i32 {
    let folder = world.path(".swiftdeploy/local/processes");
    let record = std::fs::read_to_string(folder.join(format!("{service}.json"))).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    find_pid(&record).unwrap_or_else(|| panic!("no pid in {record}"))
}

fn find_pid(value: &serde_json::Value) -> Option<i32> {
    match value {
        serde_json::Value::Object(members) => members
            .get("pid")
            .and_then(serde_json::Value::as_i64)
            .and_then(|pid| i32::try_from(pid).ok())
            .or_else(|| members.values().find_map(find_pid)),
        _ => None,
    }
}

fn signal(pid: i32, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// The kinds of the history's records, with what tells them apart.
fn history(world: &World) -> Vec<serde_json::Value> {
    world.read("history.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of_kind<'h>(history: &'h [serde_json::Value], kind: &str) -> Vec<&'h serde_json::Value> {
    history.iter().filter(|record| record["kind"] == kind).collect()
}

fn start(world: &World, args: &[&str]) -> Child {
    world.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn wait_for_step(world: &World, step: &str) {
    until(&format!("the step {step}"), Duration::from_secs(20), || {
        let text = std::fs::read_to_string(world.path(".swiftdeploy/operation.json")).unwrap_or_default();
        if text.contains(step) { Ok(()) } else { Err(text) }
    });
}

fn ended(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn what_was_not_tested_as_canary_does_not_become_stable() {
    let world = World::local();
    service(&world, "a");
    service(&world, "b");
    set_command(&world, "a");
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    set_command(&world, "b");
    world.run(&["promote", "stable"]).ends_with(1).says("the manifest changed since the canary was started");
    assert_eq!(world.get("/").json()["who"], "a");
}

#[test]
fn a_canary_is_not_deployed_over_even_when_the_proxy_is_dead() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    world.edit_manifest(|text| text.replace("mode: canary", "mode: stable"));
    signal(pid(&world, "proxy"), rustix::process::Signal::KILL);
    world.run(&["deploy"]).ends_with(1).says("is a canary under test");
    world.run(&["rollback"]).ends_with(0);
    assert_eq!(world.get("/healthz").json()["mode"], "stable");
}

#[test]
fn a_deploy_does_not_take_the_serving_slot_when_the_proxy_is_dead() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    signal(pid(&world, "proxy"), rustix::process::Signal::KILL);
    set_version(&world, "1.0.1");
    world.run(&["deploy"]).ends_with(0).says("start app-green");
    assert!(!world.path(".swiftdeploy/local/processes/app-blue.json").exists(), "the old slot is retired");
    assert_eq!(world.get("/").json()["version"], "1.0.1");
}

#[test]
fn a_rollback_brings_the_old_program_back_not_only_its_version() {
    let world = World::local();
    service(&world, "a");
    service(&world, "b");
    set_command(&world, "a");
    world.run(&["deploy"]).ends_with(0);
    set_command(&world, "b");
    set_version(&world, "2");
    world.run(&["deploy"]).ends_with(0);
    assert_eq!(world.get("/").json()["who"], "b");
    world.run(&["rollback"]).ends_with(0).says("the manifest still says");
    let answer = world.get("/").json();
    assert_eq!((answer["who"].as_str(), answer["version"].as_str()), (Some("a"), Some("1.0.0")));
}

#[test]
fn a_rollback_and_a_teardown_do_not_depend_on_unfinished_edits() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    world.edit_manifest(|text| text.replace("  port: 3000", "  prot: 3000"));
    world.run(&["rollback"]).ends_with(0).says("the manifest does not say so");
    assert_eq!(world.get("/healthz").json()["mode"], "stable");
    world.run(&["teardown", "--yes"]).ends_with(0).says("the stack is taken down as it was deployed");
    assert_eq!(world.processes(), Vec::<String>::new());
}

#[test]
fn a_second_rollback_goes_back_one_more_and_never_forward() {
    let world = World::local();
    for version in ["1", "2", "3"] {
        set_version(&world, version);
        world.run(&["deploy"]).ends_with(0);
    }
    for version in ["2", "1"] {
        world.run(&["rollback"]).ends_with(0);
        assert_eq!(world.get("/").json()["version"], version);
    }
    world.run(&["rollback"]).ends_with(1).says("no earlier good release");
}

#[test]
fn a_rollback_that_was_killed_is_finished_by_the_next() {
    let world = World::local();
    world.edit_manifest(|text| text.replace("drain: 1s", "drain: 20s"));
    for version in ["1", "2"] {
        set_version(&world, version);
        let child = start(&world, &["deploy"]);
        if version == "2" {
            // The cancel cuts the long drain short.
            wait_for_step(&world, "drain");
            signal(i32::try_from(child.id()).unwrap(), rustix::process::Signal::INT);
        }
        ended(child).ends_with(0);
    }
    let mut child = start(&world, &["rollback"]);
    wait_for_step(&world, "drain");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(world.get("/").json()["version"], "1");
    // By the manifest that the stack was deployed under, with its long drain.
    let child = start(&world, &["rollback"]);
    until("the cut off operation is on record", Duration::from_secs(20), || {
        let text = world.read("history.jsonl");
        if text.contains("\"interrupted\"") { Ok(()) } else { Err(String::new()) }
    });
    wait_for_step(&world, "drain");
    signal(i32::try_from(child.id()).unwrap(), rustix::process::Signal::INT);
    ended(child).ends_with(0).says("it is finished now");
    assert_eq!(world.get("/").json()["version"], "1");
    let interrupted =
        |record: &&serde_json::Value| record["outcome"] == "interrupted" && record["operation"] == "rollback";
    let history = history(&world);
    assert_eq!(of_kind(&history, "operation_finished").into_iter().filter(interrupted).count(), 1);
}

#[test]
fn a_rollback_does_not_wait_for_a_promotion_that_waits_for_requests() {
    let world = World::local();
    world.edit_manifest(|text| text.replace("max_wait: 20s", "max_wait: 4m"));
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    let waiting = start(&world, &["promote", "stable"]);
    wait_for_step(&world, "gate canary");
    world.run(&["rollback"]).ends_with(0);
    ended(waiting).ends_with(130);
    assert_eq!(world.get("/healthz").json()["mode"], "stable");
}

#[test]
fn chaos_comes_beside_a_promotion_that_waits_and_nothing_else_does() {
    let world = World::local();
    world.edit_manifest(|text| text.replace("max_wait: 20s", "max_wait: 4m"));
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    let waiting = start(&world, &["promote", "stable"]);
    until("the promotion lets chaos in", Duration::from_secs(20), || {
        let is_open = world.path(".swiftdeploy/lets-chaos-in").exists();
        if is_open { Ok(()) } else { Err(String::new()) }
    });
    world.run(&["chaos", "error", "--rate", "1"]).ends_with(0);
    assert_eq!(world.get("/").status, 500);
    assert!(world.read(".swiftdeploy/operation.json").contains("promote stable"), "the journal is its own");
    world.run(&["deploy"]).ends_with(4);
    world.run(&["chaos", "recover"]).ends_with(0);
    assert_eq!(world.get("/").status, 200);
    world.run(&["load", "--rps", "40", "--for", "8s"]).ends_with(0);
    // By the errors of a while ago, or by a window without them.
    let ran = ended(waiting);
    assert!([0, 2].contains(&ran.code), "{}", ran.text());
    assert!(!world.path(".swiftdeploy/lets-chaos-in").exists());
    let history = history(&world);
    let finished = of_kind(&history, "operation_finished");
    assert!(finished.iter().all(|record| record["outcome"] != "interrupted"), "{finished:?}");
    assert_eq!(of_kind(&history, "chaos_ended").len(), 1);
}

#[test]
fn a_cancel_while_waiting_for_health_leaves_what_served() {
    let world = World::local();
    service(&world, "a");
    set_command(&world, "a");
    world.run(&["deploy"]).ends_with(0);
    std::fs::write(world.path("never.py"), "#!/bin/sh\nexec sleep 600\n").unwrap();
    std::process::Command::new("chmod").arg("+x").arg(world.path("never.py")).status().unwrap();
    set_command(&world, "never");
    let child = start(&world, &["deploy"]);
    wait_for_step(&world, "wait healthy");
    signal(i32::try_from(child.id()).unwrap(), rustix::process::Signal::INT);
    ended(child).ends_with(130).says("serves the traffic");
    assert_eq!(world.get("/").json()["who"], "a");
    let left: Vec<_> = world.processes().into_iter().filter(|line| line.contains("never")).collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn what_a_killed_process_was_writing_goes_with_the_next_operation() {
    let world = World::local();
    world.run(&["init"]).ends_with(0);
    let left = [
        ".swiftdeploy/.swiftdeploy-Ab12Cd",
        ".swiftdeploy/.swiftdeploy-unfinished-Ab12Cd",
        ".swiftdeploy/head-Ab12Cd",
        ".manifest-Ab12Cd.tmp",
        ".swiftdeploy-unfinished-Ab12Cd",
        "generated/.swiftdeploy-unfinished-Ab12Cd",
    ];
    // A person's own, and one that somebody may be writing just now.
    let (own, young) = (".swiftdeploy-backup", ".swiftdeploy/.swiftdeploy-unfinished-young");
    for name in left.iter().chain([&own, &young]) {
        let file = std::fs::File::create(world.path(name)).unwrap();
        if *name != young {
            let long_ago = file.metadata().unwrap().modified().unwrap() - Duration::from_mins(5);
            file.set_modified(long_ago).unwrap();
        }
    }
    world.run(&["teardown", "--yes"]).ends_with(0);
    let still: Vec<_> = left.iter().filter(|name| world.path(name).exists()).collect();
    assert!(still.is_empty(), "{still:?}");
    assert!(world.path(own).exists() && world.path(young).exists());
}

#[test]
fn output_that_cannot_be_written_does_not_stop_a_deploy() {
    let world = World::local();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = world.command(&["deploy"]).stdout(full).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(1), "the output is an error");
    assert_eq!(world.get("/").status, 200);
    let history = history(&world);
    let outcome = of_kind(&history, "operation_finished").pop().unwrap();
    assert_eq!((outcome["operation"].as_str(), outcome["outcome"].as_str()), (Some("deploy"), Some("done")));
}

#[test]
fn every_fault_and_violation_has_one_beginning_and_one_end_on_record() {
    let world = World::local();
    // The gate asks when a window of 5 s may be over: after four commands.
    world.edit_manifest(|text| text.replace("window: 5s", "window: 10s"));
    world.run(&["deploy"]).ends_with(0);
    for _ in 0..2 {
        world.run(&["promote", "canary"]).ends_with(0);
        world.run(&["chaos", "error", "--rate", "1"]).ends_with(0);
        world.run(&["load", "--rps", "40", "--for", "9s"]).ends_with(0);
        for _ in 0..3 {
            world.run(&["status", "--once"]).ends_with(0);
        }
        world.run(&["promote", "stable"]).ends_with(2);
        world.run(&["rollback"]).ends_with(0);
        world.run(&["status", "--once"]).ends_with(0);
    }
    let history = history(&world);
    for kind in ["chaos_injected", "chaos_ended", "violation", "violation_ended"] {
        assert_eq!(of_kind(&history, kind).len(), 2, "{kind}: {:?}", of_kind(&history, kind));
    }
}

#[test]
fn a_list_of_releases_that_cannot_be_read_is_no_empty_one_and_is_not_written_over() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    world.edit_manifest(|text| text.replace("version: \"1.0.0\"", "version: \"1.0.1\""));
    world.run(&["deploy"]).ends_with(0);
    let list = world.path(".swiftdeploy/local-releases.json");
    let good = std::fs::read(&list).unwrap();
    std::fs::write(&list, "{\"half").unwrap();
    world
        .run(&["rollback"])
        .ends_with(1)
        .says("local-releases.json lists the releases to go back to and cannot");
    world.edit_manifest(|text| text.replace("version: \"1.0.1\"", "version: \"1.0.2\""));
    world.run(&["deploy"]).ends_with(0).says("a rollback may not find this release: ").says("cannot be read");
    assert_eq!(std::fs::read(&list).unwrap(), b"{\"half");
    std::fs::write(&list, good).unwrap();
    world.run(&["rollback"]).ends_with(0);
    assert_eq!(world.get("/").json()["version"], "1.0.1");
}

#[test]
fn after_a_teardown_the_next_deploy_is_stable_again() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    world.run(&["teardown", "--yes"]).ends_with(0);
    assert!(world.read("manifest.yaml").contains("mode: stable"));
    world.run(&["deploy"]).ends_with(0);
    assert_eq!(world.get("/").json()["mode"], "stable");
}

#[test]
fn a_fault_that_came_past_us_is_on_record_even_when_nobody_watched() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    assert_eq!(world.post("/chaos", r#"{"mode":"error","rate":0.7}"#).status, 200);
    world.run(&["rollback"]).ends_with(0);
    world.run(&["audit"]).ends_with(0);
    assert!(world.read("audit_report.md").contains("error rate 70 %"), "{}", world.read("audit_report.md"));
}
