//! The proxy outlives what is edited in the manifest; where it has to be made
//! anew that is told before, and in a step of its own.

#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy knows only test functions as tests")]

use std::time::Duration;

use super::world::{self, World, until};
use super::{among_others, load};

const COMPOSE_FILE: &str = "generated/docker-compose.yml";

/// The proxy's container.
fn id(world: &World) -> String {
    let name = format!("{}-nginx", world.project);
    world.tool("docker", &["inspect", "--format", "{{.Id}}", &name]).ends_with(0).out
}

/// What a plan in JSON says would be replaced.
fn to_be_replaced(world: &World) -> Vec<String> {
    let lines = world.run(&["plan", "--json"]).ends_with(0).json();
    let plan = lines.iter().find(|line| line["event"] == "plan").unwrap();
    let list = plan["replace"].as_array().unwrap();
    list.iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

fn up_by_compose(world: &World) {
    world.tool("docker-compose", &["-f", COMPOSE_FILE, "up", "-d"]).ends_with(0);
    let answer = until("Compose alone serves the app", Duration::from_secs(30), || {
        match world::request(world.port, "GET", "/", "") {
            Ok(answer) if answer.status == 200 => Ok(answer),
            other => Err(format!("{other:?}")),
        }
    });
    assert_eq!(answer.header("x-deployed-by"), Some("swiftdeploy"));
    assert_eq!(answer.json()["mode"], "stable");
}

/// A drain shorter than nginx keeps idle connections over a reload, where `new`
/// writes none, which is 10 s.
#[test]
fn a_redeploy_with_other_times_loses_no_request_and_keeps_the_proxy_and_so_does_a_rollback() {
    let _among = among_others();
    let Some(world) = World::docker() else { return };
    world.edit_manifest(|text| text.replace("  drain: 1s\n", ""));
    world.run(&["deploy"]).ends_with(0);
    let proxy = id(&world);
    let edit = |text: String| text.replace("timeout: 3\n", "timeout: 20\n  drain: 1s\n");
    load::redeploy_under_load(&world, "1.0.0", "1.0.1", edit).says("for clients whose connections were idle");
    assert_eq!(id(&world), proxy);
    world.edit_manifest(|text| text.replace("timeout: 20", "timeout: 50"));
    assert_eq!(to_be_replaced(&world), Vec::<String>::new());
    world.run(&["rollback"]).ends_with(0);
    assert_eq!(world.get("/").json()["version"], "1.0.0");
    assert_eq!(id(&world), proxy);
}

#[test]
fn another_port_and_another_image_are_told_before_a_deploy_replaces_the_proxy() {
    let _among = among_others();
    let Some(world) = World::docker() else { return };
    world.run(&["deploy"]).ends_with(0);
    let (proxy, old, new) = (id(&world), world.port, world::ports::free_port());
    let why = format!("nginx.port is {new} and was {old}");
    world.edit_manifest(|text| text.replace(&format!("port: {old}"), &format!("port: {new}")));
    let told = format!("nginx: {why}; INTERRUPTS THE TRAFFIC until the new one serves");
    assert_eq!(to_be_replaced(&world), [told.as_str()]);
    world.run(&["plan"]).ends_with(0).says(&format!("replace   {told}"));
    world.run(&["validate"]).ends_with(0).says(&format!("warning: a deploy replaces {told}"));
    world.edit_manifest(|text| text.replace("nginx:latest", "nginx:1.22"));
    assert!(to_be_replaced(&world).concat().contains("nginx.image is nginx:1.22 and was nginx:latest"));
    assert_eq!(id(&world), proxy, "none of these changes anything");
}

/// Compose binds the folder of the generated files into its proxy, where the
/// routes of a running stack have no place: it cannot be taken over as it is.
#[test]
fn compose_lists_the_stack_and_serves_it_alone_and_a_deploy_says_that_it_replaces_the_proxy() {
    let _among = among_others();
    let Some(world) = World::docker() else { return };
    world.run(&["deploy"]).ends_with(0);
    let listed = world.tool("docker-compose", &["-f", COMPOSE_FILE, "ps"]).ends_with(0);
    for service in ["app-blue", "nginx", "opa"] {
        assert!(listed.out.contains(service), "no {service} in\n{}", listed.out);
    }
    world.run(&["teardown", "--yes"]).ends_with(0);
    up_by_compose(&world);
    let why = "Compose started it, with files that SwiftDeploy does not write";
    let replaced = to_be_replaced(&world);
    assert_eq!(replaced.len(), 2, "{replaced:?}");
    assert!(replaced[0].contains(why) && replaced[0].contains("INTERRUPTS THE TRAFFIC"), "{replaced:?}");
    assert!(replaced[1].starts_with("opa") && replaced[1].ends_with("the traffic goes on"), "{replaced:?}");
    world
        .run(&["deploy"])
        .ends_with(0)
        .says(&format!("warning: a deploy replaces nginx: {why}"))
        .says(&format!("the traffic was interrupted: {why}"));
    assert_eq!(world.get("/").status, 200);
    assert_eq!(to_be_replaced(&world), Vec::<String>::new());
}
