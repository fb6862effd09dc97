//! A Docker daemon that is not there, not willing or not new enough.
#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy knows only test functions as tests")]

use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use rstest::rstest;
use serde_json::json;
use tempfile::TempDir;

use super::fake::{Fake, Reply};
use super::untouched::{Untouched, initialised};
use super::world::{BINARY, World};

/// A place for a socket, outside of the project.
fn socket() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker.sock");
    (folder, path)
}

/// Runs a command against the daemon at a socket.
fn run_at(world: &World, socket: &std::path::Path, args: &[&str]) -> super::world::Ran {
    let address = format!("DOCKER_HOST=unix://{}", socket.display());
    world.tool("env", &[&[address.as_str(), BINARY], args].concat())
}

#[rstest]
#[case::no_socket(false, "there is no such socket")]
#[case::nobody_listens(true, "nobody listens there; the daemon is not running")]
fn an_absent_daemon_is_named_with_its_address(#[case] is_dead: bool, #[case] why: &str) {
    let world = initialised();
    let (_folder, path) = socket();
    if is_dead {
        drop(UnixListener::bind(&path).unwrap());
    }
    let before = Untouched::of(&world);
    for command in ["deploy", "rollback", "validate"] {
        run_at(&world, &path, &[command, "--target", "docker"])
            .ends_with(1)
            .says(&format!("no Docker daemon answers at unix://{}: {why}", path.display()))
            .says("start Docker, set DOCKER_HOST, or use --target local");
    }
    before.holds();
}

#[test]
fn without_a_target_and_a_daemon_a_command_names_the_choice_and_does_not_choose() {
    let world = initialised();
    let (_folder, path) = socket();
    drop(UnixListener::bind(&path).unwrap());
    world.edit_manifest(|text| text.replace("target: local\n", ""));
    let before = Untouched::of(&world);
    for command in [&["deploy"][..], &["promote", "canary"], &["status", "--once"], &["teardown", "--yes"]] {
        run_at(&world, &path, command)
            .ends_with(1)
            .says("no target is named, and no Docker daemon answers")
            .says("`--target local`")
            .says("`--target docker`")
            .says("write `target:` into the manifest");
    }
    before.holds();
}

#[test]
fn a_daemon_that_refuses_is_not_taken_for_an_absent_one() {
    let world = initialised();
    let (_folder, path) = socket();
    let body = json!({"message": "authorization denied by plugin gatekeeper: not on Fridays"}).to_string();
    let _daemon = Fake::on_socket(&path, move |_| Reply::Says(403, "application/json", body.clone()));
    let before = Untouched::of(&world);
    run_at(&world, &path, &["deploy", "--target", "docker"])
        .ends_with(1)
        .says("refuses")
        .says("403")
        .says("not on Fridays")
        .says("check the permissions of the socket");
    before.holds();
}

#[test]
fn a_daemon_that_is_too_old_is_told_which_version_is_needed() {
    let world = initialised();
    let (_folder, path) = socket();
    let _daemon = Fake::on_socket(&path, |_| {
        Reply::json(
            &json!({"Version": "1.12.6", "ApiVersion": "1.24", "MinAPIVersion": "1.12", "Os": "linux"}),
        )
    });
    let before = Untouched::of(&world);
    run_at(&world, &path, &["deploy", "--target", "docker"])
        .ends_with(1)
        .says("the Docker daemon speaks API 1.24, at least 1.40 is needed")
        .says("update Docker to 20.10 or later");
    before.holds();
}
