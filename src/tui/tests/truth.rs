//! What a screen tells is true and whole: no part for the sum, no line without the
//! end that matters, no message over a question.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use super::fixtures::*;
use super::scenes;
use super::verdicts::*;
use super::world::World;
use crate::domain::{Mode, Slot};
use crate::engine::{Action, OperationEvent, OperationId, Reading, StateEvent, StepResult};
use crate::policy::CheckLine;
use crate::tui::state::Tone;

/// The line of the screen with these words.
fn line_with(screen: &str, words: &str) -> String {
    let found = screen.lines().find(|line| line.contains(words));
    found.unwrap_or_else(|| panic!("no {words:?} in\n{screen}")).to_owned()
}

/// A canary without figures.
fn canary(why: &str, passed: Option<Duration>) -> Reading {
    Reading { mode: Mode::Canary, slot: Slot::Green, measured: Err(why.into()), passed }
}

#[test]
fn the_rate_of_an_idle_stable_release_does_not_stand_for_the_sum() {
    let mut world = World::failing_canary();
    world.look_at(vec![
        reading(Mode::Stable, Slot::Blue, 10, 0, 0.0, None),
        canary("measuring: 12 of 30 s", Some(Duration::from_secs(12))),
    ]);
    let screen = world.text(120, 36);
    let requests = line_with(&screen, "requests  measuring");
    assert!(requests.contains("stable 0/s") && !requests.contains("peak"), "{requests}");
    line_with(&screen, "P99       measuring");
    line_with(&screen, "… canary: measuring: 12 of 30 s");
}

#[test]
fn a_slot_that_cannot_be_read_leaves_the_sum_unknown() {
    let mut world = World::failing_canary();
    world.look_at(vec![
        reading(Mode::Stable, Slot::Blue, 903, 0, 30.1, Some(41.0)),
        canary("metrics malformed in line 7", None),
    ]);
    let requests = line_with(&world.text(120, 36), "requests  no data");
    assert!(requests.contains("stable 30.1/s"), "{requests}");
    assert!(world.state.watch.history.rate.iter().last().is_some_and(Option::is_none));
}

#[test]
fn a_sum_over_all_slots_is_the_sum() {
    let mut world = World::failing_canary();
    world.look_at(vec![
        reading(Mode::Stable, Slot::Blue, 903, 0, 30.5, Some(41.0)),
        reading(Mode::Canary, Slot::Green, 301, 0, 10.0, Some(41.0)),
    ]);
    line_with(&world.text(120, 36), "requests  40.5/s");
}

/// The gate of a canary of which nothing is known, as the shipped policy tells it.
fn unmeasured() -> crate::engine::GateView {
    let mut gate = inconclusive_canary_gate();
    let decision = gate.decision.as_mut().unwrap();
    let check = |fact: &str, limit: serde_json::Value, unit: &str| CheckLine {
        fact: fact.into(),
        observed: json!(null),
        must: "<=".into(),
        limit,
        unit: unit.into(),
        ok: false,
    };
    decision.checks = vec![
        check("error_rate", json!(0.01), ""),
        check("p99_latency_ms", json!(500), "ms"),
        check("proxy_error_rate", json!(0.01), ""),
    ];
    decision.violations[0].message = "no metrics of the canary: metrics malformed in line 7".into();
    decision.result = json!({"waiting_helps": false, "sample": null});
    gate
}

#[rstest]
#[case(120, 36)]
#[case(80, 24)]
fn the_limit_of_what_is_not_known_is_never_cut_off(#[case] width: u16, #[case] height: u16) {
    let mut world = World::failing_canary();
    world.watch(StateEvent::Gates(vec![unmeasured()]));
    world.keys("4");
    let screen = world.text(width, height);
    let line = line_with(&screen, "p99_latency_ms");
    assert!(line.contains("no data (≤ 500 ms)"), "{line}");
    world.keys("z");
    let line = line_with(&world.text(width, height), "p99_latency_ms");
    assert!(line.contains("no data needs ≤ 500 ms"), "{line}");
}

#[test]
fn why_nothing_is_known_stands_above_what_is_not_known() {
    let mut world = World::failing_canary();
    world.watch(StateEvent::Gates(vec![unmeasured()]));
    let screen = world.text(120, 36);
    let row = |words: &str| screen.lines().position(|line| line.contains(words)).unwrap();
    assert!(row("no metrics of the canary") < row("p99_latency_ms"), "{screen}");
}

#[test]
fn a_gate_that_something_was_noticed_beside_stands_once_among_the_steps() {
    let mut world = World::connected();
    world.begin("op-1", Action::Deploy);
    let id = OperationId("op-1".into());
    world.operation(OperationEvent::StepStarted { id: id.clone(), step: 0, name: "gate infra".into() });
    let text = "no `opa` on the path".into();
    world.operation(OperationEvent::Notice { id: id.clone(), text });
    world.step_as("op-1", 0, "gate infra", "FAIL by embedded", 12, StepResult::Ok);
    let mut decision = passing_infra().decision.unwrap();
    decision.verdict = crate::policy::Verdict::Fail;
    world.operation(OperationEvent::Decided { id, decision: Box::new(decision) });
    let screen = world.text(120, 36);
    assert_eq!(screen.matches("gate infra").count(), 1, "{screen}");
    line_with(&screen, "✗ gate infra");
}

#[rstest]
#[case(120, 36)]
#[case(80, 24)]
fn a_long_name_of_a_step_is_shown_in_full_where_there_is_room(#[case] width: u16, #[case] height: u16) {
    let mut world = World::connected();
    world.begin("op-1", Action::Deploy);
    world.step("op-1", 0, "gate infra", "FAIL", 12);
    world.step("op-1", 1, "remove what the question needed", "3 removed", 40);
    world.keys("6z");
    let line = line_with(&world.text(width, height), "remove what the question needed");
    assert!(line.contains("3 removed"), "{line}");
}

#[test]
fn a_menu_that_does_not_fit_says_that_there_is_more() {
    let mut world = World::stable();
    world.keys("m");
    let most = crate::tui::catalog::ALL.len();
    line_with(&world.text(80, 24), &format!("/{most} "));
    let large = world.text(120, 50);
    assert!(!large.contains(&format!("/{most} ")), "{large}");
}

#[test]
fn no_message_covers_a_question() {
    let mut world = scenes::teardown();
    let quiet = world.text(60, 15);
    let now = world.now.instant;
    world.state.toasts.show(Tone::Fail, "deploy: failed", now);
    let screen = world.text(60, 15);
    let (question, message) = (quiet.lines().count() - 1, line_with(&screen, "✗ deploy: failed"));
    assert_eq!(
        screen.lines().take(question).collect::<Vec<_>>(),
        quiet.lines().take(question).collect::<Vec<_>>()
    );
    assert_eq!(screen.lines().last(), Some(message.as_str()), "{screen}");
    // Where there is room beside the question, it is a box as ever.
    line_with(&world.text(160, 40), "│ ✗ deploy: failed");
}
