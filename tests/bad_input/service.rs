//! A service that does not start, or whose port somebody else has.

use std::net::{Ipv4Addr, TcpListener};

use rstest::rstest;

use super::untouched::{Untouched, initialised};
use super::world::World;

/// Makes the next release one that runs `command`.
fn next_release(world: &World, command: &str) {
    world.edit_manifest(|text| {
        let service = format!("  version: \"2.0.0\"\n  command: {command}\n  health:\n    wait: 3s\n");
        text.replace("  version: \"1.0.0\"\n", &service)
    });
    world.run(&["init"]).ends_with(0);
}

#[test]
fn a_program_that_is_not_there_fails_the_check_by_name() {
    let world = initialised();
    next_release(&world, r#"["no-such-program-anywhere", "--serve"]"#);
    let before = Untouched::of(&world);
    world
        .run(&["deploy"])
        .ends_with(1)
        .says("✗ image present")
        .says("there is no program no-such-program-anywhere in PATH")
        .says("1 of 5 checks failed")
        .says("state: nothing serves")
        .says("next:  correct what is marked ✗");
    world.run(&["validate"]).ends_with(1).says("FAIL  image present").says("no-such-program-anywhere");
    before.holds();
}

#[test]
fn a_port_that_another_projects_proxy_has_is_told_with_its_folder() {
    let first = initialised();
    first.run(&["deploy"]).ends_with(0);
    let second = initialised();
    let (own, taken) = (format!("port: {}\n", second.port), format!("port: {}\n", first.port));
    second.edit_manifest(|text| text.replace(&own, &taken));
    second
        .run(&["deploy"])
        .ends_with(1)
        .says(&format!("port {} is taken by swiftdeploy (pid ", first.port))
        .says(&format!("the proxy of {}", first.root().canonicalize().unwrap().display()))
        .says("change nginx.port in the manifest");
    assert!(second.processes().is_empty(), "nothing was started");
}

#[test]
fn a_taken_port_is_told_with_the_owners_name_and_pid() {
    let world = initialised();
    let _listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, world.port)).unwrap();
    let before = Untouched::of(&world);
    let pid = std::process::id();
    let program = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap();
    world
        .run(&["deploy"])
        .ends_with(1)
        .says("✗ port free")
        .says(&format!("port {} is taken by {} (pid {pid})", world.port, program.trim()))
        .says("change nginx.port in the manifest");
    before.holds();
}

#[rstest]
#[case::never_becomes_healthy(
    r#"["sh", "-c", "echo waiting for the database; exec sleep 600"]"#,
    &["app-green not healthy after 3 s", "waiting for the database", "raise services.health.wait"]
)]
#[case::exits_at_once(
    r#"["sh", "-c", "echo no licence found >&2; exit 3"]"#,
    &["error: app-green", "no licence found"]
)]
fn a_release_that_does_not_serve_is_removed_and_the_old_one_stays(
    #[case] command: &str,
    #[case] shown: &[&str],
) {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    next_release(&world, command);
    let before = Untouched::of(&world);
    let mut ran = world.run(&["deploy"]).ends_with(1);
    for text in shown {
        ran = ran.says(text);
    }
    ran.says("state: app-blue (stable 1.0.0) serves the traffic").says("next:");
    assert_eq!(world.get("/").json()["version"], "1.0.0");
    before.holds();
}

#[test]
fn a_first_release_that_does_not_serve_leaves_nothing_running() {
    let world = initialised();
    next_release(&world, r#"["sh", "-c", "echo no licence found; exit 3"]"#);
    let before = Untouched::of(&world);
    world.run(&["deploy"]).ends_with(1).says("no licence found").says("state: nothing serves");
    before.holds();
}
