//! What commands say in the moments that people meet least often: a manifest that
//! broke, a canary that is declared, an address of another machine. Each of these
//! once named a wrong next step, or none.

#[path = "support/world.rs"]
mod world;

use rstest::rstest;
use world::World;

/// Makes the manifest unusable in two places.
fn break_manifest(world: &World) {
    world.edit_manifest(|text| {
        text.replace("  port: 3000", "  prot: 3000").replace("proxy_timeout: 30", "proxy_timeout: soon")
    });
}

#[test]
fn a_rollback_under_a_broken_manifest_tells_it_in_a_line_and_is_not_to_be_repeated() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    break_manifest(&world);
    let ran = world.run(&["rollback"]).ends_with(0).says("the manifest does not say so");
    let notice = ran.out.lines().find(|line| line.contains("the traffic is back")).unwrap();
    for told in ["services.prot: unknown key `prot`", "manifest.yaml:", "and 1 more problem", "Do not repeat"]
    {
        assert!(notice.contains(told), "no {told:?} in {notice}");
    }
    assert!(!ran.text().contains("run the command again"), "{}", ran.text());
    assert!(ran.out.lines().all(|line| line.starts_with([' ', 'd', 'r'])), "{}", ran.out);
}

#[rstest]
#[case(&["metrics"])]
#[case(&["policy", "ask", "infra"])]
#[case(&["policy", "explain", "infra"])]
fn a_question_under_a_broken_manifest_names_the_lines_to_correct(#[case] command: &[&str]) {
    let world = World::local();
    break_manifest(&world);
    let ran = world.run(command).ends_with(1).says("2 problems in").says("did you mean `port`?");
    ran.says("next:  correct the lines above, then run the command again");
}

#[test]
fn a_question_that_cannot_be_asked_says_what_to_do_instead() {
    let world = World::local();
    world.run(&["policy", "ask", "nothing"]).ends_with(1).says("next:  name one of these");
    world
        .run(&["policy", "ask", "canary"])
        .ends_with(1)
        .says("next:  run `swiftdeploy promote canary` first");
}

const KEEPS_NONE: &str = "keeps no stable release warm beside it";

#[test]
fn a_declared_canary_is_told_to_keep_no_stable_release() {
    let world = World::local();
    let silent = world.run(&["validate"]).ends_with(0);
    assert!(!silent.text().contains(KEEPS_NONE), "{}", silent.text());
    world.run(&["deploy"]).ends_with(0);
    world.edit_manifest(|text| text.replace("mode: stable", "mode: canary").replace("1.0.0", "1.1.0"));
    let checks = world.run(&["validate"]).ends_with(0).says("warning: services.mode is canary");
    assert_eq!(checks.err.lines().filter(|line| line.contains(KEEPS_NONE)).count(), 1, "{}", checks.err);
    let plan = world.run(&["plan"]).ends_with(0);
    let start = plan.out.lines().find(|line| line.contains("1.1.0 canary; ")).unwrap();
    assert!(start.contains("app-green: ") && start.contains(KEEPS_NONE), "{start}");
}

#[test]
fn a_canary_that_was_promoted_is_none_that_is_declared() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    assert!(world.read("manifest.yaml").contains("mode: canary"));
    let checks = world.run(&["validate"]).ends_with(0);
    assert!(!checks.text().contains(KEEPS_NONE), "{}", checks.text());
}

#[test]
fn an_address_of_another_machine_is_called_that() {
    let world = World::local();
    // An address for documentation is no machine's own.
    world.edit_manifest(|text| text.replace("  drain: 1s", "  drain: 1s\n  bind: 203.0.113.77"));
    let ran = world.run(&["validate"]).ends_with(1);
    assert!(!ran.text().contains("taken by") && !ran.text().contains("nobody"), "{}", ran.text());
    ran.says("FAIL  port free             203.0.113.77 (nginx.bind) is not an address of this machine")
        .says("set nginx.bind to an address of this machine");
    world.run(&["validate", "--json"]).ends_with(1).says("is not an address of this machine");
}

#[test]
fn after_a_teardown_there_is_nothing_to_go_back_from() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    world.run(&["teardown", "--yes"]).ends_with(0);
    let ran = world.run(&["rollback"]).ends_with(1).says("error: nothing is deployed");
    assert!(!ran.text().contains("correct the manifest"), "{}", ran.text());
}

#[test]
fn figures_are_rounded_for_people_and_exact_for_machines() {
    let world = World::local();
    let plan = world.run(&["plan"]).ends_with(0);
    let line = plan.out.lines().find(|line| line.contains("disk_free_gb")).unwrap();
    let figure = line.split_whitespace().nth(2).unwrap();
    let decimals = figure.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    assert!(decimals <= 2 && line.contains(" GB (must be >= 1 GB)"), "{line}");

    let asked = world.run(&["policy", "ask", "infra", "--json"]).ends_with(0).json();
    let checks = asked[0]["decision"]["checks"].as_array().unwrap();
    let disk = checks.iter().find(|check| check["fact"] == "disk_free_gb").unwrap();
    let bytes = asked[0]["decision"]["input"].to_string();
    assert!(bytes.contains(&disk["observed"].to_string()), "{disk} is not the fact in {bytes}");
}

#[test]
fn a_fault_is_told_in_percent() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    world.run(&["chaos", "error", "--rate", "0.125"]).ends_with(0).says("error rate 12.5 % for 60 s");
    world.run(&["status", "--once"]).says("chaos         error rate 12.5 %");
    assert!(world.read("history.jsonl").contains("error rate 12.5 % for 60 s"));
    let injected = world.read("history.jsonl").matches("\"chaos_injected\"").count();
    assert!(injected <= 1, "what the service tells of it is the same fault: {injected}");
}
