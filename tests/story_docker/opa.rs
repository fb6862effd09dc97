//! The gates are answered by the project's own OPA, or not at all.

#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy knows only test functions as tests")]

use std::time::Duration;

use super::among_others;
use super::dashboard::Load;
use super::world::{World, until};

#[test]
fn without_opa_every_gate_denies_and_works_again_when_it_returns() {
    let _among = among_others();
    let Some(world) = World::docker() else { return };
    world.run(&["deploy"]).ends_with(0);
    let opa = format!("{}-opa", world.project);
    world.tool("docker", &["stop", &opa]).ends_with(0);
    for command in [&["deploy"][..], &["promote", "canary"]] {
        world.run(command).ends_with(2).says("policy engine not running");
    }
    world.run(&["policy", "ask", "infra"]).ends_with(2).says("policy engine not running");
    world.run(&["status", "--once"]).ends_with(0).says("NO DECISION");
    assert_eq!(world.get("/").json()["mode"], "stable");
    world.tool("docker", &["start", &opa]).ends_with(0);
    until("OPA answers again", Duration::from_secs(20), || {
        let ran = world.run(&["policy", "ask", "infra"]);
        if ran.code == 0 { Ok(()) } else { Err(ran.text()) }
    });
    world.run(&["promote", "canary"]).ends_with(0);
    world.tool("docker", &["stop", &opa]).ends_with(0);
    world.run(&["promote", "stable"]).ends_with(2).says("policy engine not running");
    // Going back is never gated.
    world.run(&["rollback"]).ends_with(0);
    assert_eq!(world.get("/").json()["mode"], "stable");
}

#[test]
fn a_canary_is_adopted_through_opa() {
    let _among = among_others();
    let Some(world) = World::docker() else { return };
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    let load = Load::begin(&world, 40);
    world.run(&["promote", "stable"]).ends_with(0).says("by opa");
    load.end();
    assert_eq!(world.get("/healthz").json()["mode"], "stable");
}

#[test]
fn another_projects_opa_is_never_asked() {
    let _among = among_others();
    let (Some(first), Some(second)) = (World::docker(), World::docker()) else { return };
    first.run(&["deploy"]).ends_with(0);
    let port = |world: &World| {
        let text = world.read("manifest.yaml");
        let line =
            text.lines().skip_while(|line| *line != "policy:").find(|line| line.trim().starts_with("port:"));
        line.unwrap().to_owned()
    };
    let (taken, own) = (port(&first), port(&second));
    second.edit_manifest(|text| text.replace(&own, &taken));
    second
        .run(&["deploy"])
        .ends_with(1)
        .says("this project's Open Policy Agent cannot start")
        .says(&format!("{}-opa", first.project))
        .says("policy.port");
}
