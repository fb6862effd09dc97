//! The story of a service's life by commands, the same on every target.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

use std::time::Duration;

use super::dashboard::{Dashboard, Load};
use super::look::{contents, report_tells_it_all};
use super::world::World;

/// From an empty folder to the report, with everything a person would look at
/// on the way. Teardown is left to the caller, who knows how to look for
/// leftovers.
pub fn tell(world: &World) {
    new_writes_the_starters(world);
    files_come_back_identical(world);
    five_checks_pass(world);
    deploys_stable(world);
    canary_takes_over(world);
    chaos_is_seen_and_denied(world);
    rollback_restores(world);
    audit_tells_it_all(world);
}

fn new_writes_the_starters(world: &World) {
    assert_eq!(contents(world.root()).len(), 0, "the story begins with nothing");
    world.run(&["new", ".", "--target", world.target]).ends_with(0).says("created ./manifest.yaml");
    for name in ["manifest.yaml", "policies/data.json", "policies/infra.rego", "policies/canary.rego"] {
        assert!(world.path(name).is_file(), "{name} was not written");
    }
    world.settle();
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
    let injected = world.curl_chaos(r#"{"mode":"error","rate":0.9}"#);
    assert_eq!(injected.status, 200, "{injected:?}");
    let dashboard = Dashboard::open(world);
    let load = Load::begin(world, 40);
    dashboard.shows("the failing canary", Duration::from_secs(30), |status| {
        let verdict = |name: &str| {
            let all = status["policies"].as_array()?;
            all.iter().find(|policy| policy["policy"] == name)?["verdict"].as_str()
        };
        status["error_rate"].as_f64().is_some_and(|rate| rate > 0.5)
            && (verdict("canary"), verdict("infra")) == (Some("FAIL"), Some("PASS"))
    });
    world.run(&["status", "--once"]).ends_with(0).says("✗ Canary safety policy: FAILING").says("error_rate");
    world
        .run(&["promote", "stable"])
        .ends_with(2)
        .says("Promotion blocked: Canary safety policy violation")
        .says("error_rate 0.")
        .says("limit 0.01");
    assert_eq!(world.get("/healthz").json()["mode"], "canary");
    load.end();
    dashboard.close();
}

/// Nobody is asked: the command has no terminal to ask on, and no `--yes`.
fn rollback_restores(world: &World) {
    world.run(&["rollback"]).ends_with(0);
    let health = world.get("/healthz");
    assert_eq!((health.status, health.json()["mode"].as_str()), (200, Some("stable")));
    assert!(world.read("manifest.yaml").contains("mode: stable"));
    for _ in 0..20 {
        assert_eq!(world.get("/").status, 200);
    }
}

fn audit_tells_it_all(world: &World) {
    world.run(&["audit"]).ends_with(0);
    report_tells_it_all(&world.read("audit_report.md"));
    world.run(&["audit", "verify"]).ends_with(0);
}
