//! What an edit on disk does: the embedded engine follows at once, a real OPA
//! follows when it can and is called stale while it does not.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod policy_support;

use std::time::Duration;

use policy_support::eventually::eventually;
use policy_support::{Policies, RunningOpa, TIMEOUT, good_canary, limits, real_opa, roomy_host, with};
use serde_json::json;
use swiftdeploy::clock::SystemClock;
use swiftdeploy::policy::{Decision, EmbeddedEngine, Fault, PolicyEngine};

const WATCH: &[&str] = &["--watch"];

/// Asks again until the decision is as wanted: how long OPA takes to follow an
/// edit is its own affair.
async fn until(engine: &dyn PolicyEngine, wanted: impl Fn(&Decision) -> bool) -> Decision {
    eventually("the engine follows", async || {
        let decision = engine.ask("infra", &roomy_host()).await;
        wanted(&decision).then_some(decision)
    })
    .await
}

#[tokio::test]
async fn unreadable_disk_is_stale_only_while_an_engine_decides_by_what_it_had() {
    let Some(binary) = real_opa() else { return };
    let policies = Policies::starters();
    let running = RunningOpa::start(&binary, policies.path(), &[]).await;
    let opa = policies.asked_at(running.address, TIMEOUT);
    policies.write("infra.rego", "allow := true\n");
    let Some(Fault::Stale { reason }) = opa.ask("infra", &roomy_host()).await.fault else {
        panic!("a file without a package line was not noticed")
    };
    assert!(reason.contains("infra.rego:1: a package line must come first"), "{reason}");
    drop(running);
    let fault = opa.ask("infra", &roomy_host()).await.fault;
    assert!(matches!(fault, Some(Fault::Policies { .. })), "{fault:?}");
}

fn is_stale(decision: &Decision) -> bool {
    !decision.allow && matches!(decision.fault, Some(Fault::Stale { .. }))
}

#[tokio::test]
async fn real_opa_follows_an_edit_and_is_stale_after_a_broken_one() {
    let Some(binary) = real_opa() else { return };
    let policies = Policies::starters();
    let running = RunningOpa::start(&binary, policies.path(), WATCH).await;
    let opa = policies.asked_at(running.address, TIMEOUT);

    let before = until(&opa, |decision| decision.allow).await;
    assert!(before.engine.version.is_some());

    policies.append("infra.rego", "\n# An edit that changes nothing but the text.\n");
    let after = until(&opa, |decision| decision.allow && decision.revision != before.revision).await;
    assert_eq!(after.verdict, before.verdict);

    policies.append("infra.rego", "\nbroken if {\n");
    let Some(Fault::Stale { reason }) = until(&opa, is_stale).await.fault else { unreachable!() };
    assert!(reason.contains("infra.rego on disk is not what the engine has loaded"), "{reason}");
    // OPA keeps the last good policy, and answers 200 by it.
    assert!(is_stale(&opa.ask("canary", &good_canary()).await), "a broken file makes every gate stale");
}

#[tokio::test]
async fn real_opa_with_other_limits_or_files_than_the_disk_is_stale() {
    let Some(binary) = real_opa() else { return };
    let policies = Policies::starters();
    let running = RunningOpa::start(&binary, policies.path(), &[]).await;
    let opa = policies.asked_at(running.address, TIMEOUT);
    assert!(opa.ask("infra", &roomy_host()).await.allow);

    policies.write("data.json", &json!({"thresholds": with(limits(), json!({"cpu_load": 0.1}))}).to_string());
    let Some(Fault::Stale { reason }) = opa.ask("infra", &roomy_host()).await.fault else {
        panic!("other limits were not noticed")
    };
    assert_eq!(reason, "the limit cpu_load is 2.0 in the engine and 0.1 in data.json");

    policies.write("data.json", &json!({"thresholds": limits()}).to_string());
    policies.write("freeze.rego", "package freeze\n\ndecision := {}\n");
    assert!(is_stale(&opa.ask("infra", &roomy_host()).await), "a file that is not loaded");
    assert!(is_stale(&opa.ask("freeze", &roomy_host()).await), "not merely undefined");
}

#[tokio::test]
async fn deleted_limits_deny_although_opa_keeps_the_old_ones() {
    let Some(binary) = real_opa() else { return };
    let policies = Policies::starters();
    let running = RunningOpa::start(&binary, policies.path(), WATCH).await;
    let opa = policies.asked_at(running.address, TIMEOUT);
    until(&opa, |decision| decision.allow).await;

    policies.remove("data.json");
    let decision = opa.ask("infra", &roomy_host()).await;
    assert!(is_stale(&decision), "{:?}", decision.fault);
    let reason = &decision.reasons[0];
    assert!(reason.contains("still decides by what it loaded before"), "{reason}");
    assert!(reason.contains("data.json: "), "{reason}");
    assert_eq!(decision.word(), "STALE");

    policies.write("data.json", &json!({"thresholds": limits()}).to_string());
    until(&opa, |decision| decision.allow).await;
}

#[tokio::test]
async fn stopped_opa_is_not_running() {
    let Some(binary) = real_opa() else { return };
    let policies = Policies::starters();
    let running = RunningOpa::start(&binary, policies.path(), &[]).await;
    let opa = policies.asked_at(running.address, TIMEOUT);
    assert!(opa.ask("infra", &roomy_host()).await.allow);
    drop(running);
    let decision = opa.ask("infra", &roomy_host()).await;
    assert!(
        !decision.allow && matches!(decision.fault, Some(Fault::NotRunning { .. })),
        "{:?}",
        decision.fault
    );
    assert!(decision.engine.version.is_some(), "the version is remembered");
}

#[tokio::test]
async fn embedded_engine_follows_an_edit_at_once() {
    let policies = Policies::starters();
    let engine = policies.embedded();
    let before = engine.ask("infra", &roomy_host()).await;
    assert!(before.allow, "{:?}", before.fault);

    policies.write("data.json", &json!({"thresholds": with(limits(), json!({"cpu_load": 0.1}))}).to_string());
    let after = engine.ask("infra", &roomy_host()).await;
    assert_eq!(after.violations[0].code, "cpu_load_high");
    assert_ne!(after.revision, before.revision);
}

#[tokio::test]
async fn embedded_engine_names_file_and_line_of_a_broken_edit() {
    let policies = Policies::starters();
    let engine = policies.embedded();
    assert!(engine.ask("infra", &roomy_host()).await.allow);

    policies.write("infra.rego", "package infra\n\ndecision := {\"allow\": true\n");
    let decision = engine.ask("infra", &roomy_host()).await;
    let Some(Fault::Policies { reason }) = &decision.fault else { panic!("{:?}", decision.fault) };
    assert!(reason.contains("infra.rego:"), "{reason}");
    assert!(!decision.allow);
}

#[tokio::test]
async fn embedded_engine_denies_without_limits_on_disk() {
    let policies = Policies::starters();
    let engine = policies.embedded();
    assert!(engine.ask("infra", &roomy_host()).await.allow);

    policies.remove("data.json");
    let decision = engine.ask("infra", &roomy_host()).await;
    assert!(
        !decision.allow && matches!(decision.fault, Some(Fault::Policies { .. })),
        "{:?}",
        decision.fault
    );
}

#[tokio::test]
async fn embedded_engine_calls_a_missing_package_or_decision_undefined() {
    let policies = Policies::starters();
    policies.write("silent.rego", "package silent\n\nx := 1\n");
    policies.write("unlit.rego", "package unlit\n\ndecision := {} if input.never\n");
    let engine = policies.embedded();
    for package in ["freeze", "silent", "unlit"] {
        let fault = engine.ask(package, &roomy_host()).await.fault;
        assert_eq!(fault, Some(Fault::Undefined { package: package.to_owned() }));
    }
}

#[tokio::test]
async fn embedded_engine_stops_a_policy_that_takes_too_long() {
    let policies = Policies::starters();
    policies.write(
        "slow.rego",
        "package slow\n\n\
         n := numbers.range(1, 2000)\n\n\
         decision := count([x | some a in n; some b in n; some c in n; x := (a + b) + c])\n",
    );
    let limit = Duration::from_millis(300);
    let engine = EmbeddedEngine::new(policies.path(), limit, SystemClock::shared());
    let decision = engine.ask("slow", &json!({})).await;
    assert!(matches!(decision.fault, Some(Fault::TimedOut { millis: 300, .. })), "{:?}", decision.fault);
    assert!(decision.took < Duration::from_secs(10), "{:?}", decision.took);
    assert!(engine.ask("infra", &roomy_host()).await.fault.is_none(), "the next question is answered");
}

#[tokio::test]
async fn gate_of_the_users_own_is_asked_like_any_other() {
    let policies = Policies::starters();
    policies.write(
        "teams/freeze.rego",
        "package freeze\n\n\
         decision := {\"allow\": false, \"verdict\": \"fail\", \"reasons\": [\"the year ends\"], \"limits\": data.thresholds,\n\
         \t\"violations\": [{\"code\": \"frozen\", \"message\": \"the year ends\"}]}\n",
    );
    let embedded = policies.embedded().ask("freeze", &json!({})).await;
    assert_eq!(embedded.fault, None);
    assert_eq!(embedded.violations[0].code, "frozen");
    let Some(binary) = real_opa() else { return };
    let running = RunningOpa::start(&binary, policies.path(), &[]).await;
    let opa = policies.asked_at(running.address, TIMEOUT).ask("freeze", &json!({})).await;
    assert_eq!(opa.fault, None);
    assert_eq!(opa.violations, embedded.violations);
}
