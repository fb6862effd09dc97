//! The whole life of a service by commands, on a real Docker daemon with real
//! nginx and real OPA.

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/dashboard.rs"]
mod dashboard;
#[path = "support/load.rs"]
mod load;
#[path = "support/look.rs"]
mod look;
#[path = "story_docker/opa.rs"]
mod opa;
#[path = "story_docker/other_port.rs"]
mod other_port;
#[path = "story_docker/proxy.rs"]
mod proxy;
#[path = "support/story.rs"]
mod story;
#[path = "story_docker/taken_names.rs"]
mod taken_names;
#[path = "support/world.rs"]
mod world;

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use daemon::Strangers;
use world::{Pace, World};

/// Who uses the daemon.
static DAEMON: RwLock<()> = RwLock::new(());

/// For a test that compares the daemon's full listing.
fn alone() -> RwLockWriteGuard<'static, ()> {
    DAEMON.write().unwrap_or_else(PoisonError::into_inner)
}

/// For one that looks only at what is its own projects'.
fn among_others() -> RwLockReadGuard<'static, ()> {
    DAEMON.read().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn the_story_as_new_writes_it_ends_with_the_daemon_as_it_was_before() {
    let _alone = alone();
    let Some(world) = World::empty_docker(Pace::Shipped) else { return };
    let neighbour = world.neighbour();
    neighbour.run(&["deploy"]).ends_with(0);
    let _strangers = Strangers::beside(&world);
    let before = daemon::listing(&world);
    for theirs in [format!("/{}-nginx ", neighbour.project), format!("/{}-app-blue-2 ", world.project)] {
        let is_listed = |line: &&String| line.contains(&theirs) && line.contains(" running since ");
        assert!(before.iter().find(is_listed).is_some(), "no {theirs:?} in {before:#?}");
    }
    story::tell(&world);
    assert_ne!(daemon::listing(&world), before, "the stack outlives its commands");
    world.run(&["teardown", "--yes"]).ends_with(0);
    assert_eq!(daemon::listing(&world), before);
    assert_eq!(neighbour.get("/").json()["mode"], "stable");
    world.run(&["teardown", "--yes"]).ends_with(0).says("nothing to remove");
}

#[test]
fn a_denied_deploy_starts_nothing_and_names_its_reasons() {
    let _alone = alone();
    let Some(world) = World::docker() else { return };
    let before = daemon::listing(&world);
    world.set_limits(
        r#"{"thresholds":{"disk_free_gb":100000000,"cpu_load":1000,"error_rate":0.01,"p99_latency_ms":500}}"#,
    );
    world
        .run(&["deploy"])
        .ends_with(2)
        .says("Deployment blocked: Infrastructure policy violation")
        .says("disk_free_gb")
        .says("100000000");
    assert_eq!(daemon::listing(&world), before);
}

#[test]
fn an_absent_image_is_named_and_a_pull_brings_it() {
    let _alone = alone();
    let Some(world) = World::docker() else { return };
    let registry = std::env::var("SWIFTDEPLOY_TEST_REGISTRY").unwrap_or_default();
    assert!(!registry.is_empty(), "SWIFTDEPLOY_TEST_REGISTRY is not set; `tests/run` sets it");
    let image = format!("{registry}/shop:{}", world.port);
    large_image(&world, &image);
    world.tool("docker", &["push", &image]).ends_with(0);
    world.tool("docker", &["rmi", &image]).ends_with(0);
    world.edit_manifest(|text| text.replace("swift-deploy-1-node:latest", &image));
    let before = daemon::listing(&world);
    world.run(&["validate"]).ends_with(1).says("FAIL  image present").says(&image);
    world.run(&["deploy"]).ends_with(1).says("image present").says(&image).says("next:");
    assert_eq!(daemon::listing(&world), before);
    world.edit_manifest(|text| format!("pull: missing\n{text}"));
    let told = world.run(&["deploy", "--json"]).ends_with(0).says(&format!("pull {image}")).json();
    let comes = |event: &&serde_json::Value| {
        event["detail"].as_str().is_some_and(|told| told.contains(": Downloading "))
    };
    let shares: Vec<f64> = told.iter().filter(comes).filter_map(|event| event["fraction"].as_f64()).collect();
    assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)), "{shares:?}");
    let rises = shares.windows(2).any(|pair| pair[0] < pair[1]);
    assert!(rises, "a share that rises while the image comes: {shares:?} in {told:#?}");
    assert_eq!(world.get("/").status, 200);
    world.run(&["teardown", "--yes"]).ends_with(0);
    world.tool("docker", &["rmi", &image]).ends_with(0);
}

/// The sample service with so many bytes beside it that a pull takes a while.
#[expect(clippy::unwrap_used, reason = "a test tells what went wrong by ending")]
fn large_image(world: &World, image: &str) {
    let context = world.outside().join("large-image");
    std::fs::create_dir(&context).unwrap();
    std::fs::write(context.join("Dockerfile"), "FROM swift-deploy-1-node:latest\nCOPY bytes /bytes\n")
        .unwrap();
    let mut state = 1_u64;
    // Bytes that do not compress (Marsaglia's xorshift).
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .take(4 << 20)
    .flatten()
    .collect();
    std::fs::write(context.join("bytes"), bytes).unwrap();
    world.tool("docker", &["build", "--quiet", "--tag", image, context.to_str().unwrap()]).ends_with(0);
}

#[test]
fn a_port_that_another_projects_proxy_has_is_told_with_its_owner() {
    let _alone = alone();
    let Some(first) = World::docker() else { return };
    let second = first.neighbour();
    first.run(&["deploy"]).ends_with(0);
    second.edit_manifest(|text| {
        text.replace(&format!("port: {}\n", second.port), &format!("port: {}\n", first.port))
    });
    let before = daemon::listing(&second);
    second
        .run(&["deploy"])
        .ends_with(1)
        .says("✗ port free")
        .says(&format!("port {} is taken by", first.port))
        .says(&format!("{}-nginx", first.project))
        .says("nginx.port");
    assert_eq!(daemon::listing(&second), before);
    assert_eq!(first.get("/").status, 200);
}

#[test]
fn a_plan_of_the_first_deploy_says_that_opa_comes_first() {
    let _alone = alone();
    let Some(world) = World::docker() else { return };
    let before = daemon::listing(&world);
    world.run(&["plan"]).ends_with(0).says("the policies cannot be asked yet").says("opa");
    assert_eq!(daemon::listing(&world), before);
}
