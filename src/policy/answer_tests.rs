//! Which answers are obeyed.

use rstest::rstest;
use serde_json::{Value, json};

use super::{Answer, excerpt, is_same, obey};
use crate::policy::{Fault, Verdict};

fn thresholds() -> Value {
    json!({"disk_free_gb": 10, "cpu_load": 2.0})
}

fn allowing() -> Value {
    json!({
        "allow": true, "verdict": "pass", "violations": [], "reasons": ["room enough"],
        "checks": [{"fact": "cpu_load", "observed": 0.4, "must": "<=", "limit": 2.0, "unit": "", "ok": true}],
        "limits": {"disk_free_gb": 10, "cpu_load": 2},
    })
}

fn denying() -> Value {
    json!({
        "allow": false, "verdict": "fail", "reasons": ["no room"],
        "violations": [{"code": "disk_free_low", "message": "no room", "observed": 4, "limit": 10}],
        "checks": [], "limits": {"disk_free_gb": 10, "cpu_load": 2.0},
    })
}

fn with(mut answer: Value, changes: Value) -> Value {
    let (Value::Object(fields), Value::Object(changes)) = (&mut answer, changes) else { unreachable!() };
    fields.extend(changes);
    answer
}

fn without(mut answer: Value, name: &str) -> Value {
    answer.as_object_mut().unwrap().remove(name).unwrap();
    answer
}

fn obeyed(answer: &Value) -> Result<Answer, Fault> {
    obey(Some(answer), "infra", &thresholds())
}

fn malformed(answer: &Value) -> String {
    match obeyed(answer) {
        Err(Fault::Malformed { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn complete_allowing_answer_passes() {
    let answer = obeyed(&allowing()).unwrap();
    assert_eq!(answer.verdict, Verdict::Pass);
    assert!(answer.violations.is_empty());
    assert_eq!(answer.reasons, ["room enough"]);
    assert_eq!(answer.checks.len(), 1);
}

#[test]
fn denying_and_inconclusive_answers_are_obeyed_with_their_violations() {
    let answer = obeyed(&denying()).unwrap();
    assert_eq!(answer.verdict, Verdict::Fail);
    assert_eq!(answer.violations[0].code, "disk_free_low");
    let answer = obeyed(&with(denying(), json!({"verdict": "inconclusive"}))).unwrap();
    assert_eq!(answer.verdict, Verdict::Inconclusive);
}

#[test]
fn gate_of_the_users_own_may_leave_out_checks() {
    assert!(obeyed(&without(allowing(), "checks")).is_ok());
}

#[test]
fn no_answer_is_undefined() {
    assert_eq!(obey(None, "infra", &thresholds()), Err(Fault::Undefined { package: "infra".to_owned() }));
}

#[rstest]
fn missing_part_is_malformed(
    #[values("allow", "verdict", "violations", "reasons", "limits")] name: &str,
    #[values(allowing(), denying())] answer: Value,
) {
    let reason = malformed(&without(answer, name));
    assert!(reason.contains(&format!("`{name}` is missing")), "{reason}");
}

#[rstest]
#[case::bare_true(json!(true))]
#[case::null(json!(null))]
#[case::text(json!("allow"))]
#[case::list(json!([allowing()]))]
fn answer_that_is_no_object_is_malformed(#[case] answer: Value) {
    assert!(malformed(&answer).contains("not an object"));
}

#[rstest]
#[case::text(json!("true"))]
#[case::number(json!(1))]
#[case::null(json!(null))]
#[case::object(json!({}))]
#[case::list(json!([true]))]
fn allow_that_is_no_boolean_is_malformed(#[case] allow: Value) {
    let reason = malformed(&with(allowing(), json!({ "allow": allow })));
    assert!(reason.contains("not true or false"), "{reason}");
}

#[rstest]
#[case::unknown_verdict(json!({"verdict": "ok"}))]
#[case::shouted_verdict(json!({"verdict": "PASS"}))]
#[case::verdict_as_boolean(json!({"verdict": true}))]
#[case::verdict_as_object(json!({"verdict": {"pass": null}}))]
#[case::violations_null(json!({"violations": null}))]
#[case::violations_object(json!({"violations": {}}))]
#[case::violations_count(json!({"violations": 0}))]
#[case::reasons_text(json!({"reasons": "fine"}))]
#[case::reasons_of_numbers(json!({"reasons": [1]}))]
#[case::checks_null(json!({"checks": null}))]
#[case::check_without_result(json!({"checks": [{"fact": "x", "observed": 1, "must": "<=", "limit": 2}]}))]
#[case::check_as_a_list(json!({"checks": [["cpu_load", 0.4, "<=", 2.0, "", true]]}))]
fn part_of_a_wrong_type_is_malformed(#[case] changes: Value) {
    malformed(&with(allowing(), changes));
}

#[rstest]
#[case::no_reasons(json!({"reasons": []}), "`reasons` is empty")]
#[case::blank_reasons(json!({"reasons": [" ", ""]}), "`reasons` is empty")]
fn answer_without_reasons_is_malformed(
    #[case] changes: Value,
    #[case] hint: &str,
    #[values(allowing(), denying())] answer: Value,
) {
    let reason = malformed(&with(answer, changes));
    assert!(reason.contains(hint), "{reason}");
}

#[rstest]
#[case::allows_with_violations(with(allowing(), json!({"violations": denying()["violations"]})))]
#[case::allows_with_verdict_fail(with(allowing(), json!({"verdict": "fail"})))]
#[case::allows_with_verdict_inconclusive(with(allowing(), json!({"verdict": "inconclusive"})))]
#[case::allows_with_a_failed_check(with(allowing(), json!({"checks": [
    {"fact": "cpu_load", "observed": 9, "must": "<=", "limit": 2, "unit": "", "ok": false},
]})))]
#[case::denies_with_verdict_pass(with(denying(), json!({"verdict": "pass"})))]
#[case::denies_without_violations(with(denying(), json!({"violations": []})))]
fn contradiction_is_malformed(#[case] answer: Value) {
    let reason = malformed(&answer);
    assert!(reason.contains("it contradicts itself"), "{reason}");
}

#[rstest]
#[case::no_code(json!([{"code": "", "message": "no room"}]))]
#[case::no_message(json!([{"code": "x", "message": " "}]))]
#[case::message_missing(json!([{"code": "x"}]))]
#[case::text(json!(["no room"]))]
#[case::list(json!([["disk_free_low", "no room", 4, 10]]))]
fn violation_that_says_nothing_is_malformed(#[case] violations: Value) {
    malformed(&with(denying(), json!({ "violations": violations })));
}

#[rstest]
#[case::another_value(json!({"disk_free_gb": 5, "cpu_load": 2}), "the limit disk_free_gb is 5 in the engine and 10 in data.json")]
#[case::one_missing(json!({"disk_free_gb": 10}), "the limit cpu_load is absent in the engine and 2.0 in data.json")]
#[case::one_more(json!({"disk_free_gb": 10, "cpu_load": 2, "x": 1}), "the limit x is 1 in the engine and absent in data.json")]
#[case::text(json!({"disk_free_gb": "10", "cpu_load": 2}), "the limit disk_free_gb is \"10\" in the engine and 10 in data.json")]
#[case::no_object(json!(null), "the limit cpu_load is absent in the engine and 2.0 in data.json")]
fn other_limits_than_on_disk_are_stale(
    #[case] limits: Value,
    #[case] expected: &str,
    #[values(allowing(), denying())] answer: Value,
) {
    let answer = with(answer, json!({ "limits": limits }));
    assert_eq!(obeyed(&answer), Err(Fault::Stale { reason: expected.to_owned() }));
}

#[rstest]
#[case::allows(allowing())]
#[case::denies(denying())]
fn no_limits_at_all_may_have_two_causes(#[case] answer: Value) {
    let Err(Fault::Stale { reason }) = obeyed(&with(answer, json!({"limits": {}}))) else { panic!() };
    assert!(reason.starts_with("infra shows none of the limits in data.json"), "{reason}");
    assert!(reason.contains("does not repeat them (`limits` must be `data.thresholds`)"), "{reason}");
}

/// The default of a package, which can repeat no limits.
#[test]
fn a_denial_where_no_rule_decides_is_obeyed_without_limits() {
    let undecided = json!({"code": "undecided", "message": "no decision"});
    let default = json!({"violations": [undecided], "limits": {}});
    let answer = obeyed(&with(denying(), default.clone())).unwrap();
    assert_eq!((answer.verdict, answer.violations[0].code.as_str()), (Verdict::Fail, "undecided"));

    // Other limits are other limits, another code may rest on them, and nothing
    // passes so.
    let others = json!({"limits": {"cpu_load": 9}});
    let beside = json!({"violations": [undecided, denying()["violations"][0]]});
    for more in [others, beside] {
        let answer = with(with(denying(), default.clone()), more);
        assert!(matches!(obeyed(&answer), Err(Fault::Stale { .. })), "{answer}");
    }
    let passing = with(allowing(), json!({"limits": {}}));
    assert!(matches!(obeyed(&passing), Err(Fault::Stale { .. })));
    malformed(&with(allowing(), default));
}

#[rstest]
#[case::verdict(json!({"verdict": "\u{1b}[31m".repeat(10_000)}))]
#[case::fact(json!({"checks": [{"fact": "\n".repeat(10_000), "observed": 1, "must": "<=", "limit": 2, "ok": false}]}))]
#[case::limit(json!({"limits": {"\u{1b}".repeat(10_000): 1, "disk_free_gb": 10, "cpu_load": 2}}))]
fn the_words_of_an_engine_neither_fill_nor_colour_a_message(#[case] changes: Value) {
    let message = obeyed(&with(allowing(), changes)).unwrap_err().to_string();
    assert!(message.len() < 500, "{} bytes", message.len());
    assert!(!message.contains(char::is_control), "{message:?}");
}

#[rstest]
#[case(json!(2), json!(2.0), true)]
#[case(json!([1, {"a": 0.5}]), json!([1.0, {"a": 0.5}]), true)]
#[case(json!(u64::MAX), json!(u64::MAX), true)]
#[case(json!(2), json!("2"), false)]
#[case(json!(0), json!(null), false)]
#[case(json!({"a": 1}), json!({"a": 1, "b": 2}), false)]
#[case(json!([1]), json!([1, 1]), false)]
fn numbers_are_compared_by_value(#[case] a: Value, #[case] b: Value, #[case] same: bool) {
    assert_eq!(is_same(&a, &b), same);
    assert_eq!(is_same(&b, &a), same);
}

#[test]
fn excerpts_are_short_and_carry_no_control_characters() {
    assert_eq!(excerpt("\u{1b}[31mred\nline", 80), "[31mred line");
    assert_eq!(excerpt("äöüäöü", 3), "äöü…");
    assert_eq!(excerpt("", 3), "");
}
