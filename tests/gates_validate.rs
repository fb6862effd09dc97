//! `validate` refuses policies that an engine could not load: after its five
//! lines, with an error of its own.
#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy knows only test functions as tests")]

#[path = "support/daemon.rs"]
mod daemon;
#[path = "support/world.rs"]
mod world;

use rstest::rstest;
use world::{Ran, World};

/// `validate` with one more file of policies, and with what is on the path.
fn validated(world: &World, rules: &str, path: Option<&std::path::Path>) -> Ran {
    std::fs::write(world.path("policies/own.rego"), format!("package own\n\n{rules}\n")).unwrap();
    let mut command = world.command(&["validate"]);
    command.env("PATH", path.unwrap_or(world.root()));
    Ran::of(&command.output().unwrap())
}

fn five_lines(ran: &Ran) {
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 5, "{}", ran.out);
    assert!(lines.iter().all(|line| line.starts_with("PASS")), "{}", ran.out);
}

/// Only OPA reads schemas.
const ONLY_OPA: &str = "# METADATA\n# schemas:\n#   - input.x: {type: string}\na if input.x == 1";

#[rstest]
#[case::recursion(
    "a := b\n\nb := a",
    "own.rego:3: data.own.a is recursive: data.own.a → data.own.b → data.own.a"
)]
#[case::no_such_function("a := nope(1)", "own.rego:3: the embedded engine has no function nope")]
#[case::read_otherwise("a if not input.x > 1", "own.rego:3: `not` over input.x")]
#[case::strict("a if {\n\tx := input.x\n}", "own.rego:4: the variable x is not used")]
#[case::types("a := count(1)", "own.rego:3: count does not take a number")]
#[case::inferred("a if count(input.x) == \"x\"", "own.rego:3: a number is never equal to a string")]
#[case::syntax("a if {", "own.rego:")]
fn refused_policies_are_an_error_after_the_five_lines(#[case] rules: &str, #[case] shown: &str) {
    let world = World::local();
    let ran = validated(&world, rules, None)
        .ends_with(1)
        .says("the policies are refused by the embedded engine: ")
        .says(shown)
        .says("next:");
    five_lines(&ran);
    std::fs::remove_file(world.path("policies/own.rego")).unwrap();
    five_lines(&world.run(&["validate"]).ends_with(0));
}

#[test]
fn failed_checks_and_refused_policies_are_told_together() {
    let world = World::local();
    let _taken = std::net::TcpListener::bind(("127.0.0.1", world.port)).unwrap();
    validated(&world, "a := a", None)
        .ends_with(1)
        .says("FAIL  port free")
        .says("2 of 5 checks failed; the policies are refused by the embedded engine: ");
}

/// A gate that cannot use a limit denies whatever the facts are.
#[rstest]
#[case::in_percent("error_rate", "5", "thresholds.error_rate in data.json is 5: it must be a share from 0")]
#[case::all_of_them(
    "error_rate",
    "1",
    "thresholds.error_rate in data.json is 1: it must be a share from 0 to below 1"
)]
#[case::as_text("error_rate", "\"0.01\"", "thresholds.error_rate in data.json is the text 0.01")]
#[case::negative("p99_latency_ms", "-1", "thresholds.p99_latency_ms in data.json is -1")]
#[case::of_the_host(
    "disk_free_gb",
    "\"10\"",
    "disk_free_gb cannot be judged: thresholds.disk_free_gb in data.json is the text 10"
)]
fn limits_that_no_gate_can_use_are_an_error_after_the_five_lines(
    #[case] name: &str,
    #[case] value: &str,
    #[case] shown: &str,
) {
    let world = World::local();
    let file = world.path("policies/data.json");
    let written = std::fs::read_to_string(&file).unwrap();
    let mut data: serde_json::Value = serde_json::from_str(&written).unwrap();
    data["thresholds"][name] = serde_json::from_str(value).unwrap();
    std::fs::write(&file, data.to_string()).unwrap();
    let ran =
        world.run(&["validate"]).ends_with(1).says("the gates refuse the limits: ").says(shown).says("next:");
    five_lines(&ran);
    std::fs::write(&file, written).unwrap();
    world.run(&["validate"]).ends_with(0);
}

#[test]
fn limit_that_no_policy_names_is_told_and_no_error() {
    let world = World::local();
    let limits =
        world.read("policies/data.json").replace("\"error_rate\"", "\"min_request\": 9, \"error_rate\"");
    world.set_limits(&limits);
    let ran = world.run(&["validate"]).ends_with(0).says("no policy names the limit \"min_request\"");
    five_lines(&ran);
    assert!(!ran.text().contains("\"error_rate\""), "{}", ran.text());
}

#[test]
fn a_deployment_tells_of_limits_that_will_deny_every_promotion() {
    let world = World::local();
    let limits = world.read("policies/data.json").replace("\"error_rate\": 0.01", "\"error_rate\": 5");
    world.set_limits(&limits);
    world
        .run(&["deploy"])
        .ends_with(0)
        .says("warning: every promotion will be denied: thresholds.error_rate in data.json is 5");
}

#[test]
fn limits_of_a_gate_that_gives_no_answer_are_told_as_not_judged() {
    let world = World::local();
    std::fs::remove_file(world.path("policies/canary.rego")).unwrap();
    std::fs::remove_file(world.path("policies/canary_test.rego")).unwrap();
    let ran = world.run(&["validate"]).says("the limits of canary were not judged before it is asked: ");
    five_lines(&ran);
    assert!(!ran.text().contains("the limits of infra"), "{}", ran.text());
}

#[test]
fn what_no_opa_judged_is_told_beside_the_five_lines() {
    let world = World::local();
    let told = "no `opa` on the path: ";
    let ran = validated(&world, ONLY_OPA, None).ends_with(0);
    five_lines(&ran);
    assert_eq!(ran.err.matches(told).count(), 1, "{}", ran.err);
    let mut command = world.command(&["policy", "test"]);
    command.env("PATH", world.root());
    let ran = Ran::of(&command.output().unwrap()).ends_with(0);
    assert_eq!(ran.err.matches(told).count(), 1, "{}", ran.err);
}

#[test]
fn an_opa_on_the_path_judges_too() {
    let Some(opa) = world::skipped::needs("SWIFTDEPLOY_TEST_OPA") else { return };
    let world = World::local();
    let bin = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(opa, bin.path().join("opa")).unwrap();
    let ran = validated(&world, ONLY_OPA, Some(bin.path()))
        .ends_with(1)
        .says("the policies are refused by `opa check --strict`: ")
        .says("rego_type_error: match error");
    five_lines(&ran);
    let judged = validated(&world, "a := 1", Some(bin.path())).ends_with(0);
    assert!(!judged.text().contains("no `opa` on the path"), "{}", judged.text());
    five_lines(&judged);
}

#[test]
fn a_gate_before_a_deploy_denies_by_the_same_words() {
    let world = World::local();
    std::fs::write(world.path("policies/own.rego"), "package own\n\na := a\n").unwrap();
    world.run(&["deploy"]).ends_with(2).says("policies cannot be used").says("data.own.a is recursive");
}

#[test]
fn what_validate_refuses_no_gate_lets_through() {
    let world = World::local();
    let rules = "package own\n\na if {\n\tx := input.x\n}\n";
    let refused = |arguments: &[&str], headline: &str| {
        std::fs::write(world.path("policies/own.rego"), rules).unwrap();
        world
            .run(arguments)
            .ends_with(2)
            .says(headline)
            .says("policies cannot be used: refused by")
            .says("own.rego:4: ");
        std::fs::remove_file(world.path("policies/own.rego")).unwrap();
    };
    refused(&["deploy"], "Deployment blocked: no policy decision");
    assert!(world.processes().is_empty(), "{:?}", world.processes());
    world.run(&["deploy"]).ends_with(0);
    refused(&["promote", "canary"], "Promotion blocked: no policy decision");
    assert_eq!(world.get("/").json()["mode"], "stable");
}

#[test]
fn an_opa_on_the_path_is_heard_before_a_deploy_too() {
    let Some(opa) = world::skipped::needs("SWIFTDEPLOY_TEST_OPA") else { return };
    let world = World::local();
    let bin = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(opa, bin.path().join("opa")).unwrap();
    // Only OPA reads schemas.
    let text = "package own\n\n# METADATA\n# scope: rule\n# schemas:\n#   - input: {properties: {x: {type: number}}}\n\
                a if input.x == \"x\"\n";
    std::fs::write(world.path("policies/own.rego"), text).unwrap();
    let mut command = world.command(&["deploy"]);
    command.env("PATH", bin.path());
    Ran::of(&command.output().unwrap())
        .ends_with(2)
        .says("refused by `opa check --strict`: ")
        .says("rego_type_error: match error");
}

#[test]
fn on_docker_the_policy_engines_own_image_judges() {
    let Some(world) = World::docker() else { return };
    let before = daemon::listing(&world);
    world.run(&["validate"]).ends_with(0);
    std::fs::write(world.path("policies/own.rego"), "package own\n\na := count(1)\n").unwrap();
    let ran = world
        .run(&["validate"])
        .ends_with(1)
        .says("the policies are refused by `opa check --strict`: policies/own.rego:3: rego_type_error");
    assert_eq!(ran.out.lines().count(), 5, "{}", ran.out);
    assert_eq!(daemon::listing(&world), before, "the throw-away container is gone");
}
