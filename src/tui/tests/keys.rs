//! What keys do, and what they must not do.

use std::time::Duration;

use crossterm::event::KeyCode;
use rstest::rstest;

use super::fixtures::*;
use super::verdicts::*;
use super::world::World;
use crate::engine::{
    Action, ChaosFault, Connection, LoadPlan, OperationEvent, OperationId, Outcome, StateEvent,
};
use crate::tui::command::Pane;
use crate::tui::effect::Effect;
use crate::tui::message::{Message, Reply, Resync, TerminalMessage};
use crate::tui::state::{End, Overlay};

const TTL: Duration = Duration::from_mins(1);

fn toasts(world: &World) -> Vec<&str> {
    world.state.toasts.shown().iter().map(|toast| toast.text.as_str()).collect()
}

#[rstest]
#[case("i", Action::Init { check: false })]
#[case("v", Action::Validate)]
#[case("d", Action::Deploy)]
#[case("r", Action::Rollback)]
#[case("pc", Action::PromoteCanary)]
#[case("5s", Action::Chaos(ChaosFault::Slow { duration: 3.0, ttl: TTL }))]
#[case("5e", Action::Chaos(ChaosFault::Error { rate: 0.5, ttl: TTL }))]
#[case("5k", Action::Chaos(ChaosFault::Kill))]
#[case("5x", Action::Chaos(ChaosFault::Recover))]
#[case("c++s", Action::Chaos(ChaosFault::Slow { duration: 3.0, ttl: Duration::from_mins(5) }))]
fn a_key_dispatches_its_action(#[case] keys: &str, #[case] action: Action) {
    assert_eq!(World::failing_canary().keys(keys), [Effect::Dispatch(action)]);
}

/// A quarter of the traffic has to bring half as many requests again as are
/// needed in 30 s.
#[test]
fn a_key_brings_the_requests_that_a_verdict_needs() {
    let mut world = World::failing_canary();
    world.watch(StateEvent::Gates(vec![passing_infra(), inconclusive_canary_gate()]));
    let [Effect::Dispatch(Action::Load(plan))] = &world.keys("g")[..] else { panic!("no load") };
    let in_a_window = f64::from(plan.rps) * 0.25 * 30.0;
    assert!(in_a_window >= 75.0, "{plan:?}");
    assert!(plan.lasting >= Duration::from_secs(45), "{plan:?}");
}

/// The promotion that waits is what the traffic is for.
#[test]
fn probe_traffic_begins_while_a_promotion_runs() {
    let mut world = World::failing_canary();
    world.begin("op-1", Action::PromoteStable);
    assert!(matches!(&world.keys("g")[..], [Effect::Dispatch(Action::Load(_))]), "{:?}", toasts(&world));
}

#[rstest]
#[case("plan", Action::Plan)]
#[case("init check", Action::Init { check: true })]
#[case("audit", Action::ExportAudit { out: None })]
#[case("load", Action::Load(LoadPlan::default()))]
#[case("promote stable", Action::PromoteStable)]
fn the_palette_reaches_what_has_no_key(#[case] typed: &str, #[case] action: Action) {
    let mut world = World::failing_canary();
    world.keys(":");
    world.keys(typed);
    assert_eq!(world.key(KeyCode::Enter), [Effect::Dispatch(action)]);
    assert!(world.state.overlays.is_empty());
}

#[test]
fn the_menu_runs_the_chosen_line() {
    let mut world = World::stable();
    world.keys("m");
    for _ in 0..3 {
        world.key(KeyCode::Down);
    }
    assert_eq!(world.key(KeyCode::Enter), [Effect::Dispatch(Action::Plan)]);
}

#[test]
fn a_mutating_key_is_answered_with_busy_while_an_operation_runs() {
    let mut world = World::stable();
    world.deploy_running();
    for keys in ["i", "d", "pc"] {
        assert_eq!(world.keys(keys), [], "{keys}");
        assert_eq!(toasts(&world), ["busy: deploy is running (Esc to cancel)"]);
        world.state.overlays.clear();
    }
    // What only reads may run beside it.
    assert_eq!(world.keys("v"), [Effect::Dispatch(Action::Validate)]);
}

#[test]
fn going_back_waits_for_nothing_that_runs() {
    let mut world = World::stable();
    world.deploy_running();
    assert_eq!(world.keys("r"), [Effect::Dispatch(Action::Rollback)]);
}

#[test]
fn escape_asks_before_it_cancels() {
    let mut world = World::stable();
    assert_eq!(world.key(KeyCode::Esc), []);
    assert!(world.state.overlays.is_empty());
    world.deploy_running();
    assert_eq!(world.key(KeyCode::Esc), []);
    assert_eq!(world.keys("n"), []);
    assert_eq!(world.key(KeyCode::Esc), []);
    assert_eq!(world.keys("y"), [Effect::Cancel]);
    world.key(KeyCode::Esc);
    assert_eq!(world.key(KeyCode::Enter), [Effect::Cancel]);
}

#[test]
fn a_question_about_an_operation_goes_when_it_ends() {
    let mut world = World::stable();
    world.deploy_running();
    world.key(KeyCode::Esc);
    world.finish("op-1", Action::Deploy, Outcome::Done { summary: "done".into() }, 5000);
    assert!(world.state.overlays.is_empty());
}

#[test]
fn quit_leaves_at_once_when_nothing_runs_and_asks_otherwise() {
    let mut world = World::stable();
    assert_eq!(world.keys("q"), [Effect::Quit]);
    assert_eq!(world.ctrl('c'), [Effect::Quit]);
    world.deploy_running();
    assert_eq!(world.keys("q"), []);
    assert!(matches!(world.state.overlays.last(), Some(Overlay::ConfirmQuit { operation: "deploy" })));
}

#[test]
fn the_second_interrupt_cancels_and_the_app_leaves_when_the_operation_has_ended() {
    let mut world = World::stable();
    world.deploy_running();
    assert_eq!(world.ctrl('c'), []);
    assert_eq!(world.ctrl('c'), [Effect::Cancel]);
    let outcome = Outcome::Cancelled { state: "app-blue serves".into() };
    assert_eq!(world.finish("op-1", Action::Deploy, outcome, 5000), [Effect::Quit]);
}

/// Nobody sees what it does.
#[test]
fn in_a_terminal_that_is_too_small_one_can_leave_and_nothing_else() {
    let mut world = World::stable();
    world.state.size = (59, 36);
    for key in ["d", "t", "m", "p", "c", "?", "r"] {
        assert_eq!(world.keys(key), [], "{key}");
        assert!(world.state.overlays.is_empty(), "{key}");
    }
    assert_eq!(world.keys("q"), [Effect::Quit]);
    assert_eq!(world.ctrl('c'), [Effect::Quit]);
    world.deploy_running();
    assert_eq!(world.keys("q"), []);
    assert_eq!(world.keys("n"), []);
    assert!(world.state.overlays.is_empty());
    // What was opened before it became small does not take the key.
    world.state.size = (120, 36);
    world.keys("m");
    world.state.size = (120, 14);
    assert_eq!(world.keys("q"), []);
    assert!(matches!(world.state.overlays.last(), Some(Overlay::ConfirmQuit { .. })));
    assert_eq!(world.keys("y"), [Effect::Cancel]);
}

#[test]
fn nothing_starts_once_the_app_is_being_left() {
    let mut world = World::stable();
    world.deploy_running();
    assert_eq!(world.keys("q"), []);
    assert_eq!(world.keys("y"), [Effect::Cancel]);
    for key in ["d", "p", "m", "g", "q"] {
        assert_eq!(world.keys(key), [], "{key}");
        assert!(world.state.overlays.is_empty(), "{key}");
    }
    assert_eq!(world.ctrl('c'), [Effect::Quit]);
}

#[test]
fn the_third_interrupt_leaves_at_once() {
    let mut world = World::stable();
    world.deploy_running();
    world.ctrl('c');
    world.ctrl('c');
    assert_eq!(world.ctrl('c'), [Effect::Quit]);
}

#[test]
fn a_signal_cancels_first_and_does_not_wait_for_ever() {
    let mut world = World::stable();
    assert_eq!(world.tell(Message::Terminal(TerminalMessage::EndAsked)), [Effect::Quit]);
    world.deploy_running();
    assert_eq!(world.tell(Message::Terminal(TerminalMessage::EndAsked)), [Effect::Cancel]);
    world.now.instant += Duration::from_secs(9);
    assert_eq!(world.tell(Message::Ticked), []);
    world.now.instant += Duration::from_secs(1);
    assert_eq!(world.tell(Message::Ticked), [Effect::Quit]);
}

#[test]
fn teardown_wants_the_name_of_the_project() {
    let mut world = World::stable();
    assert_eq!(world.keys("t"), [Effect::ListBelongings { generation: 1 }]);
    assert_eq!(world.key(KeyCode::Enter), []);
    world.keys("sho");
    assert_eq!(world.key(KeyCode::Enter), []);
    assert_eq!(toasts(&world), ["type shop to remove everything of it"]);
    world.keys("p");
    assert_eq!(world.key(KeyCode::Enter), [Effect::Dispatch(Action::Teardown { clean: false })]);
}

#[test]
fn teardown_takes_the_generated_files_only_when_told() {
    let mut world = World::stable();
    world.keys("t");
    world.key(KeyCode::Tab);
    world.tell(Message::Terminal(TerminalMessage::Pasted("shop\n".into())));
    assert_eq!(world.key(KeyCode::Enter), [Effect::Dispatch(Action::Teardown { clean: true })]);
}

#[test]
fn an_answer_for_a_dialog_that_was_closed_is_dropped() {
    let mut world = World::stable();
    world.keys("t");
    world.key(KeyCode::Esc);
    world.keys("t");
    world.tell(Message::Reply(Reply::Belongings { generation: 1, result: Ok(vec!["old".into()]) }));
    let Some(Overlay::Teardown(teardown)) = world.state.overlays.last() else { panic!("no dialog") };
    assert_eq!(teardown.belongings, None);
}

#[test]
fn chaos_without_a_canary_says_why_not() {
    let mut world = World::stable();
    for keys in ["5s", "e", "k", "c"] {
        assert_eq!(world.keys(keys), []);
        assert_eq!(toasts(&world), ["no canary runs: promote one first (p)"]);
    }
    assert_eq!(world.keys("x"), [Effect::Dispatch(Action::Chaos(ChaosFault::Recover))]);
}

#[test]
fn a_promotion_that_makes_no_sense_is_not_asked_for() {
    let mut world = World::connected();
    assert_eq!(world.keys("pc"), []);
    assert_eq!(toasts(&world), ["nothing is deployed yet: deploy first (d)"]);
    let mut world = World::stable();
    assert_eq!(world.keys("ps"), []);
    assert_eq!(toasts(&world), ["no canary runs: promote one first"]);
}

#[test]
fn nothing_is_forbidden_while_nothing_is_known() {
    let mut world = World::new();
    assert_eq!(world.keys("pc"), [Effect::Dispatch(Action::PromoteCanary)]);
    assert_eq!(world.keys("ps"), [Effect::Dispatch(Action::PromoteStable)]);
    assert_eq!(world.keys("r"), [Effect::Dispatch(Action::Rollback)]);
}

#[test]
fn a_lost_connection_is_shown_and_nothing_ends() {
    let mut world = World::stable();
    let down = Connection::Down { reason: "refused".into(), retry_in: Duration::from_secs(3) };
    world.watch(StateEvent::Connection(down));
    assert!(world.text(120, 36).contains("docker: not reachable, retrying in 3 s · refused"));
    world.pass(Duration::from_secs(4));
    assert!(world.text(120, 36).contains("retrying now"));
    world.watch(StateEvent::Connection(Connection::Up(engine_info())));
    assert!(!world.text(120, 36).contains("not reachable"));
}

#[test]
fn logs_switch_service_and_drop_lines_of_the_one_before() {
    let mut world = World::stable();
    assert_eq!(world.keys("l"), [Effect::OpenLogs { service: "app-blue".into(), generation: 1 }]);
    let effects = world.key(KeyCode::Right);
    let [Effect::OpenLogs { service, generation }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(service, "nginx");
    let new = *generation;
    for (generation, line) in [(1, "from app-blue"), (new, "from nginx")] {
        world.tell(Message::Reply(Reply::LogLines { generation, lines: vec![(false, line.into())] }));
    }
    let shown = world.text(80, 24);
    assert!(shown.contains("from nginx") && !shown.contains("from app-blue"), "{shown}");
    assert_eq!(world.key(KeyCode::Esc), [Effect::CloseLogs]);
}

#[test]
fn escape_leaves_the_filter_before_it_leaves_the_logs() {
    let mut world = World::stable();
    world.keys("l/q");
    let Some(Overlay::Logs(logs)) = world.state.overlays.last() else { panic!("no logs") };
    assert_eq!(logs.filter.text(), "q");
    assert_eq!(world.key(KeyCode::Esc), []);
    assert_eq!(world.key(KeyCode::Esc), [Effect::CloseLogs]);
}

#[test]
fn zoom_and_focus_follow_the_keys() {
    let mut world = World::stable();
    world.keys("4z");
    assert!(world.state.is_zoomed);
    world.key(KeyCode::Tab);
    assert_eq!(world.state.focus, Pane::Chaos);
    world.key(KeyCode::BackTab);
    assert_eq!(world.state.focus, Pane::Policy);
    world.key(KeyCode::Esc);
    assert!(!world.state.is_zoomed);
}

#[test]
fn scrolling_stops_at_both_ends() {
    let mut world = World::stable();
    for _ in 0..20 {
        world.begin("op", Action::Validate);
        world.finish("op", Action::Validate, Outcome::Done { summary: "fine".into() }, 1);
    }
    world.draw(80, 24);
    for _ in 0..500 {
        world.key(KeyCode::Up);
    }
    let top = world.state.scroll[Pane::Activity.index()];
    assert!(top > 10 && top < 100);
    world.key(KeyCode::Down);
    assert_eq!(world.state.scroll[Pane::Activity.index()], top - 1);
    world.key(KeyCode::End);
    assert_eq!(world.state.scroll[Pane::Activity.index()], 0);
    // A larger screen has less to scroll.
    world.key(KeyCode::Home);
    world.draw(120, 60);
    assert!(world.state.scroll[Pane::Activity.index()] < top);
}

#[test]
fn a_new_operation_is_shown_even_when_one_has_scrolled_away() {
    let mut world = World::stable();
    world.state.scroll[Pane::Activity.index()] = 7;
    world.begin("op-9", Action::Validate);
    assert_eq!(world.state.scroll[Pane::Activity.index()], 0);
}

#[test]
fn an_operation_whose_end_was_missed_is_not_running_for_ever() {
    let mut world = World::stable();
    world.deploy_running();
    world.begin("op-2", Action::Validate);
    let resync = Resync { missed: 40, snapshot: Vec::new(), running: vec![OperationId("op-2".into())] };
    world.tell(Message::Resynced(resync));
    assert!(world.state.activity.blocking(&Action::Deploy).is_none());
    let ends: Vec<_> = world.state.activity.operations.iter().map(|o| o.end.is_some()).collect();
    assert_eq!(ends, [true, false]);
    assert!(matches!(world.state.activity.operations.iter().next().unwrap().end, Some(End::Missed)));
    assert!(world.text(120, 36).contains("its end was missed"));
}

#[test]
fn events_of_an_operation_that_is_not_known_do_no_harm() {
    let mut world = World::stable();
    let id = OperationId("op-unknown".into());
    world.operation(OperationEvent::Notice { id: id.clone(), text: "hello".into() });
    world.operation(OperationEvent::StepProgress { id, step: 3, detail: String::new(), fraction: None });
    assert_eq!(world.state.activity.operations.len(), 0);
    world.finish("op-unknown", Action::Deploy, Outcome::Done { summary: "it worked".into() }, 10);
    assert!(world.text(120, 36).contains("it worked"));
}

#[test]
fn the_end_of_an_operation_is_told_where_the_activity_is_hidden() {
    let mut world = World::stable();
    world.deploy_running();
    world.keys("4z");
    let outcome = Outcome::Failed { error: "e".into(), state: "s".into(), next: "n".into() };
    world.finish("op-1", Action::Deploy, outcome, 10);
    assert_eq!(toasts(&world), ["deploy: failed, see 6 activity"]);
}

#[test]
fn toasts_go_by_themselves() {
    let mut world = World::connected();
    world.keys("l");
    assert_eq!(toasts(&world), ["nothing runs, so there are no logs"]);
    world.pass(Duration::from_secs(4));
    assert!(toasts(&world).is_empty());
}

#[test]
fn the_next_deadline_is_the_next_second_of_the_clock_or_the_spinner() {
    let mut world = World::stable();
    world.pass(Duration::from_millis(300));
    let wait = |world: &World| world.state.next_deadline() - world.now.instant;
    // The fixture's clock is past a full second by what has passed since.
    let into_second = u64::from(world.now.wall.timestamp_subsec_millis());
    assert_eq!(wait(&world), Duration::from_millis(1000 - into_second));
    world.begin("op-1", Action::Deploy);
    assert_eq!(wait(&world), Duration::from_millis(100));
}

fn asked_about(effects: &[Effect]) -> Vec<(&str, u64)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Explain { decision, generation } => Some((decision.gate.as_str(), *generation)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_decision_is_explained_when_it_is_shown_and_again_when_it_is_another_one() {
    let mut world = World::failing_canary();
    world.keys("4");
    let first = world.key(KeyCode::Enter);
    let [("canary", generation)] = asked_about(&first)[..] else { panic!("{first:?}") };

    // New figures of the same comparisons need no new explanation.
    let mut gate = failing_canary_gate();
    gate.decision.as_mut().unwrap().checks[0].observed = serde_json::json!(0.6);
    assert_eq!(world.watch(StateEvent::Gates(vec![passing_infra(), gate.clone()])), []);

    gate.decision.as_mut().unwrap().revision = "ffffffffffff".into();
    let again = world.watch(StateEvent::Gates(vec![passing_infra(), gate]));
    assert_eq!(asked_about(&again), [("canary", generation + 1)]);

    // The answer to the first question belongs to another decision.
    let late = Reply::Explained { generation, explanation: Box::new(explanation()) };
    world.tell(Message::Reply(late));
    let Some(Overlay::Decision(view)) = world.state.overlays.last() else { panic!("it is open") };
    assert_eq!(view.explanation, None);

    let other = world.key(KeyCode::Right);
    assert_eq!(asked_about(&other), [("infra", generation + 2)]);
}
