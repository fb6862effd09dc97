//! A gate that uses Rego's builtins for time, text and addresses: both engines
//! must give the same answers, to the letter.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod policy_support;

use policy_support::{Policies, RunningOpa, TIMEOUT, real_opa};
use rstest::rstest;
use serde_json::{Value, json};
use swiftdeploy::policy::PolicyEngine;
use swiftdeploy::policy::answer::is_same;

/// One answer for each builtin that the embedded engine has of a family; each
/// is a fact of the decision, so that it is compared.
const ANSWERS: &str = include_str!("fixtures/builtins.rego");

/// A gate as somebody may write it: Friday from noon is no time for releases,
/// and a release has a sound version and comes from our own registry.
const OFFICE_HOURS: &str = r#"package office

default decision := {"allow": false, "verdict": "fail", "reasons": ["undecided"], "limits": {},
	"violations": [{"code": "undecided", "message": "undecided"}]}

decision := {"allow": count(violations) == 0, "verdict": verdict, "reasons": reasons,
	"violations": violations, "limits": data.thresholds} if {
	now
	input.version
	input.image
}

now := time.parse_rfc3339_ns(input.time)

verdict := "pass" if count(violations) == 0

verdict := "fail" if count(violations) > 0

reasons := [v.message | some v in violations] if count(violations) > 0

reasons := ["inside office hours"] if count(violations) == 0

found contains {"code": "friday", "message": sprintf("%s %v o'clock is no time for a release", [day, hour])} if {
	day == "Friday"
	hour >= 12
}

found contains {"code": "version", "message": sprintf("%s is no release", [input.version])} if {
	version := input.version
	not regex.match("^[0-9]+[.][0-9]+[.][0-9]+$", version)
}

found contains {"code": "old", "message": sprintf("%s is below 1.2.0", [input.version])} if {
	semver.compare(input.version, "1.2.0") < 0
}

found contains {"code": "origin", "message": sprintf("%s comes from elsewhere", [input.image])} if {
	image := input.image
	not glob.match("registry.example/*:*", ["/", ":"], image)
}

violations := [v | some v in found]

day := time.weekday([now, "Europe/Berlin"])

hour := time.clock([now, "Europe/Berlin"])[0]
"#;

fn facts(time: &str, version: &str, image: &str) -> Value {
    json!({"time": time, "version": version, "image": image})
}

#[rstest]
#[case::sound("2026-11-25T09:00:00Z", "1.10.0", "registry.example/app:1", &[])]
#[case::friday_noon_in_berlin("2026-11-27T11:00:00Z", "1.10.0", "registry.example/app:1", &["friday"])]
#[case::friday_before_noon("2026-11-27T10:59:59Z", "1.10.0", "registry.example/app:1", &[])]
#[case::saturday_there("2026-11-27T23:30:00Z", "1.10.0", "registry.example/app:1", &[])]
#[case::other_zone("2026-11-27T13:00:00+03:00", "1.10.0", "registry.example/app:1", &[])]
#[case::old("2026-11-25T09:00:00Z", "1.1.9", "registry.example/app:1", &["old"])]
#[case::candidate("2026-11-25T09:00:00Z", "1.10.0-rc.1", "registry.example/app:1", &["version"])]
#[case::elsewhere("2026-11-25T09:00:00Z", "1.10.0", "elsewhere/app:1", &["origin"])]
#[case::nested("2026-11-25T09:00:00Z", "1.10.0", "registry.example/team/app:1", &["origin"])]
#[tokio::test]
async fn gate_decides_alike_on_both_engines(
    #[case] time: &str,
    #[case] version: &str,
    #[case] image: &str,
    #[case] expected: &[&str],
) {
    let policies = Policies::starters();
    policies.write("office.rego", OFFICE_HOURS);
    let facts = facts(time, version, image);
    let embedded = policies.embedded().ask("office", &facts).await;
    assert_eq!(embedded.fault, None);
    let codes: Vec<&str> = embedded.violations.iter().map(|violation| violation.code.as_str()).collect();
    assert_eq!(codes, expected);
    let Some(binary) = real_opa() else { return };
    let running = RunningOpa::start(&binary, policies.path(), &[]).await;
    let opa = policies.asked_at(running.address, TIMEOUT).ask("office", &facts).await;
    assert_eq!(opa.fault, None);
    assert!(is_same(&opa.result, &embedded.result), "{}\n{}", opa.result, embedded.result);
}

#[tokio::test]
async fn every_builtin_that_is_offered_answers_alike() {
    let policies = Policies::starters();
    policies.write("answers.rego", ANSWERS);
    let embedded = policies.embedded().ask("answers", &json!({})).await;
    assert_eq!(embedded.fault, None);
    let answers = embedded.result["answers"].as_object().unwrap().clone();
    assert!(answers.len() > 60, "{}", answers.len());
    let Some(binary) = real_opa() else { return };
    let running = RunningOpa::start(&binary, policies.path(), &[]).await;
    let opa = policies.asked_at(running.address, TIMEOUT).ask("answers", &json!({})).await;
    assert_eq!(opa.fault, None);
    for (question, answer) in &answers {
        let other = &opa.result["answers"][question];
        assert!(is_same(other, answer), "{question}: opa {other}, embedded {answer}");
    }
    assert_eq!(opa.result["answers"].as_object().unwrap().len(), answers.len());
}

#[tokio::test]
async fn builtin_that_fails_denies_and_says_where() {
    let policies = Policies::starters();
    policies.write("office.rego", OFFICE_HOURS);
    let engine = policies.embedded();
    let decision = engine.ask("office", &facts("yesterday", "1.10.0", "registry.example/app:1")).await;
    assert!(!decision.allow);
    let told = "data.office.decision: Failed to parse datetime";
    assert!(decision.reasons[0].contains(told), "{:?}", decision.reasons);
}
