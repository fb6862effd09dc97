//! The policies that ship: their own tests pass on the embedded engine and on
//! a real OPA, which also checks, formats and measures them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod policy_support;

use std::path::Path;
use std::process::{Command, Output};

use policy_support::{Policies, RunningOpa, TIMEOUT, limits, real_opa, with};
use serde_json::{Value, json};
use swiftdeploy::policy::testing::{TestOutcome, run_tests};
use swiftdeploy::policy::{Fault, PolicyBundle, PolicyEngine};

/// The least share of lines, in percent, that the policies' tests must reach.
const COVERAGE: &str = "95";

/// OPA gives a test five seconds; a busy machine needs more, with coverage above
/// all.
const PATIENT: &str = "--timeout=120s";

fn opa(binary: &Path, policies: &Policies, arguments: &[&str]) -> Output {
    Command::new(binary).args(arguments).arg(policies.path()).output().unwrap()
}

fn assert_success(output: &Output) {
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", shown(&output.stdout), shown(&output.stderr));
}

#[test]
fn tests_of_the_policies_pass_on_the_embedded_engine() {
    let policies = Policies::starters();
    let report = run_tests(policies.path()).unwrap();
    let failed: Vec<_> = report.cases.iter().filter(|case| case.outcome != TestOutcome::Passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(report.is_success() && report.cases.len() > 30, "{} tests", report.cases.len());
}

#[test]
fn tests_of_the_policies_pass_on_a_real_opa_and_cover_them() {
    let Some(binary) = real_opa() else { return };
    let policies = Policies::starters();
    assert_success(&opa(&binary, &policies, &["test", PATIENT]));
    assert_success(&opa(&binary, &policies, &["test", PATIENT, "--coverage", "--threshold", COVERAGE]));
}

#[test]
fn both_engines_find_the_same_tests() {
    let Some(binary) = real_opa() else { return };
    let policies = Policies::starters();
    let output = opa(&binary, &policies, &["test", PATIENT, "--format", "json"]);
    let theirs: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let mut theirs: Vec<_> = theirs.iter().filter_map(|test| test["name"].as_str()).collect();
    let report = run_tests(policies.path()).unwrap();
    let mut ours: Vec<_> = report.cases.iter().map(|case| case.name.as_str()).collect();
    theirs.sort_unstable();
    ours.sort_unstable();
    assert_eq!(ours, theirs);
}

#[test]
fn policies_satisfy_the_strict_check_and_the_formatter_of_a_real_opa() {
    let Some(binary) = real_opa() else { return };
    let policies = Policies::starters();
    assert_success(&opa(&binary, &policies, &["check", "--strict"]));
    assert_success(&opa(&binary, &policies, &["fmt", "--fail", "--list"]));
}

#[test]
fn starters_hold_exactly_the_agreed_limits() {
    let bundle = PolicyBundle::load(Policies::starters().path()).unwrap();
    assert_eq!(bundle.data(), &json!({"thresholds": limits()}));
    assert_eq!(bundle.packages().into_iter().collect::<Vec<_>>(), ["canary", "infra"]);
    assert_eq!(bundle.tests().len(), 2);
}

#[test]
fn report_tells_failed_undefined_broken_and_repeated_tests_apart() {
    let policies = Policies::starters();
    policies.write(
        "own_test.rego",
        "package own_test\n\n\
         test_true if true\n\n\
         test_undefined if 1 > 2\n\n\
         test_false := false\n\n\
         test_broken if concat(json.unmarshal(\"1\"), [\"a\"])\n\n\
         test_true if 2 > 1\n\n\
         helper if false\n",
    );
    let report = run_tests(policies.path()).unwrap();
    let own: Vec<_> = report.cases.iter().filter(|case| case.package == "own_test").collect();
    let outcome = |index: usize| match &own[index].outcome {
        TestOutcome::Passed => "passed".to_owned(),
        TestOutcome::Failed { reason } => reason.clone(),
        TestOutcome::Broken { .. } => "broken".to_owned(),
    };
    assert_eq!(own.len(), 5);
    assert_eq!(outcome(0), "passed");
    assert_eq!(outcome(1), "undefined, not true");
    assert_eq!(outcome(2), "false, not true");
    assert_eq!(outcome(3), "broken");
    assert_eq!(outcome(4), "also defined in line 3");
    assert!(own[0].at.ends_with("own_test.rego:3"), "{}", own[0].at);
    assert!(!report.is_success());
}

#[test]
fn a_policy_that_does_not_parse_is_named_with_its_line() {
    let policies = Policies::starters();
    policies.append("infra.rego", "\nbroken if {\n");
    let Err(Fault::Policies { reason }) = run_tests(policies.path()) else {
        panic!("a broken policy was accepted")
    };
    assert!(reason.contains("infra.rego:"), "{reason}");
    assert!(!reason.contains('\n'), "{reason}");
}

#[test]
fn a_folder_without_tests_is_no_success() {
    let policies = Policies::starters();
    policies.remove("infra_test.rego");
    policies.remove("canary_test.rego");
    let report = run_tests(policies.path()).unwrap();
    assert!(report.cases.is_empty() && !report.is_success());
}

/// The example of a gate of one's own, as its first lines say how to use it.
fn with_freeze() -> Policies {
    with_freezes(
        &json!([{"from": "2026-12-20T00:00:00Z", "until": "2027-01-02T00:00:00Z", "why": "year's end"}]),
    )
}

fn with_freezes(freezes: &Value) -> Policies {
    let policies = Policies::starters();
    policies.write("freeze.rego", include_str!("../policies/.examples/freeze.rego"));
    policies.write("freeze_test.rego", include_str!("../policies/.examples/freeze_test.rego"));
    policies
        .write("data.json", &json!({"thresholds": with(limits(), json!({"freezes": freezes}))}).to_string());
    policies
}

#[tokio::test]
async fn example_gate_passes_its_tests_and_decides() {
    let policies = with_freeze();
    let report = run_tests(policies.path()).unwrap();
    let failed: Vec<_> = report.cases.iter().filter(|case| case.outcome != TestOutcome::Passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let engine = policies.embedded();
    let open = engine.ask("freeze", &json!({"time": "2026-11-23T12:00:00Z"})).await;
    assert!(open.allow, "{:?}", open.fault);
    let frozen = engine.ask("freeze", &json!({"time": "2026-12-24T12:00:00Z"})).await;
    assert_eq!(frozen.fault, None);
    assert_eq!(frozen.violations[0].code, "frozen");
}

/// Freezes that are written otherwise than the example says.
fn unsound() -> [Value; 5] {
    let freeze = |from: &str, until: &str| json!({"from": from, "until": until, "why": "year's end"});
    [
        freeze("2026-12-24Z", "2027-01-02T00:00:00Z"),
        freeze("2026-12-4T00:00:00Z", "2027-01-02T00:00:00Z"),
        freeze("tomorrowZ", "2027-01-02T00:00:00Z"),
        freeze("2027-01-02T00:00:00Z", "2026-12-20T00:00:00Z"),
        json!("2026-12-24"),
    ]
}

/// Both engines deny alike, with this code and these words.
async fn example_denies(freezes: &Value, asked: &Value, code: &str, words: &str) {
    let policies = with_freezes(freezes);
    let decision = policies.embedded().ask("freeze", asked).await;
    assert_eq!(decision.fault, None, "{freezes} {asked}");
    assert!(!decision.allow, "{freezes} {asked}");
    assert_eq!(decision.violations[0].code, code, "{freezes} {asked}");
    assert!(decision.violations[0].message.starts_with(words), "{:?}", decision.violations);
    let Some(binary) = real_opa() else { return };
    let running = RunningOpa::start(&binary, policies.path(), &[]).await;
    let theirs = policies.asked_at(running.address, TIMEOUT).ask("freeze", asked).await;
    assert_eq!((theirs.fault, theirs.violations), (None, decision.violations), "{freezes} {asked}");
}

#[tokio::test]
async fn example_gate_denies_by_a_freeze_that_is_not_sound_on_both_engines() {
    for freeze in unsound() {
        let asked = json!({"time": "2026-11-23T12:00:00Z"});
        example_denies(&json!([freeze]), &asked, "freeze_unsound", "freezes[0] is not sound").await;
    }
}

/// What is missing is named, not the limits called stale.
#[tokio::test]
async fn example_gate_names_what_it_lacks_on_both_engines() {
    let noon = json!({"time": "2026-11-23T12:00:00Z"});
    for (freezes, shown) in [(json!(null), "absent"), (json!({}), "{}"), (json!("none"), "the text none")] {
        let words = format!("thresholds.freezes in data.json is {shown}: it must be a list of freezes");
        example_denies(&freezes, &noon, "freezes_missing", &words).await;
    }
    for (time, shown) in [(json!(null), "absent"), (json!("noon"), "the text noon"), (json!(12), "12")] {
        let words = format!("the fact time is {shown}: it must be a time in UTC like 2026-12-20T00:00:00Z");
        example_denies(&json!([]), &json!({"time": time}), "time_unusable", &words).await;
    }
    let words = "the fact time is absent: it must be a time in UTC";
    example_denies(&json!([]), &json!("no object of facts"), "time_unusable", words).await;
}

#[tokio::test]
async fn freeze_on_disk_that_a_real_opa_has_not_loaded_is_noticed() {
    let Some(binary) = real_opa() else { return };
    let policies = with_freezes(&json!([]));
    let running = RunningOpa::start(&binary, policies.path(), &[]).await;
    let opa = policies.asked_at(running.address, TIMEOUT);
    let asked = json!({"time": "2026-12-24T12:00:00Z"});
    let open = opa.ask("freeze", &asked).await;
    assert!(open.allow, "{:?}", open.fault);

    let newer = with_freeze();
    policies.write("data.json", &std::fs::read_to_string(newer.path().join("data.json")).unwrap());
    let Some(Fault::Stale { reason }) = opa.ask("freeze", &asked).await.fault else {
        panic!("a freeze on disk was not noticed")
    };
    assert!(reason.starts_with("the limit freezes is [] in the engine and [{"), "{reason}");
}

#[test]
fn example_gate_satisfies_a_real_opa() {
    let Some(binary) = real_opa() else { return };
    let policies = with_freeze();
    assert_success(&opa(&binary, &policies, &["check", "--strict"]));
    assert_success(&opa(&binary, &policies, &["fmt", "--fail", "--list"]));
    assert_success(&opa(&binary, &policies, &["test", PATIENT]));
    assert_success(&opa(&binary, &policies, &["test", PATIENT, "--coverage", "--threshold", COVERAGE]));
}

#[test]
fn example_gate_is_not_loaded_by_default() {
    let policies = Policies::starters();
    policies.write(".examples/freeze.rego", include_str!("../policies/.examples/freeze.rego"));
    let bundle = PolicyBundle::load(policies.path()).unwrap();
    assert!(!bundle.packages().contains("freeze"));
}
