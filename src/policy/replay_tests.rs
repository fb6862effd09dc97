//! What counts as another answer.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;

fn result(verdict: &str, codes: &[&str], limit: f64) -> Value {
    let violations: Vec<Value> = codes
        .iter()
        .map(|code| json!({"code": code, "message": code, "observed": 0.04, "limit": limit}))
        .collect();
    let reasons: Vec<String> = if codes.is_empty() {
        vec![format!("error_rate 0.04 is at or below the limit {limit}")]
    } else {
        codes.iter().map(|code| format!("{code}: above {limit}")).collect()
    };
    json!({
        "allow": verdict == "pass", "verdict": verdict, "violations": violations, "reasons": reasons,
        "checks": [{"fact": "error_rate", "observed": 0.04, "must": "<=", "limit": limit, "unit": "",
                    "ok": codes.is_empty()}],
        "limits": {"error_rate": limit},
    })
}

fn reasons(result: &Value) -> Vec<String> {
    result["reasons"].as_array().unwrap().iter().map(|reason| reason.as_str().unwrap().to_owned()).collect()
}

fn again(result: Value) -> Again {
    let outcome = obey(Some(&result), "canary", &result["limits"].clone());
    Again { result, outcome }
}

fn found(then: &Value, now: Value) -> Finding {
    let reasons = reasons(then);
    let verdict = then["verdict"].as_str().unwrap().to_uppercase();
    let recorded =
        Recorded { gate: "canary", verdict: &verdict, result: then, reasons: &reasons, fault: None };
    compare(&recorded, &again(now))
}

#[test]
fn the_same_answer_is_the_same_however_numbers_are_written() {
    let mut now = result("pass", &[], 2.0);
    now["limits"]["error_rate"] = json!(2);
    assert_eq!(found(&result("pass", &[], 2.0), now), Finding::Same);
}

#[test]
fn a_limit_that_moved_without_being_crossed_is_reworded() {
    assert_eq!(found(&result("pass", &[], 0.05), result("pass", &[], 0.06)), Finding::Reworded);
    assert_eq!(found(&result("fail", &["high"], 0.01), result("fail", &["high"], 0.02)), Finding::Reworded);
}

#[test]
fn another_verdict_says_what_differs() {
    let finding = found(&result("pass", &[], 0.05), result("fail", &["high"], 0.01));
    let Finding::Changed(change) = finding else { panic!("{finding:?}") };
    assert_eq!(change.transition(), "PASS -> FAIL");
    assert_eq!(
        change.differs,
        [
            "verdict PASS -> FAIL",
            "limit of error_rate 0.05 -> 0.01",
            "check error_rate kept -> not kept",
            "violation high is new"
        ]
    );
    assert!(!change.is_for_want_of_facts());
}

#[test]
fn another_cause_of_the_same_verdict_is_another_answer() {
    let finding = found(&result("fail", &["high"], 0.01), result("fail", &["facts_missing"], 0.01));
    let Finding::Changed(change) = finding else { panic!("{finding:?}") };
    assert_eq!(change.transition(), "FAIL -> FAIL");
    assert_eq!(change.differs, ["violation facts_missing is new", "violation high is gone"]);
    assert!(change.is_for_want_of_facts());
}

#[test]
fn a_gate_that_is_gone_is_another_answer() {
    let then = result("pass", &[], 0.05);
    let reasons = reasons(&then);
    let recorded =
        Recorded { gate: "freeze", verdict: "PASS", result: &then, reasons: &reasons, fault: None };
    let undefined = Fault::Undefined { package: "freeze".to_owned() };
    let finding = compare(&recorded, &Again { result: Value::Null, outcome: Err(undefined.clone()) });
    let Finding::Changed(change) = finding else { panic!("{finding:?}") };
    assert_eq!(change.transition(), "PASS -> NO ANSWER");
    assert_eq!(change.now.fault, Some(undefined));
}

#[rstest]
#[case::named(result("pass", &[], 0.05), "FAIL", "policy engine is stale", Some(json!({"fault": "stale", "reason": "x"})))]
#[case::not_named_no_answer(Value::Null, "FAIL", "policy engine not running", None)]
#[case::not_named_stale(result("pass", &[], 0.05), "FAIL", "policy engine is stale: x", None)]
#[case::not_named_stale_denial(result("fail", &["high"], 0.05), "FAIL", "policy engine is stale: x", None)]
#[case::not_named_malformed(json!({"allow": "true"}), "FAIL", "policy engine gave a malformed answer", None)]
fn a_fault_then_is_no_answer_whatever_comes_now(
    #[case] then: Value,
    #[case] verdict: &str,
    #[case] reason: &str,
    #[case] fault: Option<Value>,
) {
    let reasons = [reason.to_owned()];
    let recorded =
        Recorded { gate: "canary", verdict, result: &then, reasons: &reasons, fault: fault.as_ref() };
    let finding = compare(&recorded, &again(result("fail", &["high"], 0.01)));
    assert_eq!(finding, Finding::NoAnswerThen(reason.to_owned()));
}
