//! Two containers of a canary on a real Docker daemon.

#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy knows only test functions as tests")]

use std::time::Duration;

use super::world::{World, until};

/// A second container of the canary, as `docker-compose up --scale` makes it:
/// the same labels but for its number.
fn scale(world: &World) -> String {
    let (first, second) = (format!("{}-app-green", world.project), format!("{}-app-green-2", world.project));
    let inspected = world.tool("docker", &["inspect", &first]).ends_with(0);
    let inspected: serde_json::Value = serde_json::from_str(&inspected.out).unwrap();
    let config = &inspected[0]["Config"];
    let network = format!("{}-net", world.project);
    let mut args: Vec<String> = [
        "run",
        "-d",
        "--restart",
        "unless-stopped",
        "--network",
        &network,
        "--network-alias",
        "app-green",
        "--name",
        &second,
    ]
    .map(String::from)
    .into();
    for (name, value) in config["Labels"].as_object().unwrap() {
        let value = if name.ends_with("container-number") { "2" } else { value.as_str().unwrap() };
        args.extend(["--label".into(), format!("{name}={value}")]);
    }
    for variable in config["Env"].as_array().unwrap() {
        args.extend(["--env".into(), variable.as_str().unwrap().into()]);
    }
    args.push(config["Image"].as_str().unwrap().into());
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    world.tool("docker", &args).ends_with(0);
    second
}

fn ask(world: &World) -> serde_json::Value {
    world.run(&["policy", "ask", "canary", "--json"]).json()[0]["decision"].clone()
}

fn codes(decision: &serde_json::Value) -> Vec<&str> {
    let violations = decision["violations"].as_array().unwrap();
    violations.iter().map(|violation| violation["code"].as_str().unwrap()).collect()
}

#[test]
fn two_containers_of_a_canary_are_judged_together() {
    let Some(world) = World::docker() else { return };
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    let second = scale(&world);
    // nginx asks for the addresses of a name when it loads a configuration.
    world.tool("docker", &["kill", "-s", "HUP", &format!("{}-nginx", world.project)]).ends_with(0);
    until("two instances are asked", Duration::from_secs(20), || {
        let decision = ask(&world);
        let input = &decision["input"];
        if input["instances"] == 2 && input["healthy"] == true { Ok(()) } else { Err(decision.to_string()) }
    });
    world.run(&["load", "--rps", "30", "--for", "10s"]).ends_with(0);
    let decision = ask(&world);
    assert_eq!(decision["verdict"], "pass", "{decision}");
    let source = decision["input"]["source"].as_str().unwrap();
    assert_eq!(source.matches("app-green at ").count(), 2, "{source}");
    // All requests of the window, and not those of one of the two.
    let requests = decision["input"]["requests"].as_u64().unwrap();
    let window = decision["input"]["window_seconds"].as_f64().unwrap();
    let sent = window * 30.0;
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let share = requests as f64 / sent;
    assert!((0.7..1.3).contains(&share), "{requests} of {sent}: {decision}");

    // One of them stops to answer: no pass, and it is named.
    world.tool("docker", &["pause", &second]).ends_with(0);
    let decision = ask(&world);
    assert_ne!(decision["verdict"], "pass", "{decision}");
    assert!(codes(&decision).contains(&"metrics_unavailable"), "{decision}");
    let named = decision["input"]["metrics_error"]["instance"].as_str().unwrap_or_default();
    assert!(named.starts_with("app-green at "), "{decision}");
    world.tool("docker", &["unpause", &second]).ends_with(0);
    world.run(&["load", "--rps", "30", "--for", "10s"]).ends_with(0);
    let decision = ask(&world);
    assert_eq!(decision["verdict"], "pass", "{decision}");

    // One of them goes away: what it did is not in the figures.
    world.tool("docker", &["rm", "-f", &second]).ends_with(0);
    let decision = ask(&world);
    assert_ne!(decision["verdict"], "pass", "{decision}");
    assert!(codes(&decision).contains(&"process_vanished"), "{decision}");
    world.run(&["teardown", "--yes"]).ends_with(0);
}

/// nginx tells of a request when it has ended.
#[test]
fn validate_warns_where_a_promotion_may_end_before_there_are_old_requests() {
    let Some(world) = World::docker() else { return };
    world.edit_manifest(|text| text.replace("max_wait: 20s", "max_wait: 7s"));
    world
        .run(&["validate"])
        .ends_with(0)
        .says("warning: canary.max_wait is 7 s: ")
        .says("nginx.proxy_timeout (3 s)");
    // The window of 5 s, and the 3 s of the proxy.
    world.edit_manifest(|text| text.replace("max_wait: 7s", "max_wait: 8s"));
    let silent = world.run(&["validate"]).ends_with(0);
    assert!(!silent.text().contains("max_wait"), "{}", silent.text());
}
