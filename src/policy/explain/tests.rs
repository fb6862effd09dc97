//! Explanations of our own policies and of gates that are written otherwise.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::super::{Decision, EmbeddedEngine, PolicyEngine, STARTERS};
use super::*;
use crate::clock::SystemClock;

const FREEZE: &str = include_str!("../../../policies/.examples/freeze.rego");

/// A gate whose code is put together, from limits that are written in it.
const COMPUTED: &str = r#"package computed

decision := {
	"allow": false,
	"verdict": "fail",
	"violations": [{"code": concat("_", ["too", "late"]), "message": "it is late", "observed": input.hour, "limit": 17}],
	"reasons": ["it is late"],
	"limits": data.thresholds,
}
"#;

fn starters() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in STARTERS {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

async fn ask(folder: &Path, package: &str, input: Value) -> Decision {
    EmbeddedEngine::new(folder, Duration::from_secs(20), SystemClock::shared()).ask(package, &input).await
}

fn failing_canary() -> Value {
    json!({
        "requests": 300, "errors": 12, "error_rate": 0.04, "request_rate": 10.0,
        "p99_latency_ms": 430.25, "p99_bucket": [250.0, 500.0],
        "latency_buckets": [{"le_ms": 500.0, "count": 299.0}, {"le_ms": null, "count": 300.0}],
        "window_seconds": 30.0, "resets": 0, "vanished": 0, "samples_needed": 50,
        "healthy": true, "health_detail": null, "restarts": 0, "oom_kills": 0, "stable": null,
        "proxy_failures": 0, "proxy_timed_out": 0, "proxy_errors": 0, "proxy_broken": 0, "proxy_abandoned": [], "proxy_waiting": null, "settled_requests": 290, "proxy_error": null, "instances": 1, "metrics_error": null,
        "source": "app-green at 127.0.0.1:4000",
        "sources": {
            "metrics": "/metrics of app-green at 127.0.0.1:4000",
            "health": "state of app-green at 127.0.0.1:4000",
            "proxy": "the proxy's log",
        }, "time": "2026-11-23T12:00:00Z",
    })
}

/// The place of the only line of a file that contains a text.
fn at(folder: &Path, file: &str, text: &str, rule: &str) -> Place {
    let source = fs::read_to_string(folder.join(file)).unwrap();
    let lines: Vec<usize> =
        source.lines().enumerate().filter(|(_, line)| line.contains(text)).map(|(at, _)| at + 1).collect();
    let [line] = lines[..] else { panic!("{text} stands in lines {lines:?} of {file}") };
    Place { file: folder.join(file).display().to_string(), line, rule: Some(rule.to_owned()) }
}

fn data(key: &str) -> LimitAt {
    LimitAt::Data { key: key.to_owned() }
}

#[tokio::test]
async fn a_violation_leads_to_its_rule_its_fact_and_its_limit() {
    let folder = starters();
    let explanation = explain(folder.path(), &ask(folder.path(), "canary", failing_canary()).await);
    assert_eq!(explanation.note, None);
    let rule = |text, rule| Some(at(folder.path(), "canary.rego", text, rule));
    assert_eq!(explanation.rule, rule(r#"else := "fail""#, "verdict"));
    let high = explanation.violation("error_rate_high").unwrap();
    assert_eq!(high.rule, rule(r#""code": "error_rate_high""#, "too_many_errors"));
    assert_eq!(high.fact.as_deref(), Some("error_rate"));
    assert_eq!(high.limit, Some(data("thresholds.error_rate")));
    // Of several sources, the one that the policy names for it.
    assert_eq!(high.source.as_deref(), Some("/metrics of app-green at 127.0.0.1:4000"));
    assert_eq!(explanation.check("error_rate").unwrap().source, high.source);
    // One that is kept is told from where it would be said to come.
    let source = |fact: &str| explanation.check(fact).unwrap().source.clone().unwrap_or_default();
    assert_eq!(source("restarts"), "state of app-green at 127.0.0.1:4000");
    assert_eq!(source("p99_latency_ms"), "/metrics of app-green at 127.0.0.1:4000");
}

/// Each of many figures that are alike may be the one behind a comparison.
#[tokio::test]
async fn a_verdict_for_want_of_requests_leads_to_its_rule() {
    let folder = starters();
    let mut facts = failing_canary();
    let none = json!({
        "requests": 0, "errors": 0, "error_rate": null, "p99_latency_ms": null, "p99_bucket": null,
        "latency_buckets": (1..40).map(|edge| json!({"le_ms": edge * 50, "count": 0.0})).collect::<Vec<_>>(),
        "settled_requests": 0, "proxy_waiting": [],
    });
    facts.as_object_mut().unwrap().extend(none.as_object().unwrap().clone());
    let decision = ask(folder.path(), "canary", facts).await;
    assert_eq!(decision.violations[0].code, "too_few_requests");
    let explanation = explain(folder.path(), &decision);
    let place = Some(at(folder.path(), "canary.rego", r#"else := "inconclusive""#, "verdict"));
    assert_eq!((explanation.rule, explanation.note), (place, None));
}

#[tokio::test]
async fn every_comparison_of_our_gates_has_a_place() {
    let folder = starters();
    let canary = explain(folder.path(), &ask(folder.path(), "canary", failing_canary()).await);
    assert!(
        canary.checks.len() >= 6 && canary.checks.iter().all(|trace| trace.rule.is_some()),
        "{canary:#?}"
    );
    let requests = canary.check("requests").unwrap();
    assert_eq!(requests.limit, Some(LimitAt::Facts { key: "samples_needed".to_owned() }));
    assert_eq!(canary.check("restarts").unwrap().limit, Some(LimitAt::Rule));
    assert_eq!(canary.check("p99_latency_ms").unwrap().limit, Some(data("thresholds.p99_latency_ms")));

    let host = json!({
        "disk_free_gb": 4.2, "cpu_load": 0.4, "cpus": 2, "time": "2026-11-23T12:00:00Z",
        "sources": {"disk_free_gb": "free space at /srv", "cpu_load": "load average"},
    });
    let infra = explain(folder.path(), &ask(folder.path(), "infra", host).await);
    let low = infra.violation("disk_free_low").unwrap();
    assert_eq!(low.rule, Some(at(folder.path(), "infra.rego", r#""code": "disk_free_low""#, "rules")));
    assert_eq!(low.limit, Some(data("thresholds.disk_free_gb")));
    assert_eq!(low.source.as_deref(), Some("free space at /srv"));
    assert!(infra.checks.iter().all(|trace| trace.rule.is_some() && trace.limit.is_some()), "{infra:#?}");
}

#[tokio::test]
async fn a_limit_that_moved_to_data_json_is_found_there() {
    let folder = starters();
    let limits = json!({"thresholds": {
        "disk_free_gb": 10, "cpu_load": 2, "error_rate": 0.01, "p99_latency_ms": 500, "min_requests": 50,
    }});
    fs::write(folder.path().join("data.json"), limits.to_string()).unwrap();
    let explanation = explain(folder.path(), &ask(folder.path(), "canary", failing_canary()).await);
    assert_eq!(explanation.check("requests").unwrap().limit, Some(data("thresholds.min_requests")));
}

/// A package where no rule decides.
const IDLE: &str = r#"package idle

default decision := {
	"allow": false,
	"verdict": "fail",
	"violations": [{"code": "undecided", "message": "nobody decides"}],
	"reasons": ["nobody decides"],
	"limits": {},
}
"#;

#[tokio::test]
async fn a_gate_of_ones_own_is_explained_like_ours() {
    let folder = starters();
    fs::write(folder.path().join("freeze.rego"), FREEZE).unwrap();
    let limits = json!({
        "thresholds": {
            "disk_free_gb": 10, "cpu_load": 2, "error_rate": 0.01, "p99_latency_ms": 500,
            "freezes": [{"from": "2026-12-20T00:00:00Z", "until": "2027-01-02T00:00:00Z", "why": "year's end"}],
        },
    });
    fs::write(folder.path().join("data.json"), limits.to_string()).unwrap();
    let during = json!({"time": "2026-12-24T18:00:00Z"});
    let explanation = explain(folder.path(), &ask(folder.path(), "freeze", during).await);
    let frozen = explanation.violation("frozen").unwrap();
    assert_eq!(frozen.rule, Some(at(folder.path(), "freeze.rego", r#""code": "frozen""#, "frozen")));
    assert_eq!(frozen.fact.as_deref(), Some("time"));
    assert_eq!(frozen.limit, Some(data("thresholds.freezes[0].until")));

    let before = json!({"time": "2026-12-01T18:00:00Z"});
    let passing = explain(folder.path(), &ask(folder.path(), "freeze", before).await);
    assert_eq!(passing.rule, Some(at(folder.path(), "freeze.rego", r#"verdict := "pass""#, "verdict")));

    // Facts that no rule takes end in the default, which is a rule all the same.
    fs::write(folder.path().join("idle.rego"), IDLE).unwrap();
    let undecided = explain(folder.path(), &ask(folder.path(), "idle", json!({})).await);
    assert_eq!(undecided.rule.unwrap().rule.as_deref(), Some("decision"));
}

#[tokio::test]
async fn what_does_not_show_is_not_known() {
    let folder = starters();
    fs::write(folder.path().join("computed.rego"), COMPUTED).unwrap();
    let explanation = explain(folder.path(), &ask(folder.path(), "computed", json!({"hour": 18})).await);
    let late = explanation.violation("too_late").unwrap();
    assert_eq!((late.rule.clone(), late.limit.clone()), (None, Some(LimitAt::Rule)));
    assert_eq!(late.fact.as_deref(), Some("hour"));
    assert_eq!(explanation.rule.unwrap().line, 5);
}

#[tokio::test]
async fn policies_that_changed_since_are_said_to_have_changed() {
    let folder = starters();
    let decision = ask(folder.path(), "canary", failing_canary()).await;
    let rego = fs::read_to_string(folder.path().join("canary.rego")).unwrap();
    fs::write(folder.path().join("canary.rego"), format!("# A new first line.\n{rego}")).unwrap();
    let moved = explain(folder.path(), &decision);
    assert!(moved.note.clone().unwrap().contains("which give the same answer"), "{moved:?}");
    let high = moved.violation("error_rate_high").unwrap();
    assert_eq!(
        high.rule,
        Some(at(folder.path(), "canary.rego", r#""code": "error_rate_high""#, "too_many_errors"))
    );

    fs::write(
        folder.path().join("data.json"),
        r#"{"thresholds":{"disk_free_gb":10,"cpu_load":2,"error_rate":0.9,"p99_latency_ms":500}}"#,
    )
    .unwrap();
    let other = explain(folder.path(), &decision);
    assert!(other.note.clone().unwrap().contains("answer otherwise"), "{other:?}");
    assert!(other.rule.is_none() && other.checks.iter().all(|trace| trace.rule.is_none()));
}

#[tokio::test]
async fn policies_that_only_opa_can_evaluate_are_placed_by_their_text_alone() {
    let folder = starters();
    let decision = ask(folder.path(), "canary", failing_canary()).await;
    let rego = fs::read_to_string(folder.path().join("canary.rego")).unwrap();
    let rego = format!("{rego}\nonly_opa := time.now_ns()\n");
    fs::write(folder.path().join("canary.rego"), rego).unwrap();
    let revision = PolicyBundle::load(folder.path()).unwrap().revision().to_owned();
    // As OPA would have decided with these policies.
    let decision = Decision { revision, ..decision };
    let explanation = explain(folder.path(), &decision);
    let Some(note) = &explanation.note else {
        // The embedded engine does not look at rules that nothing asks for.
        assert!(explanation.rule.is_some());
        return;
    };
    assert!(note.contains("cannot evaluate"), "{note}");
    let high = explanation.violation("error_rate_high").unwrap();
    assert_eq!(high.rule.clone().unwrap().rule.as_deref(), Some("too_many_errors"));
    assert!(explanation.rule.is_none());
}

#[tokio::test]
async fn a_fault_was_given_by_no_rule() {
    let folder = starters();
    let decision = ask(folder.path(), "nowhere", json!({})).await;
    assert!(decision.fault.is_some());
    let explanation = explain(folder.path(), &decision);
    assert!(explanation.rule.is_none() && explanation.violations.is_empty() && explanation.note.is_none());
}
