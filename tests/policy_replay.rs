//! `policy replay`: the recorded decisions asked again.
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
use std::sync::Arc;
use std::time::Duration;

use policy_command::{Ran, policy};
use policy_support::{Policies, RunningOpa, TIMEOUT, free_address, good_canary, real_opa, with, without};
use serde_json::{Value, json};
use swiftdeploy::clock::SystemClock;
use swiftdeploy::engine::{ReplayBy, ReplayError, ReplayEvent, ReplayOptions, ReplayReport, replay};
use swiftdeploy::policy::replay::Asker;
use swiftdeploy::policy::{Fault, PolicyBundle};
use tempfile::TempDir;

const STRICT: &str =
    r#"{"thresholds":{"disk_free_gb":50,"cpu_load":1.5,"error_rate":0.001,"p99_latency_ms":250}}"#;

/// Runs the command in a project.
fn run(root: &Path, arguments: &[&str]) -> Ran {
    policy(root, "replay", arguments)
}

fn json_lines(ran: &Ran) -> (Vec<Value>, Value) {
    let mut lines: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.pop().unwrap_or_else(|| panic!("no output; {}", ran.err));
    (lines, last)
}

/// A project whose history holds these decisions, answered by the starters.
fn project(decisions: &[(&str, Value)]) -> TempDir {
    policy_command::project(|writer, asker, revision| {
        for (gate, input) in decisions {
            writer.append(decisions::entry(asker, revision, gate, input.clone()));
        }
    })
}

fn options(root: &Path, policies: &Path, by: ReplayBy) -> ReplayOptions {
    ReplayOptions { root: root.to_owned(), policies: policies.to_owned(), data: None, by, timeout: TIMEOUT }
}

fn replayed(options: &ReplayOptions) -> Result<(Vec<ReplayEvent>, ReplayReport), ReplayError> {
    let mut events = Vec::new();
    let report = replay(options, &SystemClock::shared(), &mut |event| {
        events.push(event);
        Ok(())
    })?;
    Ok((events, report))
}

#[test]
fn thousands_of_decisions_over_several_parts_come_out_as_they_went_in() {
    let folder = tempfile::tempdir().unwrap();
    decisions::write_history(folder.path(), 2_000);
    let (changes, total) = json_lines(&run(folder.path(), &["--json", "--check"]));
    assert_eq!(changes, [] as [Value; 0]);
    assert_eq!(total["event"], "replayed");
    assert_eq!(total["decisions"], 2_000);
    let without_answer = 2_000 / decisions::DOWN_EVERY;
    assert_eq!(total["same"], 2_000 - without_answer);
    let told = total["no_answer_then"].as_object().unwrap();
    assert_eq!(told.len(), 1, "old and new records of the same fault are one: {told:?}");
    assert_eq!(told.values().next().unwrap(), without_answer);
    assert_eq!((&total["chain"]["parts"], &total["whole"]), (&json!(3), &json!(true)));
}

#[test]
fn every_answer_that_other_limits_change_is_listed_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    decisions::write_history(folder.path(), 1_000);
    fs::write(folder.path().join("strict.json"), STRICT).unwrap();
    let ran = run(folder.path(), &["--json", "--data", "strict.json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let (changes, total) = json_lines(&ran);
    assert_eq!(total["changed"], changes.len());
    let seqs: Vec<u64> = changes.iter().map(|change| change["seq"].as_u64().unwrap()).collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
    // Each one by the other way: the question alone, asked of the other limits.
    let bundle = PolicyBundle::load_with(&folder.path().join("policies"), &folder.path().join("strict.json"));
    let asker = Asker::new(Arc::new(bundle.unwrap()), TIMEOUT);
    let mut expected = Vec::new();
    for record in swiftdeploy::history::read_all(folder.path()).unwrap() {
        let record = record.unwrap();
        if let swiftdeploy::history::Entry::Decision { gate, input, result, .. } = record.entry {
            let codes = |result: &Value| -> std::collections::BTreeSet<String> {
                let list = result["violations"].as_array().into_iter().flatten();
                list.map(|violation| violation["code"].as_str().unwrap().to_owned()).collect()
            };
            let now = asker.ask(&gate, &input).result;
            if !result.is_null() && (result["verdict"] != now["verdict"] || codes(&result) != codes(&now)) {
                expected.push(record.seq);
            }
        }
    }
    assert!(expected.len() > 100, "{}", expected.len());
    assert_eq!(seqs, expected);
    let checked = run(folder.path(), &["--data", "strict.json", "--check"]);
    assert_eq!(checked.code, 1);
    assert!(checked.out.contains("answers would change"), "{}", checked.out);
}

#[test]
fn a_change_tells_then_now_and_what_differs() {
    let folder = project(&[
        ("canary", with(good_canary(), json!({"errors": 2, "error_rate": 0.006}))),
        ("canary", good_canary()),
    ]);
    fs::write(folder.path().join("strict.json"), STRICT.replace("250}", "500}").replace("0.001", "0.005"))
        .unwrap();
    let ran = run(folder.path(), &["--data", "strict.json"]);
    assert_eq!(ran.code, 0);
    // Time and revision differ from run to run.
    let stable: Vec<&str> = ran.out.lines().filter(|line| !line.contains("asked of")).collect();
    insta::assert_snapshot!(stable.join("\n"));
}

#[test]
fn nothing_recorded_is_nothing_that_changes() {
    let folder = tempfile::tempdir().unwrap();
    decisions::write_policies(folder.path());
    let ran = run(folder.path(), &["--check"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("0 of 0 answers would change"), "{}", ran.out);
}

#[test]
fn facts_that_an_older_version_did_not_record_are_missing_and_said_to_be() {
    let folder = project(&[("infra", policy_support::roomy_host())]);
    let rego = fs::read_to_string(folder.path().join("policies/infra.rego")).unwrap();
    let more = rego.replacen(
        "rules := [\n",
        "rules := [\n\t{\"fact\": \"swap_free_gb\", \"must\": \">=\", \"unit\": \"GB\", \"code\": \"swap_low\"},\n",
        1,
    );
    assert_ne!(rego, more);
    fs::write(folder.path().join("policies/infra.rego"), more).unwrap();
    let data = r#"{"thresholds":{"disk_free_gb":10,"cpu_load":2,"error_rate":0.01,"p99_latency_ms":500,"swap_free_gb":1}}"#;
    fs::write(folder.path().join("policies/data.json"), data).unwrap();
    let (changes, total) = json_lines(&run(folder.path(), &["--json"]));
    assert_eq!(total["for_want_of_facts"], 1);
    assert_eq!(changes[0]["now"]["violations"], json!(["facts_missing"]));
    assert!(changes[0]["now"]["reasons"][0].as_str().unwrap().contains("swap_free_gb"));
}

#[test]
fn a_gate_that_is_gone_has_no_answer_any_more() {
    let folder = project(&[("infra", policy_support::roomy_host()), ("canary", good_canary())]);
    fs::remove_file(folder.path().join("policies/infra.rego")).unwrap();
    fs::remove_file(folder.path().join("policies/infra_test.rego")).unwrap();
    let (changes, total) = json_lines(&run(folder.path(), &["--json"]));
    assert_eq!((&total["same"], &total["changed"]), (&json!(1), &json!(1)));
    assert_eq!(changes[0]["now"]["fault"]["fault"], "undefined");
    assert_eq!(total["transitions"], json!({"PASS -> NO ANSWER": 1}));
}

#[test]
fn a_line_that_is_no_record_is_told_and_counted_and_the_rest_is_replayed() {
    let folder = project(&[("canary", good_canary()), ("canary", good_canary()), ("canary", good_canary())]);
    let path = folder.path().join("history.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&path, format!("{}\nnot a record\n{}\n", lines[0], lines[2])).unwrap();
    let ran = run(folder.path(), &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("history.jsonl:2: not a record"), "{}", ran.err);
    assert!(ran.out.contains("0 of 2 answers would change"), "{}", ran.out);
    assert!(ran.out.contains("THE HISTORY IS DAMAGED"), "{}", ran.out);
    assert!(ran.err.contains("audit verify"), "{}", ran.err);
}

#[test]
fn an_edited_record_breaks_the_chain_and_so_the_conclusion() {
    let folder = project(&[("canary", good_canary()), ("canary", good_canary())]);
    let path = folder.path().join("history.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen(r#""errors":1"#, r#""errors":0"#, 1)).unwrap();
    let ran = run(folder.path(), &["--json"]);
    assert_eq!(ran.code, 1);
    let (_, total) = json_lines(&ran);
    assert_eq!(total["whole"], false);
    assert_eq!(total["chain"]["fault"]["fault"], "edited");
}

#[test]
fn a_cut_tail_is_seen_though_every_line_is_sound() {
    let folder = project(&[("canary", good_canary()), ("canary", good_canary())]);
    let path = folder.path().join("history.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{}\n", text.lines().next().unwrap())).unwrap();
    let ran = run(folder.path(), &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("record 2 is missing"), "{}", ran.out);
}

#[test]
fn policies_that_cannot_be_used_conclude_nothing() {
    let folder = project(&[("canary", good_canary())]);
    fs::write(folder.path().join("policies/canary.rego"), "package canary\n\ndecision := {\n").unwrap();
    let ran = run(folder.path(), &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("policies cannot be used") && ran.err.contains("canary.rego"), "{}", ran.err);
    assert_eq!(ran.out, "");
}

#[test]
fn an_opa_that_is_not_there_concludes_nothing() {
    let folder = project(&[("canary", good_canary())]);
    let ran = run(folder.path(), &["--engine", "opa", "--at", &free_address().to_string()]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("policy engine not running"), "{}", ran.err);
    let ran = run(folder.path(), &["--engine", "opa", "--data", "strict.json"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("--policies DIR"), "{}", ran.err);
}

#[test]
fn output_that_cannot_be_told_ends_the_replay() {
    let folder = project(&[("canary", good_canary()), ("canary", without(good_canary(), "errors"))]);
    fs::remove_file(folder.path().join("policies/canary.rego")).unwrap();
    fs::remove_file(folder.path().join("policies/canary_test.rego")).unwrap();
    let options = options(folder.path(), &folder.path().join("policies"), ReplayBy::Embedded);
    let outcome =
        replay(&options, &SystemClock::shared(), &mut |_| Err(std::io::ErrorKind::BrokenPipe.into()));
    assert!(matches!(outcome, Err(ReplayError::Output(_))), "{outcome:?}");
}

#[test]
fn a_gate_that_takes_too_long_says_nothing_about_policies() {
    let folder = project(&[("canary", good_canary())]);
    let endless = "package canary\n\ndecision := {\"late\": count([1 | some i in numbers.range(1, 3000); some j in numbers.range(1, 3000); i * j == 0])}\n";
    fs::write(folder.path().join("policies/canary.rego"), endless).unwrap();
    let short = ReplayOptions {
        timeout: Duration::from_millis(30),
        ..options(folder.path(), &folder.path().join("policies"), ReplayBy::Embedded)
    };
    let outcome = replayed(&short);
    assert!(
        matches!(&outcome, Err(ReplayError::Engine { fault: Fault::TimedOut { .. }, seq: Some(1) })),
        "{outcome:?}"
    );
}

/// The same findings, to the letter, from a real OPA.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_opa_changes_the_same_answers_as_the_embedded_engine() {
    let Some(binary) = real_opa() else { return };
    let folder = tempfile::tempdir().unwrap();
    decisions::write_history(folder.path(), 400);
    // Other limits than those that decided, so that there is something to find.
    let strict = Policies::with_data(&serde_json::from_str(STRICT).unwrap());
    let running = RunningOpa::start(&binary, strict.path(), &[]).await;
    let at = running.address;
    let by_opa = ReplayBy::Opa { at, on: tokio::runtime::Handle::current() };
    let embedded = options(folder.path(), strict.path(), ReplayBy::Embedded);
    let opa = options(folder.path(), strict.path(), by_opa);
    let (here, there) =
        tokio::task::spawn_blocking(move || (replayed(&embedded).unwrap(), replayed(&opa).unwrap()))
            .await
            .unwrap();
    assert_eq!(there.1.engine.name, "opa");
    assert!(here.1.changed > 20, "{:?}", here.1);
    for (one, other) in here.0.iter().zip(&there.0) {
        assert_eq!(one, other);
    }
    assert_eq!(here.0.len(), there.0.len());
    let neutral =
        |report: ReplayReport| ReplayReport { engine: Asker::id(), elapsed: Duration::ZERO, ..report };
    assert_eq!(neutral(here.1), neutral(there.1));

    // An OPA with other limits than those on disk is stale: nothing is concluded.
    let other = Policies::starters();
    let stale =
        options(folder.path(), other.path(), ReplayBy::Opa { at, on: tokio::runtime::Handle::current() });
    let outcome = tokio::task::spawn_blocking(move || replayed(&stale)).await.unwrap();
    assert!(matches!(outcome, Err(ReplayError::Engine { .. })), "{outcome:?}");
}
