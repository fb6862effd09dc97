//! The table of decisions: facts and limits in, verdict and codes out. It runs
//! on the embedded engine always and on a real OPA where there is one; the two
//! must give the same JSON, to the letter of every message.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod policy_support;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use policy_support::fixtures::{Fixture, all};
use policy_support::{Policies, RunningOpa, TIMEOUT, real_opa};
use serde_json::json;
use swiftdeploy::policy::answer::is_same;
use swiftdeploy::policy::{Decision, PolicyEngine, Verdict};

/// Fixtures with the same limits share a folder.
fn by_limits() -> BTreeMap<String, (Policies, Vec<Fixture>)> {
    let mut folders = BTreeMap::new();
    for fixture in all() {
        let (_, fixtures) = folders
            .entry(fixture.limits.to_string())
            .or_insert_with(|| (Policies::with_data(&json!({"thresholds": fixture.limits})), Vec::new()));
        fixtures.push(fixture);
    }
    folders
}

fn check(fixture: &Fixture, decision: &Decision) -> Result<(), String> {
    let codes: Vec<&str> = decision.violations.iter().map(|violation| violation.code.as_str()).collect();
    let is_right = decision.fault.is_none()
        && decision.verdict == fixture.verdict
        && decision.allow == (fixture.verdict == Verdict::Pass)
        && codes == fixture.codes;
    if is_right {
        return Ok(());
    }
    Err(format!(
        "{}, {}: {} {codes:?} {:?} by {}, expected {} {:?}\n",
        fixture.package,
        fixture.name,
        decision.verdict,
        decision.fault,
        decision.engine.name,
        fixture.verdict,
        fixture.codes
    ))
}

#[tokio::test]
async fn embedded_engine_decides_every_fixture_as_written() {
    let mut wrong = String::new();
    for (policies, fixtures) in by_limits().into_values() {
        let engine = policies.embedded();
        for fixture in fixtures {
            let decision = engine.ask(fixture.package, &fixture.input).await;
            wrong.extend(check(&fixture, &decision).err());
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test]
async fn real_opa_gives_the_same_json_as_the_embedded_engine() {
    let Some(binary) = real_opa() else { return };
    let mut wrong = String::new();
    for (policies, fixtures) in by_limits().into_values() {
        let running = RunningOpa::start(&binary, policies.path(), &[]).await;
        let opa = policies.asked_at(running.address, TIMEOUT);
        let embedded = policies.embedded();
        for fixture in fixtures {
            let decision = opa.ask(fixture.package, &fixture.input).await;
            wrong.extend(check(&fixture, &decision).err());
            let other = embedded.ask(fixture.package, &fixture.input).await;
            if !is_same(&decision.result, &other.result) {
                let _ = writeln!(
                    wrong,
                    "{}, {}:\n opa      {}\n embedded {}",
                    fixture.package, fixture.name, decision.result, other.result
                );
            }
            assert_eq!(decision.revision, other.revision);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What people read, in full: every reason of every fixture.
#[tokio::test]
async fn reasons_name_fact_value_limit_and_source() {
    let mut text = String::new();
    let mut folders = BTreeMap::new();
    for fixture in all() {
        let policies = folders
            .entry(fixture.limits.to_string())
            .or_insert_with(|| Policies::with_data(&json!({"thresholds": fixture.limits})));
        let decision = policies.embedded().ask(fixture.package, &fixture.input).await;
        let _ = writeln!(text, "{}, {}: {}", fixture.package, fixture.name, decision.verdict);
        for reason in decision.reasons {
            let _ = writeln!(text, "  {reason}");
        }
    }
    insta::assert_snapshot!(text);
}
