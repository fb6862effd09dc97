//! A folder is one project: what a second manifest in it may not do to the stack
//! of the first, and what the first may after its name or its project's changed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

#[path = "support/world.rs"]
mod world;

use std::process::Stdio;
use std::time::Duration;

use world::{World, until};

/// Writes a second manifest, made from the first.
fn second(world: &World, name: &str, edit: impl FnOnce(String) -> String) {
    std::fs::write(world.path(name), edit(world.read("manifest.yaml"))).unwrap();
}

fn other_project(world: &World, text: &str) -> String {
    text.replace(&format!("project: {}\n", world.project), &format!("project: {}-other\n", world.project))
}

fn history(world: &World) -> usize {
    world.read("history.jsonl").lines().count()
}

#[test]
fn another_manifest_never_acts_on_the_stack_of_the_first() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    second(&world, "copy.yaml", |text| text.replace("1.0.0", "9.9.9"));
    second(&world, "other.yaml", |text| other_project(&world, &text));
    let (before, processes, generated) =
        (history(&world), world.processes(), world.read("generated/nginx.conf"));
    for manifest in ["copy.yaml", "other.yaml"] {
        for command in [
            &["init"][..],
            &["validate"],
            &["plan"],
            &["deploy"],
            &["promote", "canary"],
            &["promote", "stable"],
            &["rollback"],
            &["chaos", "recover"],
            &["load", "--for", "1s"],
            &["status", "--once"],
            &["logs", "app-blue"],
            &["metrics"],
            &["policy", "ask", "infra"],
            &["audit"],
            &["teardown", "--yes"],
        ] {
            let args = [command, &["--manifest", manifest]].concat();
            world.run(&args).ends_with(1).says("belongs to manifest.yaml").says("a folder of its own");
        }
    }
    assert_eq!(history(&world), before, "nothing of it is on record");
    assert_eq!(world.processes(), processes);
    assert_eq!(world.read("generated/nginx.conf"), generated);
    assert_eq!(world.get("/").json()["version"], "1.0.0");
}

#[test]
fn what_is_in_the_way_is_told_with_the_command_that_ends_it() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    second(&world, "other.yaml", |text| other_project(&world, &text));
    let ends =
        format!("swiftdeploy teardown --manifest {} --target local", world.path("manifest.yaml").display());
    world.run(&["deploy", "--manifest", "other.yaml"]).ends_with(1).says(&ends).says(&world.project);
    let lines = world.run(&["deploy", "--manifest", "other.yaml", "--json"]).ends_with(1).json();
    let finished = lines.iter().find(|line| line["event"] == "finished").unwrap();
    assert!(finished.to_string().contains("belongs to manifest.yaml"), "{finished}");
    // After that the folder is the other's.
    world.run(&["teardown", "--yes"]).ends_with(0);
    world.run(&["deploy", "--manifest", "other.yaml"]).ends_with(0);
    world.run(&["deploy"]).ends_with(1).says("belongs to other.yaml");
    world.run(&["rollback", "--manifest", "other.yaml"]).ends_with(1).says("no earlier good release");
    world.run(&["teardown", "--yes", "--manifest", "other.yaml"]).ends_with(0);
}

#[test]
fn a_stranger_s_rollback_does_not_cancel_what_the_first_does() {
    let world = World::local();
    world.edit_manifest(|text| text.replace("max_wait: 20s", "max_wait: 4m"));
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    second(&world, "copy.yaml", |text| text);
    let mut waiting = world.command(&["promote", "stable"]).stdout(Stdio::null()).spawn().unwrap();
    until("the gate", Duration::from_secs(20), || {
        let text = std::fs::read_to_string(world.path(".swiftdeploy/operation.json")).unwrap_or_default();
        if text.contains("gate canary") { Ok(()) } else { Err(text) }
    });
    world.run(&["rollback", "--manifest", "copy.yaml"]).ends_with(1).says("belongs to manifest.yaml");
    assert!(!world.path(".swiftdeploy/make-way").exists());
    assert_eq!(waiting.try_wait().unwrap(), None, "it still waits");
    waiting.kill().unwrap();
    waiting.wait().unwrap();
}

#[test]
fn a_manifest_may_be_renamed_while_it_is_deployed() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    let rename = |from: &str, to: &str| std::fs::rename(world.path(from), world.path(to)).unwrap();
    rename("manifest.yaml", "shop.yaml");
    world.run(&["status", "--once", "--manifest", "shop.yaml"]).ends_with(0);
    world.run(&["promote", "canary", "--manifest", "shop.yaml"]).ends_with(0);
    std::fs::copy(world.path("shop.yaml"), world.path("manifest.yaml")).unwrap();
    world.run(&["rollback"]).ends_with(1).says("belongs to shop.yaml");
    world.run(&["rollback", "--manifest", "shop.yaml"]).ends_with(0);
    world.run(&["teardown", "--yes", "--manifest", "shop.yaml"]).ends_with(0);
    assert_eq!(world.processes(), Vec::<String>::new());
}

#[test]
fn another_project_s_name_does_not_take_over_but_rollback_and_teardown_go_on() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    world.edit_manifest(|text| other_project(&world, &text));
    let remedy = format!("write `project: {}`", world.project);
    world.run(&["promote", "stable"]).ends_with(1).says(&remedy).says("teardown");
    world.run(&["deploy"]).ends_with(1).says(&remedy);
    world.run(&["rollback"]).ends_with(0);
    assert_eq!(world.get("/healthz").json()["mode"], "stable");
    world.run(&["teardown", "--yes"]).ends_with(0).says(&format!("as project {}", world.project));
    assert_eq!(world.processes(), Vec::<String>::new());
    world.run(&["deploy"]).ends_with(0);
}

#[test]
fn a_name_may_change_while_nothing_is_deployed() {
    let world = World::local();
    let limits = world.read("policies/data.json");
    world.set_limits(&limits.replace("\"cpu_load\": 1000", "\"cpu_load\": -1"));
    world.run(&["deploy"]).ends_with(2);
    world.edit_manifest(|text| other_project(&world, &text));
    world.run(&["deploy"]).ends_with(2);
    // Nor after one that started something and took it back.
    world.set_limits(&limits);
    let manifest = world.read("manifest.yaml");
    world.edit_manifest(|text| {
        let ends_at_once = "services:\n  command: [\"false\"]\n";
        text.replace("services:\n", ends_at_once)
    });
    world.run(&["deploy"]).ends_with(1);
    std::fs::write(world.path("renamed.yaml"), &manifest).unwrap();
    world.run(&["deploy", "--manifest", "renamed.yaml"]).ends_with(0);
    world.run(&["teardown", "--yes", "--manifest", "renamed.yaml"]).ends_with(0);
}

#[test]
fn a_folder_of_an_older_version_is_its_project_s() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    std::fs::remove_file(world.path(".swiftdeploy/owner.json")).unwrap();
    second(&world, "other.yaml", |text| other_project(&world, &text));
    world
        .run(&["teardown", "--yes", "--manifest", "other.yaml"])
        .ends_with(1)
        .says("is deployed from its folder");
    world.run(&["promote", "canary"]).ends_with(0);
    world.run(&["rollback", "--manifest", "other.yaml"]).ends_with(1).says("belongs to manifest.yaml");
}

#[test]
fn a_note_that_cannot_be_read_stops_everything_but_a_rollback() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    let note = world.path(".swiftdeploy/owner.json");
    std::fs::write(&note, "{\"manifest\": \"mani").unwrap();
    second(&world, "other.yaml", |text| other_project(&world, &text));
    for command in [
        &["validate"][..],
        &["deploy"],
        &["deploy", "--manifest", "other.yaml"],
        &["promote", "stable"],
        &["status", "--once"],
        &["teardown", "--yes"],
    ] {
        world
            .run(command)
            .ends_with(1)
            .says(&note.display().to_string())
            .says("cannot be read")
            .says("remove it");
    }
    world.run(&["rollback", "--manifest", "other.yaml"]).ends_with(1).says("is deployed from its folder");
    world.run(&["rollback"]).ends_with(0);
    assert_eq!(world.get("/healthz").json()["mode"], "stable");
    world.run(&["deploy"]).ends_with(1).says("cannot be read");
    // As it says.
    std::fs::remove_file(&note).unwrap();
    world.run(&["teardown", "--yes"]).ends_with(0);
    assert_eq!(world.processes(), Vec::<String>::new());
}

#[test]
fn a_stack_whose_docker_host_is_gone_is_forgotten_as_it_is_told() {
    let world = World::local();
    let state = |name: &str| world.path(&format!(".swiftdeploy/{name}"));
    std::fs::create_dir(world.path(".swiftdeploy")).unwrap();
    let gone = r#"{"manifest": "manifest.yaml", "project": "gone", "targets": ["docker"]}"#;
    std::fs::write(state("owner.json"), gone).unwrap();
    let name = format!("project: {}\n", world.project);
    let deployed = world.read("manifest.yaml").replace(&name, "project: gone\n");
    std::fs::write(state("docker-deployed.json"), serde_json::to_vec(&deployed).unwrap()).unwrap();
    let both = [state("owner.json"), state("docker-*.json")].map(|path| path.display().to_string());
    world.run(&["deploy"]).ends_with(1).says(&format!("gone for good, remove {} and {}", both[0], both[1]));
    std::fs::remove_file(state("owner.json")).unwrap();
    world.run(&["deploy"]).ends_with(1).says(&both[1]);
    std::fs::remove_file(state("docker-deployed.json")).unwrap();
    world.run(&["deploy"]).ends_with(0);
}

#[test]
fn a_link_to_the_manifest_is_that_manifest() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    std::os::unix::fs::symlink("manifest.yaml", world.path("link.yaml")).unwrap();
    world.run(&["promote", "canary", "--manifest", "link.yaml"]).ends_with(0);
    assert!(world.read("manifest.yaml").contains("mode: canary"));
    assert!(world.path("link.yaml").is_symlink());
    world.run(&["rollback"]).ends_with(0);
    world.run(&["teardown", "--yes", "--manifest", "link.yaml"]).ends_with(0);
    assert_eq!(world.processes(), Vec::<String>::new());
}

#[test]
fn the_history_is_read_by_whoever_has_the_folder() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    second(&world, "other.yaml", |text| other_project(&world, &text));
    world.run(&["audit", "verify", "--manifest", "other.yaml"]).ends_with(0).says("chain intact");
}
