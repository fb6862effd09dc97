//! `policy explain` of what was recorded, by the real binary.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

#[path = "support/decisions.rs"]
mod decisions;
#[path = "support/policy_command.rs"]
mod policy_command;
mod policy_support;

use std::fs;
use std::path::Path;

use policy_command::{Ran, policy};
use policy_support::{good_canary, roomy_host, with};
use serde_json::{Value, json};
use swiftdeploy::history::Entry;
use swiftdeploy::policy::PolicyBundle;
use tempfile::TempDir;

fn run(root: &Path, arguments: &[&str]) -> Ran {
    policy(root, "explain", arguments)
}

/// A history: a start, a failing canary, a passing host, two decisions without
/// an answer (as they are written now, and as older versions did).
fn project() -> TempDir {
    policy_command::project(|writer, asker, revision| {
        writer.append(Entry::OperationStarted {
            operation_id: "op-1".to_owned(),
            operation: "promote stable".to_owned(),
            detail: "promote green".to_owned(),
        });
        let failing = with(good_canary(), json!({"errors": 12, "error_rate": 0.04}));
        writer.append(decisions::entry(asker, revision, "canary", failing));
        writer.append(decisions::entry(asker, revision, "infra", roomy_host()));
        writer.append(decisions::unanswered("infra", roomy_host(), false));
        writer.append(decisions::unanswered("infra", roomy_host(), true));
    })
}

/// The line of the only place where a text stands.
fn line_of(root: &Path, file: &str, text: &str) -> usize {
    let source = fs::read_to_string(root.join(file)).unwrap();
    let mut places = source.lines().enumerate().filter(|(_, line)| line.contains(text));
    let (index, _) = places.next().unwrap();
    assert!(places.next().is_none(), "{text} stands in several places");
    index + 1
}

#[test]
fn a_recorded_decision_is_explained_as_it_was_made() {
    let folder = project();
    let ran = run(folder.path(), &["--seq", "2"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let revision = PolicyBundle::load(&folder.path().join("policies")).unwrap().revision().to_owned();
    // Lines move with every edit of the policies; that they are right is
    // compared below.
    let shown: String = ran.out.replace(&revision, "REVISION");
    let shown: Vec<String> =
        shown.lines().take_while(|line| !line.starts_with("facts:")).map(unnumbered).collect();
    insta::assert_snapshot!(shown.join("\n"));
    let high = line_of(folder.path(), "policies/canary.rego", r#""code": "error_rate_high""#);
    assert!(ran.out.contains(&format!("policies/canary.rego:{high} (too_many_errors)")), "{}", ran.out);
}

/// `canary.rego:71` without its number.
fn unnumbered(line: &str) -> String {
    match line.split_once(".rego:") {
        None => line.to_owned(),
        Some((before, after)) => {
            format!("{before}.rego:N{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
    }
}

#[test]
fn json_holds_decision_explanation_and_record() {
    let folder = project();
    let ran = run(folder.path(), &["--json", "--seq", "3"]);
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(told["event"], "decision");
    assert_eq!(told["decision"]["verdict"], "pass");
    assert_eq!(told["recorded"]["seq"], 3);
    let checks = told["explanation"]["checks"].as_array().unwrap();
    let disk = checks.iter().find(|check| check["name"] == "disk_free_gb").unwrap();
    assert_eq!(disk["limit"], json!({"in": "data", "key": "thresholds.disk_free_gb"}));
    assert_eq!(disk["source"], "/var/lib/docker");
    assert_eq!(
        disk["rule"]["line"],
        line_of(folder.path(), "policies/infra.rego", r#""code": "disk_free_low""#)
    );
}

#[test]
fn a_recorded_fault_tells_its_next_step_and_an_old_one_that_its_kind_is_not_known() {
    let folder = project();
    let ran = run(folder.path(), &["--seq", "4"]);
    assert_eq!(ran.code, 0);
    assert!(
        ran.out.contains("policy engine not running") && ran.out.contains("start it (on Docker:"),
        "{}",
        ran.out
    );
    let old = run(folder.path(), &["--seq", "5"]);
    assert!(old.out.contains("policy engine not running"), "{}", old.out);
    assert!(
        old.out.contains("does not name the kind of the fault") && old.out.contains("not recorded"),
        "{}",
        old.out
    );
}

#[test]
fn a_number_that_is_no_decision_says_which_are() {
    let folder = project();
    let ran = run(folder.path(), &["--seq", "1"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("record 1 is no decision (operation_started)"), "{}", ran.err);
    let ran = run(folder.path(), &["--seq", "99"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("no record 99; decisions before it: 2, 3, 4, 5"), "{}", ran.err);
    assert_eq!(run(folder.path(), &[]).code, 1);
    assert_eq!(run(folder.path(), &["infra", "--seq", "1"]).code, 1);
}

#[test]
fn limits_that_changed_since_are_told_and_no_place_is_made_up() {
    let folder = project();
    let data = r#"{"thresholds":{"disk_free_gb":10,"cpu_load":2,"error_rate":0.5,"p99_latency_ms":500}}"#;
    fs::write(folder.path().join("policies/data.json"), data).unwrap();
    let ran = run(folder.path(), &["--seq", "2"]);
    assert!(ran.out.contains("answer otherwise than those that decided"), "{}", ran.out);
    assert!(ran.out.contains("rule          not known"), "{}", ran.out);
    assert!(ran.out.contains("error_rate_high: error_rate 0.04"), "{}", ran.out);
}
