//! The story of a service's life by commands, the same on every target.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::world::{World, until};

/// Everything below a folder, by name.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            all.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
    all
}

/// From `init` to `audit`, with everything a person would look at on the way.
/// Teardown is left to the caller, who knows how to look for leftovers.
pub fn tell(world: &World) {
    files_come_back_identical(world);
    five_checks_pass(world);
    deploys_stable(world);
    canary_takes_over(world);
    chaos_is_seen_and_denied(world);
    rollback_restores(world);
    report_tells_it_all(world);
}

fn files_come_back_identical(world: &World) {
    world.run(&["init", "--check"]).ends_with(1);
    world.run(&["init"]).ends_with(0);
    let first = contents(&world.path("generated"));
    assert!(first.len() >= 3, "{:?}", first.keys());
    std::fs::remove_dir_all(world.path("generated")).unwrap();
    world.run(&["init"]).ends_with(0);
    assert_eq!(contents(&world.path("generated")), first);
    world.run(&["init", "--check"]).ends_with(0);
}

fn five_checks_pass(world: &World) {
    let checks = world.run(&["validate"]).ends_with(0);
    let lines: Vec<&str> = checks.out.lines().collect();
    assert_eq!(lines.len(), 5, "{}", checks.out);
    assert!(lines.iter().all(|line| line.starts_with("PASS")), "{}", checks.out);
}

fn deploys_stable(world: &World) {
    world.run(&["deploy"]).ends_with(0);
    let answer = world.get("/");
    assert_eq!((answer.status, answer.header("x-deployed-by")), (200, Some("swiftdeploy")));
    assert_eq!(answer.json()["mode"], "stable");
    assert_eq!(answer.header("x-mode"), None);
}

fn canary_takes_over(world: &World) {
    let before = world.read("manifest.yaml");
    world.run(&["promote", "canary"]).ends_with(0);
    let answer = world.get("/");
    assert_eq!(answer.json()["mode"], "canary");
    assert_eq!(
        (answer.header("x-mode"), answer.header("x-deployed-by")),
        (Some("canary"), Some("swiftdeploy"))
    );
    assert_eq!(world.read("manifest.yaml"), before.replace("mode: stable", "mode: canary"));
    world.run(&["init", "--check"]).ends_with(0);
}

fn chaos_is_seen_and_denied(world: &World) {
    let injected = world.post("/chaos", r#"{"mode":"error","rate":0.9}"#);
    assert_eq!(injected.status, 200, "{injected:?}");
    world.run(&["load", "--rps", "40", "--for", "8s"]).ends_with(0).says("500 ×");
    until("the dashboard shows the failing canary", Duration::from_secs(30), || {
        world.run(&["load", "--rps", "40", "--for", "1s"]).ends_with(0);
        let seen = world.run(&["status", "--once", "--json"]).ends_with(0).json();
        let status = seen.last().unwrap().clone();
        let verdict = |name: &str| {
            status["policies"]
                .as_array()
                .and_then(|all| all.iter().find(|policy| policy["policy"] == name))
                .map(|policy| policy["verdict"].clone())
        };
        let is_seen = status["error_rate"].as_f64().is_some_and(|rate| rate > 0.5)
            && verdict("canary").is_some_and(|verdict| verdict == "FAIL")
            && verdict("infra").is_some_and(|verdict| verdict == "PASS");
        if is_seen { Ok(()) } else { Err(status.to_string()) }
    });
    world.run(&["status", "--once"]).ends_with(0).says("✗ Canary safety policy: FAILING").says("error_rate");
    world
        .run(&["promote", "stable"])
        .ends_with(2)
        .says("Promotion blocked: Canary safety policy violation")
        .says("error_rate 0.9")
        .says("limit 0.01");
    assert_eq!(world.get("/healthz").json()["mode"], "canary");
}

fn rollback_restores(world: &World) {
    world.run(&["rollback"]).ends_with(0);
    let health = world.get("/healthz");
    assert_eq!((health.status, health.json()["mode"].as_str()), (200, Some("stable")));
    assert!(world.read("manifest.yaml").contains("mode: stable"));
    for _ in 0..20 {
        assert_eq!(world.get("/").status, 200);
    }
}

fn report_tells_it_all(world: &World) {
    world.run(&["audit"]).ends_with(0);
    let report = world.read("audit_report.md");
    let must_have = [
        "deploy",
        "promote canary",
        "rollback",
        "| stable | canary | promote canary |",
        "| canary | stable | rollback |",
        "error rate 0.9",
        "| Timestamp | Policy | Details |",
        "error\\_rate 0.9",
    ];
    for text in must_have {
        assert!(report.contains(text), "no {text:?} in\n{report}");
    }
    world.run(&["audit", "verify"]).ends_with(0);
}
