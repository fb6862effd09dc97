//! Facts that nobody thought of: values of every kind, mixed by chance (the
//! same chance in every run). The two engines must agree to the letter, and
//! what is allowed must be right by a second, plain reading of the rules.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod policy_support;

use policy_support::{Policies, RunningOpa, TIMEOUT, good_canary, limits, real_opa, roomy_host};
use serde_json::{Value, json};
use swiftdeploy::policy::answer::is_same;
use swiftdeploy::policy::{Decision, PolicyEngine};

/// How many questions; a real OPA answers some 50 a second on a slow machine.
const QUESTIONS: usize = 200;

/// Marsaglia's xorshift: enough to mix values, the same everywhere.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }

    fn pick(&mut self, values: &[Value]) -> Value {
        values[self.below(values.len())].clone()
    }
}

/// What any fact may turn out to be.
fn odd_values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(false),
        json!("500"),
        json!([]),
        json!([1, null]),
        json!({}),
        json!(-1),
        json!(0),
        json!(0.01),
        json!(0.010_01),
        json!(1),
        json!(2.0),
        json!(20.0),
        json!(5000.0),
        json!(49.5),
        json!(500),
        json!(500.0),
        json!(500.000_1),
        json!(1e9),
    ]
}

/// Sound facts with up to three of them odd or missing.
fn mutated(facts: Value, chance: &mut Chance) -> Value {
    let Value::Object(mut fields) = facts else { unreachable!() };
    let names: Vec<String> = fields.keys().cloned().collect();
    for _ in 0..chance.below(4) {
        let name = &names[chance.below(names.len())];
        if chance.below(4) == 0 {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), chance.pick(&odd_values()));
        }
    }
    Value::Object(fields)
}

fn questions() -> Vec<(&'static str, Value)> {
    let mut chance = Chance(0x5317_f7de_9107);
    (0..QUESTIONS)
        .map(|index| match index % 4 {
            0 => ("infra", mutated(roomy_host(), &mut chance)),
            _ => ("canary", mutated(good_canary(), &mut chance)),
        })
        .collect()
}

/// The rules once more, in another language. Only what allows is checked: a
/// gate that denies too much is found by the fixtures.
fn may_be_allowed(package: &str, facts: &Value) -> bool {
    let number = |name: &str| facts[name].as_f64();
    let at_most = |name: &str, limit: f64| number(name).is_some_and(|value| (0.0..=limit).contains(&value));
    if package == "infra" {
        return number("disk_free_gb").is_some_and(|free| free >= 10.0) && at_most("cpu_load", 2.0);
    }
    let needed = number("samples_needed").unwrap_or(f64::INFINITY).max(1.0);
    let buckets = facts["latency_buckets"].as_array();
    let is_fast = match buckets.filter(|buckets| !buckets.is_empty()) {
        Some(_) => true, // The buckets of the sound facts: 299 of 300 within the limit.
        None => at_most("p99_latency_ms", 500.0) && facts["p99_bucket"][1].is_number(),
    };
    facts["metrics_error"].is_null()
        && number("requests").is_some_and(|requests| requests >= needed)
        && at_most("error_rate", 0.01)
        && is_fast
        && facts["healthy"] == json!(true)
        && at_most("restarts", 0.0)
        && at_most("oom_kills", 0.0)
        && at_most("resets", 0.0)
        && at_most("vanished", 0.0)
        && number("proxy_failures").is_some_and(|unanswered| {
            let broken = number("proxy_broken").unwrap_or(f64::INFINITY);
            let seen = number("proxy_errors").unwrap_or(f64::INFINITY);
            let errors = number("errors").unwrap_or(f64::INFINITY);
            let sent = number("requests").unwrap_or(0.0) + unanswered;
            let failed = errors.max(seen) + unanswered + broken;
            let is_all_counted = unanswered + broken == 0.0 && seen <= errors;
            // Then the app's own rate is all there is.
            unanswered >= 0.0 && broken >= 0.0 && seen >= 0.0 && (is_all_counted || failed / sent <= 0.01)
        })
        && facts["proxy_abandoned"] == json!([])
        && [json!([]), json!(null)].contains(&facts["proxy_waiting"])
        && number("proxy_timed_out").is_some_and(|timed_out| {
            let settled = number("settled_requests").unwrap_or(0.0);
            timed_out >= 0.0 && settled >= needed && timed_out <= 0.01 * (settled + timed_out)
        })
}

fn assert_sound(decision: &Decision) {
    assert_eq!(decision.fault, None, "{}", decision.input);
    assert_eq!(decision.allow, decision.violations.is_empty(), "{}", decision.input);
    assert!(
        !decision.allow || may_be_allowed(&decision.gate, &decision.input),
        "{} was allowed: {}",
        decision.gate,
        decision.input
    );
}

#[tokio::test]
async fn odd_facts_get_an_answer_and_never_a_wrong_pass() {
    let policies = Policies::starters();
    let embedded = policies.embedded();
    let mut allowed = 0;
    for (package, facts) in questions() {
        let decision = embedded.ask(package, &facts).await;
        assert_sound(&decision);
        allowed += usize::from(decision.allow);
    }
    assert!(
        (QUESTIONS / 8..QUESTIONS).contains(&allowed),
        "{allowed} of {QUESTIONS} allowed: the mixture proves nothing"
    );
}

#[tokio::test]
async fn both_engines_agree_on_odd_facts() {
    let Some(binary) = real_opa() else { return };
    let policies = Policies::with_data(&json!({"thresholds": limits()}));
    let running = RunningOpa::start(&binary, policies.path(), &[]).await;
    let opa = policies.asked_at(running.address, TIMEOUT);
    let embedded = policies.embedded();
    for (package, facts) in questions() {
        let theirs = opa.ask(package, &facts).await;
        let ours = embedded.ask(package, &facts).await;
        assert_sound(&theirs);
        assert!(
            is_same(&theirs.result, &ours.result),
            "{facts}\nopa      {}\nembedded {}",
            theirs.result,
            ours.result
        );
    }
}
