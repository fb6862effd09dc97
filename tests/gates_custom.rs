//! A gate of one's own, from the example to the denied deploy: as a newcomer
//! does it, with the real binary.
#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy knows only test functions as tests")]

#[path = "support/world.rs"]
mod world;

use serde_json::{Value, json};
use world::World;

const GATE: &str = "infra";

/// A project with a gate `package` before a deploy.
fn with_gate(package: &str) -> World {
    gated(World::local(), package)
}

fn gated(world: World, package: &str) -> World {
    world.edit_manifest(|text| {
        let gates = format!("  gates:\n    - package: {package}\n      before: deploy\nstatus:\n");
        assert!(text.contains("status:\n"), "{text}");
        text.replace("status:\n", &gates)
    });
    world
}

fn write(world: &World, name: &str, text: &str) {
    std::fs::write(world.path("policies").join(name), text).unwrap();
}

fn limits(own: &Value) -> String {
    let mut all = json!({
        "disk_free_gb": 1, "cpu_load": 1000, "error_rate": 0.01, "p99_latency_ms": 500,
    });
    all.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    json!({ "thresholds": all }).to_string()
}

/// The example as its first lines say, with a freeze that lasts now or not.
fn with_freeze(is_on: bool) -> World {
    frozen(World::local(), is_on)
}

fn frozen(world: World, is_on: bool) -> World {
    let world = gated(world, "freeze");
    for (name, text) in [
        ("freeze.rego", include_str!("../policies/.examples/freeze.rego")),
        ("freeze_test.rego", include_str!("../policies/.examples/freeze_test.rego")),
    ] {
        write(&world, name, text);
    }
    freeze(&world, is_on);
    world
}

fn freeze(world: &World, is_on: bool) {
    let until = if is_on { "2999-01-01T00:00:00Z" } else { "2021-01-01T00:00:00Z" };
    freeze_from(world, "2020-01-01T00:00:00Z", until);
}

fn freeze_from(world: &World, from: &str, until: &str) {
    let freezes = json!([{"from": from, "until": until, "why": "year's end"}]);
    world.set_limits(&limits(&json!({ "freezes": freezes })));
}

/// The lines of the history that are decisions of a gate.
fn decisions(world: &World, gate: &str) -> Vec<Value> {
    let lines = world.read("history.jsonl");
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["kind"] == "decision" && line["gate"] == gate).collect()
}

#[test]
fn a_freeze_denies_the_deploy_with_its_reason_and_is_recorded_like_ours() {
    let world = with_freeze(true);
    world.run(&["validate"]).ends_with(0);
    world.run(&["policy", "test"]).ends_with(0).says("test_denies_inside_a_freeze");
    world
        .run(&["deploy"])
        .ends_with(2)
        .says("Deployment blocked: freeze policy violation")
        .says("is inside the freeze from 2020-01-01T00:00:00Z to 2999-01-01T00:00:00Z: year's end")
        .says("state: nothing serves");
    assert!(!decisions(&world, GATE).is_empty(), "ours is asked first");
    let denied = decisions(&world, "freeze");
    assert_eq!(denied.len(), 1, "{denied:?}");
    assert_eq!(denied[0]["verdict"], "FAIL", "{}", denied[0]);
    let story = world.read("history.jsonl");
    assert!(story.contains("\"kind\":\"violation\"") && story.contains("frozen"), "{story}");
    world.run(&["audit"]).ends_with(0);
    let report = world.read("audit_report.md");
    let line = report.lines().find(|line| line.starts_with('|') && line.contains("| freeze |"));
    assert!(
        line.is_some_and(|line| line.contains("year's end") || line.contains("year&#39;s end")),
        "{report}"
    );
    world.run(&["audit", "verify"]).ends_with(0);
}

#[test]
fn a_freeze_that_is_not_sound_denies_the_deploy_and_is_named() {
    let world = with_freeze(false);
    for (from, until) in [
        ("2020-01-01Z", "2021-01-01T00:00:00Z"),
        ("2020-1-1T00:00:00Z", "2021-01-01T00:00:00Z"),
        ("yesterdayZ", "2021-01-01T00:00:00Z"),
        ("2021-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
    ] {
        freeze_from(&world, from, until);
        world
            .run(&["deploy"])
            .ends_with(2)
            .says("Deployment blocked: freeze policy violation")
            .says("freezes[0] is not sound");
    }
}

#[test]
fn what_the_example_lacks_is_named_with_its_key_and_form() {
    let world = with_freeze(false);
    for (freezes, shown) in [(json!({}), "absent"), (json!({"freezes": "none"}), "the text none")] {
        world.set_limits(&limits(&freezes));
        world.run(&["deploy"]).ends_with(2).says("Deployment blocked: freeze policy violation").says(&format!(
            "thresholds.freezes in data.json is {shown}: it must be a list of freezes, and [] where there is none"
        ));
    }
}

#[test]
fn a_gate_where_no_rule_decides_denies_with_its_own_words() {
    let world = with_gate("freeze");
    let rules = "package freeze\n\ndefault decision := {\"allow\": false, \"verdict\": \"fail\",\n\
                 \t\"violations\": [{\"code\": \"undecided\", \"message\": \"nobody said when\"}],\n\
                 \t\"reasons\": [\"nobody said when\"], \"limits\": {}}\n";
    write(&world, "freeze.rego", rules);
    world
        .run(&["deploy"])
        .ends_with(2)
        .says("Deployment blocked: freeze policy violation")
        .says("nobody said when");
}

#[test]
fn data_that_no_answer_could_prove_is_refused_wherever_policies_are_asked() {
    let world = with_freeze(false);
    world.run(&["deploy"]).ends_with(0);
    let good = world.read("policies/data.json");
    let more = |good: &str| format!("{}, \"freezes\": []}}", good.trim_end().strip_suffix('}').unwrap());
    let why = "data.json: `freezes` stands beside `thresholds`; put it under thresholds";
    world.set_limits(&more(&good));
    world.run(&["validate"]).ends_with(1).says("the policies are refused").says(why);
    let asked = world.run(&["policy", "ask", "freeze"]).ends_with(2);
    assert!(asked.out.contains(why), "{}", asked.out);
    world.run(&["deploy"]).ends_with(2).says("Deployment blocked: no policy decision").says(why);
    world.run(&["promote", "canary"]).ends_with(2).says("Promotion blocked: no policy decision").says(why);
    world.set_limits(&good);
    world.run(&["promote", "canary"]).ends_with(0);
    world.set_limits(&more(&good));
    world.run(&["promote", "stable"]).ends_with(2).says("Promotion blocked: no policy decision").says(why);
}

#[test]
fn a_gate_of_ones_own_is_shown_wherever_ours_are() {
    let world = with_freeze(true);
    let plan = world.run(&["plan"]).ends_with(0);
    assert!(plan.out.contains("gate infra: PASS") && plan.out.contains("gate freeze: FAIL"), "{}", plan.out);
    world.run(&["status", "--once"]).ends_with(0).says("✗ freeze policy: FAILING").says("year's end");
    let status = world.run(&["status", "--once", "--json"]).ends_with(0).json();
    let policies = status.last().unwrap()["policies"].as_array().unwrap().clone();
    let shown = policies.iter().find(|policy| policy["policy"] == "freeze").unwrap();
    assert_eq!(shown["verdict"], "FAIL");
    assert_eq!(shown["blocks"], "deploy");
    let asked = world.run(&["policy", "ask", "freeze", "--json"]).ends_with(2);
    assert!(asked.out.contains("frozen"), "{}", asked.out);
    world.run(&["policy", "explain", "freeze"]).says("year's end");
    let deploy = world.run(&["deploy", "--json"]).ends_with(2);
    assert!(deploy.out.contains("\"freeze\"") && deploy.out.contains("frozen"), "{}", deploy.out);
}

#[test]
fn outside_a_freeze_the_deploy_goes_through_and_an_edit_counts_at_once() {
    let world = with_freeze(false);
    world.run(&["deploy"]).ends_with(0).says("gate freeze").says("no freeze at");
    assert_eq!(world.get("/").status, 200);
    freeze(&world, true);
    world.run(&["deploy"]).ends_with(2).says("freeze policy violation");
    assert_eq!(world.get("/").json()["mode"], "stable");
}

#[test]
fn a_gate_before_one_operation_blocks_no_other() {
    let world = with_freeze(false);
    world.run(&["deploy"]).ends_with(0);
    freeze(&world, true);
    world.run(&["promote", "canary"]).ends_with(0);
    world.run(&["rollback"]).ends_with(0);
}

#[test]
fn a_gate_of_ones_own_cannot_turn_our_denial_into_a_pass() {
    let world = with_freeze(false);
    let data = world.read("policies/data.json").replace("\"disk_free_gb\":1,", "\"disk_free_gb\":100000000,");
    world.set_limits(&data);
    world
        .run(&["deploy"])
        .ends_with(2)
        .says("Deployment blocked: Infrastructure policy violation")
        .says("disk_free_gb");
    assert!(decisions(&world, "freeze").is_empty(), "what is denied already is asked no further");
}

#[test]
fn a_gate_that_is_broken_denies_in_its_own_words() {
    for (rules, shown) in [
        ("package freeze\n\ndecision := {\"allow\": true\n", "freeze.rego:"),
        (
            "package freeze\n\ndecision := true\n",
            "freeze: the decision is true, not an object with its reasons",
        ),
        ("package freeze\n\nx := 1\n", "policy freeze is undefined"),
        ("package frozen\n\ndecision := {}\n", "policy freeze is undefined"),
        ("package freeze\n\ndecision := object.get(data, \"x\", {})\n", "data.freeze.decision is recursive"),
        (
            "package freeze\n\ndecision := {\"allow\": true, \"verdict\": \"pass\", \"violations\": [],\n\
             \t\"reasons\": [\"fine\"], \"limits\": {}}\n",
            "freeze shows none of the limits in data.json",
        ),
        (
            "package freeze\n\ndecision := {\"allow\": true, \"verdict\": \"pass\", \"violations\": [],\n\
             \t\"reasons\": [], \"limits\": data.thresholds}\n",
            "`reasons` is empty",
        ),
    ] {
        let world = with_gate("freeze");
        write(&world, "freeze.rego", rules);
        world.run(&["deploy"]).ends_with(2).says("Deployment blocked: no policy decision").says(shown);
        assert!(world.processes().is_empty(), "{:?}", world.processes());
    }
}

#[test]
fn on_docker_opa_asks_the_gate_too_and_follows_an_edit() {
    let Some(world) = World::docker() else { return };
    let world = frozen(world, true);
    world.run(&["validate"]).ends_with(0);
    world
        .run(&["deploy"])
        .ends_with(2)
        .says("Deployment blocked: freeze policy violation")
        .says("year's end");
    freeze(&world, false);
    world.run(&["deploy"]).ends_with(0).says("gate freeze").says("by opa");
    world.run(&["policy", "ask", "freeze"]).ends_with(0);
    freeze(&world, true);
    world.run(&["deploy"]).ends_with(2).says("freeze policy violation");
    assert_eq!(world.get("/").json()["mode"], "stable");
}

#[test]
fn a_gate_that_nobody_wrote_denies() {
    let world = with_gate("freeze");
    world.run(&["deploy"]).ends_with(2).says("policy freeze is undefined").says("package line");
}
