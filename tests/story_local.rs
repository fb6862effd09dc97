//! The whole life of a service by commands, on the local target.

#[path = "support/dashboard.rs"]
mod dashboard;
#[path = "support/load.rs"]
mod load;
#[path = "support/look.rs"]
mod look;
#[path = "support/neighbours.rs"]
mod neighbours;
#[path = "support/story.rs"]
mod story;
#[path = "support/world.rs"]
mod world;

use dashboard::Load;
use rstest::rstest;

use neighbours::Neighbours;
use world::{Pace, World};

#[rstest]
#[case::in_short_windows(Pace::Quick)]
#[case::as_new_writes_it(Pace::Shipped)]
fn the_story_ends_with_nothing_left_and_nothing_else_touched(#[case] pace: Pace) {
    neighbours::with_own_processes(|| {
        let world = World::empty_local(pace);
        let neighbours = Neighbours::of(&world);
        let before = neighbours.listing();
        story::tell(&world);
        assert!(!world.processes().is_empty(), "the stack outlives its commands");
        world.run(&["teardown", "--yes"]).ends_with(0);
        assert_eq!(world.processes(), Vec::<String>::new());
        assert!(world::request(world.port, "GET", "/", "").is_err(), "nobody listens any more");
        assert_eq!(neighbours.listing(), before);
        neighbours.still_serve();
        world.run(&["teardown", "--yes"]).ends_with(0).says("nothing to remove");
    });
}

#[test]
fn a_denied_deploy_starts_nothing_and_names_its_reasons() {
    let world = World::local();
    world.set_limits(
        r#"{"thresholds":{"disk_free_gb":100000000,"cpu_load":1000,"error_rate":0.01,"p99_latency_ms":500}}"#,
    );
    world
        .run(&["deploy"])
        .ends_with(2)
        .says("Deployment blocked: Infrastructure policy violation")
        .says("disk_free_gb")
        .says("100000000");
    assert_eq!(world.processes(), Vec::<String>::new());
}

#[test]
fn a_plain_redeploy_loses_no_request() {
    let world = World::local();
    // Time enough for a thousand requests also where little else fits in.
    world.edit_manifest(|text| text.replace("drain: 1s", "drain: 6s"));
    world.run(&["deploy"]).ends_with(0);
    load::redeploy_under_load(&world, "1.0.0", "1.0.1", |text| text);
}

#[test]
fn a_good_canary_is_adopted_and_the_manifest_says_so() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    world.edit_manifest(|text| text.replace("canary:\n", "canary:\n  version: \"2.0.0\"\n"));
    world.run(&["promote", "canary"]).ends_with(0);
    assert_eq!(world.get("/").json()["version"], "2.0.0");
    let load = Load::begin(&world, 40);
    world.run(&["promote", "stable"]).ends_with(0);
    load.end();
    let answer = world.get("/").json();
    assert_eq!((answer["version"].as_str(), answer["mode"].as_str()), (Some("2.0.0"), Some("stable")));
    let manifest = world.read("manifest.yaml");
    assert!(
        manifest.contains("mode: stable") && manifest.contains("  version: \"2.0.0\"\n  mode: stable"),
        "{manifest}"
    );
    // The release before is one rollback away.
    world.run(&["rollback"]).ends_with(0);
    assert_eq!(world.get("/").json()["version"], "1.0.0");
}

#[test]
fn without_traffic_a_promotion_is_inconclusive() {
    let world = World::local();
    world.edit_manifest(|text| text.replace("max_wait: 20s", "max_wait: 7s"));
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    world.run(&["promote", "stable"]).ends_with(3).says("requests");
    assert_eq!(world.get("/healthz").json()["mode"], "canary");
}
