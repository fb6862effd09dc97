//! What the gates of the made-up project say, where it comes from, and what a
//! replay of it finds.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::fixtures::noon;
use crate::clock::SystemClock;
use crate::engine::{ChangedDecision, GateView, ReplayBy, ReplayOptions, Replayed, replay};
use crate::policy::explain::{Explanation, LimitAt, Place, Trace};
use crate::policy::replay::{Change, Side};
use crate::policy::{CheckLine, Decision, EngineId, Fault, Verdict, Violation};

fn decision(gate: &str, verdict: Verdict, checks: Vec<CheckLine>, reasons: Vec<String>) -> Decision {
    Decision {
        gate: gate.into(),
        allow: verdict == Verdict::Pass,
        verdict,
        violations: Vec::new(),
        reasons,
        checks,
        fault: None,
        engine: EngineId {
            name: "opa".into(),
            version: Some("1.19.1".into()),
            at: "http://127.0.0.1:8181".into(),
        },
        revision: "3f9c2ab41d07".into(),
        input: json!({"facts": {"error_rate": 0.52, "p99_latency_ms": 430, "requests": 301}}),
        result: json!({"allow": verdict == Verdict::Pass}),
        took: Duration::from_micros(800),
    }
}

fn check(
    fact: &str,
    observed: serde_json::Value,
    must: &str,
    limit: serde_json::Value,
    unit: &str,
    ok: bool,
) -> CheckLine {
    CheckLine { fact: fact.into(), observed, must: must.into(), limit, unit: unit.into(), ok }
}

pub fn passing_infra() -> GateView {
    let checks = vec![
        check("disk_free_gb", json!(80.1), ">=", json!(10), "GB", true),
        check("cpu_load", json!(0.4), "<=", json!(2.0), "", true),
    ];
    let reasons = vec!["disk_free_gb 80.1 GB is at least 10 GB".into(), "cpu_load 0.4 is at most 2".into()];
    GateView {
        gate: "infra".into(),
        blocks: "deploy".into(),
        decision: Some(decision("infra", Verdict::Pass, checks, reasons)),
    }
}

pub fn failing_canary_gate() -> GateView {
    let checks = vec![
        check("p99_latency_ms", json!(430), "<=", json!(500), "ms", true),
        check("error_rate", json!(0.52), "<=", json!(0.01), "", false),
    ];
    let reason = "error rate 52 % over the last 30 s is above the limit of 1 %".to_owned();
    let mut decision = decision("canary", Verdict::Fail, checks, vec![reason.clone()]);
    decision.violations.push(Violation {
        code: "error_rate_high".into(),
        message: reason,
        observed: json!(0.52),
        limit: json!(0.01),
    });
    GateView { gate: "canary".into(), blocks: "promote stable".into(), decision: Some(decision) }
}

pub fn inconclusive_canary_gate() -> GateView {
    let checks = vec![check("error_rate", json!(null), "<=", json!(0.01), "", false)];
    let mut decision = decision("canary", Verdict::Inconclusive, checks, Vec::new());
    decision.violations.push(Violation {
        code: "too_few_requests".into(),
        message: "12 requests in the last 30 s, 50 are needed".into(),
        observed: json!(12),
        limit: json!(50),
    });
    decision.result = json!({"waiting_helps": true, "sample": {"seen": 12, "needed": 50}});
    GateView { gate: "canary".into(), blocks: "promote stable".into(), decision: Some(decision) }
}

pub fn opa_down() -> GateView {
    let mut decision = decision("infra", Verdict::Fail, Vec::new(), Vec::new());
    decision.fault = Some(Fault::NotRunning { at: "http://127.0.0.1:8181".into() });
    decision.revision = String::new();
    GateView { gate: "infra".into(), blocks: "deploy".into(), decision: Some(decision) }
}

/// An engine that decides by what is no longer on disk.
pub fn opa_stale() -> GateView {
    let mut view = opa_down();
    let fault =
        Fault::Stale { reason: "policies/infra.rego on disk is not what the engine has loaded".into() };
    if let Some(decision) = &mut view.decision {
        decision.fault = Some(fault);
        decision.revision = "3f9c2ab41d07".into();
    }
    view
}

pub fn not_asked(gate: &str, blocks: &str) -> GateView {
    GateView { gate: gate.into(), blocks: blocks.into(), decision: None }
}

/// Where the failing canary's decision comes from.
pub fn explanation() -> Explanation {
    let place =
        |line, rule: &str| Some(Place { file: "policies/canary.rego".into(), line, rule: Some(rule.into()) });
    let trace = |name: &str, fact: &str, line, rule| Trace {
        name: name.into(),
        rule: place(line, rule),
        fact: Some(fact.into()),
        source: Some("app-green".into()),
        limit: Some(LimitAt::Data { key: format!("thresholds.{fact}") }),
    };
    Explanation {
        rule: place(71, "verdict"),
        checks: vec![
            trace("error_rate", "error_rate", 118, "checks"),
            Trace { rule: None, ..trace("p99_latency_ms", "p99_latency_ms", 119, "checks") },
        ],
        violations: vec![trace("error_rate_high", "error_rate", 320, "too_many_errors")],
        revision: "3f9c2ab41d07".into(),
        note: None,
    }
}

/// A replay that found one change among 812 decisions.
pub fn replay_report() -> Replayed {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in crate::policy::STARTERS {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let options = ReplayOptions {
        root: folder.path().to_owned(),
        policies: folder.path().to_owned(),
        data: None,
        by: ReplayBy::Embedded,
        timeout: Duration::from_secs(20),
    };
    let mut report = replay(&options, &SystemClock::shared(), &mut |_| Ok(())).unwrap();
    report.decisions = 812;
    report.same = 800;
    report.reworded = 8;
    report.changed = 1;
    report.transitions = BTreeMap::from([("PASS -> FAIL".to_owned(), 1)]);
    let down = "policy engine not running: nothing answers at 127.0.0.1:8181";
    report.no_answer_then = BTreeMap::from([(down.to_owned(), 3)]);
    report.revision = "3f9c2ab41d07".into();
    report.elapsed = Duration::from_millis(48);
    let side = |verdict, codes: &[&str], reason: &str| Side {
        verdict,
        violations: codes.iter().map(|code| (*code).to_owned()).collect(),
        reasons: vec![reason.into()],
        fault: None,
    };
    let change = Change {
        then: side(Verdict::Pass, &[], "error rate 0.6 % is at or below the limit of 1 %"),
        now: side(Verdict::Fail, &["error_rate_high"], "error rate 0.6 % is above the limit of 0.5 %"),
        differs: vec!["verdict PASS -> FAIL".into(), "limit of error_rate 0.01 -> 0.005".into()],
    };
    let changed = ChangedDecision {
        seq: 412,
        timestamp: noon(),
        operation_id: "op-7".into(),
        gate: "canary".into(),
        revision: "0a1b2c3d4e5f".into(),
        change,
    };
    Replayed { report, changes: vec![changed], unreadable: None }
}
