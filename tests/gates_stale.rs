//! Policies that changed behind a real OPA, as the app tells it: every gate
//! denies as stale, the status says STALE, and it ends with its cause.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

mod policy_support;
#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use policy_support::{RunningOpa, real_opa};
use world::{World, until};

/// A service that serves, on the local target, asked about by a real OPA that
/// watches the project's policies.
async fn serving() -> Option<(World, RunningOpa)> {
    let binary = real_opa()?;
    let world = World::local();
    let opa = RunningOpa::start(&binary, &world.path("policies"), &["--watch"]).await;
    let port = opa.address.port();
    world.edit_manifest(|text| {
        let from = text.find("policy:\n  port: ").unwrap();
        let to = from + text[from..].find("status:").unwrap();
        let ours = format!("policy:\n  engine: opa\n  port: {port}\n  timeout: 5s\n");
        format!("{}{ours}{}", &text[..from], &text[to..])
    });
    world.run(&["deploy"]).ends_with(0);
    Some((world, opa))
}

/// The status comes to say this: OPA's watch takes a moment.
fn status_says(world: &World, what: &str) {
    until(what, Duration::from_secs(30), || {
        let ran = world.run(&["status", "--once"]).ends_with(0);
        if ran.out.contains(what) { Ok(()) } else { Err(ran.out) }
    });
}

fn is_stale(world: &World, why: &str) {
    status_says(world, "✗ Infrastructure policy: STALE");
    status_says(world, why);
    let status = world.run(&["status", "--once", "--json"]).ends_with(0).json();
    let fault = status.last().unwrap()["policies"][0]["fault"].to_string();
    assert!(fault.contains("policy engine is stale"), "{fault}");
    world
        .run(&["deploy"])
        .ends_with(2)
        .says("Deployment blocked: no policy decision")
        .says("policy engine is stale")
        .says("- next: run `swiftdeploy validate`");
    assert_eq!(world.get("/").json()["mode"], "stable", "what serves goes on serving");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_opa_cannot_load_is_stale_until_it_is_corrected() {
    let Some((world, _opa)) = serving().await else { return };
    let good = world.read("policies/infra.rego");
    std::fs::write(world.path("policies/infra.rego"), format!("{good}\nbroken if {{\n")).unwrap();
    is_stale(&world, "infra.rego on disk is not what the engine has loaded");
    world.run(&["validate"]).ends_with(1).says("the policies are refused").says("infra.rego");
    std::fs::write(world.path("policies/infra.rego"), &good).unwrap();
    status_says(&world, "✓ Infrastructure policy: PASSING");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vanished_limits_are_stale_until_they_are_back() {
    let Some((world, _opa)) = serving().await else { return };
    let data = world.read("policies/data.json");
    std::fs::remove_file(world.path("policies/data.json")).unwrap();
    is_stale(&world, "it still decides by what it loaded before");
    world.run(&["validate"]).ends_with(1).says("data.json");
    world.set_limits(&data);
    status_says(&world, "✓ Infrastructure policy: PASSING");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_with_other_policies_than_the_disk_is_stale() {
    let Some(binary) = real_opa() else { return };
    let Some((world, watching)) = serving().await else { return };
    drop(watching);
    // Another one on the same port, which has loaded the policies of before.
    let before = tempfile::tempdir().unwrap();
    for name in ["infra.rego", "canary.rego", "data.json"] {
        let text = world.read(&format!("policies/{name}"));
        let text = if name == "infra.rego" { format!("{text}\n# tampered with\n") } else { text };
        std::fs::write(before.path().join(name), text).unwrap();
    }
    let opa = RunningOpa::start(&binary, before.path(), &[]).await;
    let port = opa.address.port();
    world.edit_manifest(|text| {
        let at = text.find("  engine: opa\n  port: ").unwrap();
        let line = text[at..].lines().nth(1).unwrap().to_owned();
        text.replace(&line, &format!("  port: {port}"))
    });
    is_stale(&world, "infra.rego on disk is not what the engine has loaded");
    // Going back asks nobody.
    world.run(&["rollback"]);
    assert_eq!(world.get("/").status, 200);
}
