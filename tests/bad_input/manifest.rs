//! A manifest that is not there or not right.

use rstest::rstest;

use super::untouched::{Untouched, initialised};
use super::world::World;

/// Every command that needs a project.
const COMMANDS: &[&[&str]] = &[
    &["init"],
    &["plan"],
    &["deploy"],
    &["promote", "canary"],
    &["promote", "stable"],
    &["rollback"],
    &["status", "--once"],
    &["chaos", "recover"],
    &["load", "--for", "1s"],
    &["audit"],
    &["audit", "verify"],
    &["logs", "proxy"],
    &["metrics"],
    &["policy", "ask", "infra"],
    &["policy", "explain", "infra"],
    &["policy", "replay"],
    &["policy", "test"],
    &["teardown", "--yes"],
];

/// Where the target is named: in the manifest, which cannot be read, or not.
const WAYS: [&[&str]; 2] = [&[], &["--target", "local"]];

#[test]
fn a_missing_manifest_is_named_and_leaves_no_trace() {
    let world = initialised();
    let elsewhere = world.path("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let before = Untouched::of(&world);
    for way in WAYS {
        for command in COMMANDS {
            let args = [command, way, &["--manifest", "elsewhere/manifest.yaml"]].concat();
            world
                .run(&args)
                .ends_with(1)
                .says("there is no manifest at")
                .says("elsewhere/manifest.yaml")
                .says("next:  write a starter with `swiftdeploy new`");
            let left = std::fs::read_dir(&elsewhere).unwrap().count();
            assert_eq!(left, 0, "{command:?} left something in a folder that is no project");
        }
    }
    for way in WAYS {
        let args = [&["validate", "--manifest", "elsewhere/manifest.yaml"], way].concat();
        world
            .run(&args)
            .ends_with(1)
            .says("FAIL  YAML valid            there is no manifest at")
            .says("next:  write a starter with `swiftdeploy new`");
        assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0, "the checks leave no history of it");
    }
    before.holds();
}

#[rstest]
#[case::broken_yaml(
    "services:\n",
    "services: [\n",
    &["not valid YAML", "manifest.yaml:"]
)]
#[case::unknown_key(
    "  image: swift",
    "  imgae: swift",
    &["services.imgae: unknown key `imgae` in `services`", "did you mean `image`?", "manifest.yaml:7:3", "imgae: swift-deploy-1-node:latest"]
)]
#[case::required_key_missing(
    "  port: 3000\n",
    "",
    &["services.port", "missing", "manifest.yaml:"]
)]
#[case::wrong_type(
    "  port: 3000\n",
    "  port: soon\n",
    &["services.port", "soon", "manifest.yaml:8:9"]
)]
fn a_wrong_manifest_is_shown_with_its_line_and_nothing_begins(
    #[case] right: &str,
    #[case] wrong: &str,
    #[case] shown: &[&str],
) {
    let world = initialised();
    world.edit_manifest(|text| {
        assert!(text.contains(right), "{text}");
        text.replacen(right, wrong, 1)
    });
    let before = Untouched::of(&world);
    for way in WAYS {
        let mut ran = world.run(&[&["deploy"], way].concat()).ends_with(1);
        for text in shown {
            ran = ran.says(text);
        }
        assert!(ran.err.contains("next:  correct the line"), "{}", ran.err);
        world.run(&[&["init"], way].concat()).ends_with(1);
        // The checks say it too, all five of them.
        let checks = world.run(&[&["validate"], way].concat()).ends_with(1).says("FAIL");
        let lines = checks.out.lines().filter(|line| line.starts_with("PASS") || line.starts_with("FAIL"));
        assert_eq!(lines.count(), 5, "{}", checks.out);
    }
    before.holds();
}

/// Whoever breaks the manifest of a running stack still sees what runs, and gets
/// back or rid of it without naming the target anew.
#[test]
fn a_manifest_that_breaks_while_its_stack_runs_hides_nothing_of_it() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    let sound = world.read("manifest.yaml");
    world.edit_manifest(|_| "services: [\n".to_owned());
    let status = world.run(&["status", "--once"]).says("not valid YAML").says("mode          stable (");
    assert!(!status.text().contains("nothing serves"), "{}", status.text());
    assert!(status.out.lines().any(|line| line.starts_with("app-blue") && line.contains("healthy")));
    world.run(&["logs"]).ends_with(0);
    world.edit_manifest(|_| sound.clone());
    world.run(&["promote", "canary"]).ends_with(0);
    world.edit_manifest(|_| "services: [\n".to_owned());
    world.run(&["rollback"]).ends_with(0);
    assert_eq!(world.get("/").json()["mode"], "stable");
    world.run(&["teardown", "--yes"]).ends_with(0);
    assert!(world.run(&["status", "--once"]).out.contains("mode          not known"));
}
