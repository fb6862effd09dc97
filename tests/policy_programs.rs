//! The shipped policies give the same answers however they are evaluated: as
//! programs of the virtual machine, by the interpreter, by a search for
//! everything that is wrong, and by a real OPA. Facts of every sort, in the same
//! order each time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod policy_support;

use policy_support::{Policies, RunningOpa, TIMEOUT, good_canary, real_opa, roomy_host};
use serde_json::{Map, Value, json};
use swiftdeploy::policy::{Decision, PolicyEngine};

/// Numbers that look random and are the same each time (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// Facts of both gates: good ones, of which some are replaced or missing.
    fn facts(&mut self) -> Value {
        let mut facts = good_canary().as_object().unwrap().clone();
        facts.extend(roomy_host().as_object().unwrap().clone());
        let trouble = *self.one_of(&[0, 1, 1, 2, 4, 30]);
        let names: Vec<String> = facts.keys().cloned().collect();
        for name in names {
            if self.below(25) >= trouble {
                continue;
            }
            let others: Vec<Value> =
                pools().into_iter().filter(|(of, _)| *of == name).flat_map(|(_, values)| values).collect();
            match self.below(5) {
                0 => drop(facts.remove(&name)),
                1 => drop(facts.insert(name, self.one_of(&odd()).clone())),
                _ if others.is_empty() => {}
                _ => drop(facts.insert(name, self.one_of(&others).clone())),
            }
        }
        if self.below(200) == 0 { self.one_of(&odd()).clone() } else { Value::Object(facts) }
    }
}

/// What no fact should be.
fn odd() -> Vec<Value> {
    let values = json!([
        null, "1", true, false, [], {}, -1, 0.5, 7, [1], {"absent": true}, 1e9, 0, 1, 20.0, "app-green",
    ]);
    values.as_array().unwrap().clone()
}

/// What the facts may be: below, at and above the limits, and what makes a rule
/// take another way.
fn pools() -> Vec<(&'static str, Vec<Value>)> {
    let pools = json!({
        "requests": [1000, 49, 50, 0, 1, 305, 306],
        "errors": [0, 3, 30],
        "error_rate": [0, 0.01, 0.010_000_1, 0.1, 1, null],
        "p99_latency_ms": [500, 500.0001, 499.96, 700, null, 0],
        "p99_bucket": [
            [500, null], [100, null], [500, 250], null, [], [1], ["a", "b"], [250, 750], [0, 11], [0, 12, 100],
        ],
        "latency_buckets": [
            [{"le_ms": 250, "count": 290}, {"le_ms": 500, "count": 290}, {"le_ms": null, "count": 300}],
            [{"le_ms": 500, "count": 297}, {"le_ms": null, "count": 300}],
            [{"le_ms": 500, "count": 300}, {"le_ms": 500, "count": 10}, {"le_ms": null, "count": 300}],
            [{"le_ms": 500, "count": 400}, {"le_ms": null, "count": 300}],
            [{"le_ms": 500, "count": 0}, {"le_ms": null, "count": 0}],
            [{"le_ms": 250, "count": 290}, {"le_ms": null, "count": 300}],
            [{"le_ms": null, "count": 100}],
            [1, "x", {"le_ms": null}],
            [{"count": 5}, {"le_ms": 500, "count": "5"}, {"le_ms": null, "count": 300}],
            [{"le_ms": 500, "count": 299}, {"le_ms": null, "count": 300}, {"le_ms": 700, "count": 300}],
            [{"le_ms": 500, "count": 299}, {"le_ms": null, "count": 290}],
            [{"le_ms": 500, "count": 299}, {"le_ms": null, "count": 310}, {"le_ms": null, "count": 300}],
            [{"le_ms": 500, "count": 299.5}, {"le_ms": null, "count": 300}],
            [{"le_ms": 500}, {"le_ms": 500, "count": 299}, {"le_ms": null, "count": 300}],
            [{"le_ms": 500, "count": 299}, {"le_ms": null, "count": 300}, {}],
            [{"le_ms": 500, "count": 299}, {"le_ms": null, "count": 300}, 7], {"x": {"le_ms": null, "count": 300}},
            [], null,
        ],
        "window_seconds": [30, 5.55, 30.0],
        "resets": [2], "vanished": [1], "samples_needed": [0, 1, 50.0],
        "healthy": [false], "health": ["starting", "unhealthy"], "health_detail": ["it does not answer"],
        "restarts": [1], "oom_kills": [1],
        "proxy_failures": [1, 100, null], "proxy_error": ["there is no log"], "proxy_broken": [2, 100, null],
        "proxy_timed_out": [1, 40, null], "proxy_errors": [3, 100, null, "x"], "proxy_timeout_seconds": [5, null],
        "settled_requests": [0, 49, 120, null, "x"],
        "proxy_waiting": [
            [], [{"waited_ms": 12, "count": 3}], [{"waited_ms": 501, "count": 2}], [{"waited_ms": 9000, "count": 60}],
            [{"waited_ms": 30100, "count": 60}], [1], [{"waited_ms": "7", "count": 1}],
            [{"waited_ms": 12, "count": 0.5}], [{"waited_ms": 12}], [{"count": 1}], {"x": {"waited_ms": 12, "count": 1}},
            [{"waited_ms": 500, "count": 2}], [{"waited_ms": -1, "count": 2}], [{"waited_ms": 12, "count": "2"}],
        ],
        "proxy_abandoned": [
            [{"waited_ms": 501, "count": 2}], [{"waited_ms": 500, "count": 200}, {"waited_ms": 1000, "count": 3}],
            [{"waited_ms": 700, "count": 100}], [{"waited_ms": 90, "count": 900}], [{"waited_ms": 9000, "count": 1}],
            null, [1], [{"waited_ms": "7", "count": 1}], [{"count": 2}],
        ],
        "stable": [
            {"requests": 903, "error_rate": 0.5, "p99_latency_ms": null}, null, {"requests": "x"},
            {"error_rate": 0.1}, {"requests": 1, "error_rate": 0.12345},
        ],
        "metrics_error": [
            {"code": "window_too_short", "message": "short", "instance": "app-green"}, {"code": "x"},
            {"code": "metrics_series_lost", "message": "lost"},
            {"code": "y", "message": "m"},
        ],
        "source": ["", "app-green"],
        "sources": [{}, null, {"metrics": ""}, {"metrics": 1, "proxy": "p", "cpu_load": "up"}],
        "confidence": [{"level": 0.95, "error_rate_at_most": 0.012_345_6}, {"level": 2}],
        "disk_free_gb": [10, 9.999, 0, 20.0], "cpu_load": [2, 2.001, 8], "cpus": [0, 8, null],
    });
    let listed = |(name, values): (&String, &Value)| {
        let name: &'static str = String::leak(name.clone());
        (name, values.as_array().unwrap().clone())
    };
    pools.as_object().unwrap().iter().map(listed).collect()
}

fn limits() -> Vec<Value> {
    let changes = json!([
        {}, {}, {}, {"min_requests": 100}, {"min_requests": 0}, {"min_requests": "a"}, {"min_requests": 1.5},
        {"error_rate": 5}, {"error_rate": 1}, {"error_rate": "x"}, {"error_rate": 0}, {"p99_latency_ms": null},
        {"p99_latency_ms": 250.0, "cpu_load": "2"}, {"disk_free_gb": -1, "cpu_load": null},
        {"healthy": true, "requests": 3},
    ]);
    let with = |change: &Value| policy_support::with(policy_support::limits(), change.clone());
    changes.as_array().unwrap().iter().map(with).chain([json!({})]).collect()
}

/// What a decision says, without who took it.
fn said(decision: &Decision) -> Value {
    let mut said = serde_json::to_value(decision).unwrap();
    let fields = said.as_object_mut().unwrap();
    let kept = ["allow", "verdict", "violations", "reasons", "checks", "limits", "fault", "sample"];
    fields.retain(|name, _| kept.contains(&name.as_str()));
    Value::Object(std::mem::take(fields).into_iter().collect::<Map<_, _>>())
}

/// What is evaluated otherwise than as shipped.
fn with_text(data: &Value, change: impl Fn(String) -> String) -> Policies {
    let policies = Policies::with_data(data);
    for file in ["canary.rego", "infra.rego"] {
        let text = std::fs::read_to_string(policies.path().join(file)).unwrap();
        policies.write(file, &change(text));
    }
    policies
}

#[tokio::test]
async fn programs_interpreter_and_search_give_the_same_answers() {
    let mut dice = Dice(88_172_645_463_325_252);
    let mut verdicts = std::collections::BTreeMap::<String, usize>::new();
    for limits in limits() {
        let data = json!({ "thresholds": limits });
        // A comment makes it another text than the shipped one.
        let interpreted = |text: String| format!("{text}\n# Interpreted.\n");
        let searched = |text: String| {
            let search =
                text.replace("decision := usual_pass if {\n\tusual_pass\n} else := {", "decision := {");
            assert!(
                search != text || !text.starts_with("# Asked before a canary"),
                "the policy was reworded"
            );
            search
        };
        let ways = [with_text(&data, |text| text), with_text(&data, interpreted), with_text(&data, searched)];
        let engines = ways.each_ref().map(Policies::embedded);
        for _ in 0..60 {
            let facts = dice.facts();
            for gate in ["canary", "infra"] {
                let mut answers = Vec::new();
                for engine in &engines {
                    answers.push(said(&engine.ask(gate, &facts).await));
                }
                assert_eq!(answers[0], answers[1], "interpreted: {gate} of {facts} by {data}");
                assert_eq!(answers[0], answers[2], "searched: {gate} of {facts} by {data}");
                *verdicts.entry(format!("{gate} {}", answers[0]["verdict"])).or_default() += 1;
            }
        }
    }
    // Facts that lead to one answer alone would show nothing.
    for expected in
        ["canary \"pass\"", "canary \"fail\"", "canary \"inconclusive\"", "infra \"pass\"", "infra \"fail\""]
    {
        assert!(verdicts.get(expected).is_some_and(|count| *count >= 20), "{verdicts:?}");
    }
}

/// So many that the program ends before it has looked at all of them.
#[tokio::test]
async fn more_than_the_program_may_look_at_gets_the_same_answer() {
    let data = json!({ "thresholds": limits()[0] });
    let ways = [with_text(&data, |text| text), with_text(&data, |text| format!("{text}\n# Interpreted.\n"))];
    let [program, interpreted] = ways.each_ref().map(Policies::embedded);
    let mut facts = good_canary();
    let waits: Vec<Value> = (0..4000).map(|waited| json!({"waited_ms": waited, "count": 1})).collect();
    facts["proxy_waiting"] = waits.clone().into();
    facts["proxy_abandoned"] = waits.into();
    for _ in 0..2 {
        let answer = said(&program.ask("canary", &facts).await);
        assert_eq!(answer, said(&interpreted.ask("canary", &facts).await));
        assert_eq!(answer["violations"][0]["code"], "proxy_abandoned", "{answer}");
    }
}

#[tokio::test]
async fn opa_gives_the_answers_of_the_programs() {
    let Some(binary) = real_opa() else { return };
    let mut dice = Dice(2_463_534_242);
    for limits in limits().into_iter().step_by(3) {
        let policies = Policies::with_data(&json!({ "thresholds": limits }));
        let running = RunningOpa::start(&binary, policies.path(), &["--ignore", "*_test.rego"]).await;
        let (opa, embedded) = (policies.asked_at(running.address, TIMEOUT), policies.embedded());
        for _ in 0..60 {
            let facts = dice.facts();
            for gate in ["canary", "infra"] {
                let answer = said(&opa.ask(gate, &facts).await);
                assert_eq!(answer, said(&embedded.ask(gate, &facts).await), "{gate} of {facts} by {limits}");
            }
        }
    }
}
