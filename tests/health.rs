//! What a user is told of nginx', OPA's and the built-in proxy's health, in
//! `status` and in `docker-compose ps`.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use serde_json::Value;
use world::{World, until};

/// The last word of `status`.
fn status(world: &World) -> Value {
    world.run(&["status", "--once", "--json"]).json().pop().unwrap()
}

/// The word for a service.
fn health(status: &Value, service: &str) -> String {
    let instances = status["instances"].as_array().unwrap();
    let found = instances.iter().find(|instance| instance["service"] == service);
    found.and_then(|instance| instance["health"].as_str()).unwrap_or("absent").to_owned()
}

fn becomes(world: &World, service: &str, wanted: &str) -> Value {
    until(&format!("{service} is {wanted}"), Duration::from_mins(1), || {
        let status = status(world);
        if health(&status, service) == wanted { Ok(status) } else { Err(status.to_string()) }
    })
}

#[test]
fn the_built_in_proxy_is_healthy_only_while_it_answers() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    becomes(&world, "proxy", "healthy");
    let record = world.read(".swiftdeploy/local/processes/proxy.json");
    let record: Value = serde_json::from_str(&record).unwrap();
    let pid = record["process"]["pid"].as_u64().unwrap().to_string();
    let signal = |name| world.tool("kill", &[name, &pid]).ends_with(0);
    signal("-STOP");
    let status = becomes(&world, "proxy", "unhealthy");
    signal("-CONT");
    assert_eq!(health(&status, "app-blue"), "healthy");
    assert!(status["trouble"].as_str().unwrap().contains("does not answer"), "{status}");
    becomes(&world, "proxy", "healthy");
    world.run(&["teardown", "--yes"]).ends_with(0);
}

#[test]
fn status_and_compose_say_the_same_of_nginx_and_opa() {
    let Some(world) = World::docker() else { return };
    world.run(&["deploy"]).ends_with(0);
    let name = |service: &str| format!("{}-{service}", world.project);
    let listed = |service: &str| {
        let ps = world.tool("docker-compose", &["-f", "generated/docker-compose.yml", "ps"]).ends_with(0);
        ps.text().lines().find(|line| line.contains(&name(service))).unwrap_or_default().to_owned()
    };
    for service in ["app-blue", "nginx", "opa"] {
        becomes(&world, service, "healthy");
        assert!(listed(service).contains("(healthy)"), "{}", listed(service));
    }

    world.tool("docker", &["pause", &name("opa")]).ends_with(0);
    assert_eq!(health(&status(&world), "opa"), "unhealthy");
    assert!(listed("opa").contains("Paused"), "{}", listed("opa"));
    world.tool("docker", &["unpause", &name("opa")]).ends_with(0);

    world.tool("docker", &["exec", &name("nginx"), "sh", "-c", "kill -STOP -1"]).ends_with(0);
    let hanging = becomes(&world, "nginx", "unhealthy");
    assert_eq!(health(&hanging, "app-blue"), "healthy");
    until("Compose says it too", Duration::from_mins(1), || {
        let line = listed("nginx");
        if line.contains("(unhealthy)") { Ok(()) } else { Err(line) }
    });
    world.tool("docker", &["exec", &name("nginx"), "sh", "-c", "kill -CONT -1"]).ends_with(0);
    becomes(&world, "nginx", "healthy");
    world.run(&["teardown", "--yes"]).ends_with(0);
}
