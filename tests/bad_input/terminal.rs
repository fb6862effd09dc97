//! Nobody to ask and nobody to read: no terminal, or a program at the other
//! end of standard output.

use rstest::rstest;

use super::untouched::{Untouched, initialised};

#[test]
fn without_a_terminal_the_app_says_to_use_a_command() {
    let world = initialised();
    let before = Untouched::of(&world);
    let ran = world.run(&[]).ends_with(1);
    let ran = ran.says("the app needs a terminal, and there is none").says("next:  use a command");
    assert_eq!(ran.out, "");
    before.holds();
}

#[test]
fn without_a_terminal_teardown_wants_a_yes_and_removes_nothing() {
    let world = initialised();
    world.run(&["deploy"]).ends_with(0);
    let before = Untouched::of(&world);
    world
        .run(&["teardown"])
        .ends_with(1)
        .says("teardown removes the stack and nobody can be asked")
        .says("say `teardown --yes`");
    before.holds();
    assert_eq!(world.get("/").status, 200);
}

#[rstest]
#[case::the_app(&[])]
#[case::no_such_command(&["frobnicate"])]
#[case::no_such_option(&["deploy", "--force"])]
#[case::an_argument_too_few(&["promote"])]
#[case::a_value_that_is_none(&["load", "--for", "soon"])]
#[case::missing_manifest(&["deploy", "--manifest", "none.yaml"])]
#[case::nobody_to_ask(&["teardown"])]
#[case::nothing_to_promote(&["promote", "canary"])]
#[case::nothing_to_go_back_to(&["rollback"])]
#[case::nothing_to_break(&["chaos", "kill"])]
#[case::nothing_to_load(&["load", "--for", "1s"])]
#[case::no_such_service(&["logs", "database"])]
#[case::no_such_gate(&["policy", "ask", "weather"])]
#[case::no_such_scrape(&["metrics", "--check", "none.prom"])]
fn an_error_for_a_program_is_json_and_nothing_else(#[case] command: &[&str]) {
    let world = initialised();
    let before = Untouched::of(&world);
    let ran = world.run(&[command, &["--json"]].concat());
    assert_eq!(ran.code, 1, "{}", ran.text());
    let lines = ran.json();
    let last = lines.last().unwrap_or_else(|| panic!("no line at all: {}", ran.err));
    for name in ["error", "next"] {
        assert!(last[name].as_str().is_some_and(|text| !text.is_empty()), "no {name} in {last}");
    }
    assert!(lines.iter().all(|line| line["event"].is_string()), "{}", ran.out);
    before.holds();
}

#[test]
fn a_mistyped_command_is_an_error_and_never_a_denial() {
    let world = initialised();
    world.run(&["deplyo"]).ends_with(1).says("deplyo").says("deploy");
    world.run(&["--help"]).ends_with(0).says("Exit codes");
    world.run(&["--version"]).ends_with(0).says("swiftdeploy");
}

#[test]
fn a_denial_for_a_program_has_the_reasons_in_its_last_line() {
    let world = initialised();
    world.set_limits(
        r#"{"thresholds":{"disk_free_gb":100000000,"cpu_load":1000,"error_rate":0.01,"p99_latency_ms":500}}"#,
    );
    let before = Untouched::of(&world);
    let ran = world.run(&["deploy", "--json"]).ends_with(2);
    assert_eq!(ran.err, "");
    let last = ran.json().pop().unwrap();
    assert_eq!(
        (last["outcome"].as_str(), last["exit_code"].as_i64(), last["headline"].as_str()),
        (Some("denied"), Some(2), Some("Deployment blocked: Infrastructure policy violation"))
    );
    assert!(last["reasons"][0].as_str().is_some_and(|reason| reason.contains("disk_free_gb")), "{last}");
    before.holds();
}
