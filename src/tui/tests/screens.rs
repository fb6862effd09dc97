//! Whole screens in the situations that matter. Read the diffs.

use std::path::PathBuf;
use std::time::Duration;

use insta::assert_snapshot;
use ratatui::style::{Color, Modifier};

use super::fixtures::*;
use super::scenes;
use super::verdicts::*;
use super::world::World;
use crate::domain::{Mode, Slot};
use crate::engine::{
    Action, FileChange, FileStatus, GeneratedState, OperationEvent, OperationId, Outcome, Reading,
    StateEvent, StepResult,
};
use crate::policy::EngineId;
use crate::runtime::Health;
use crate::tui::theme::ThemeName;

#[test]
fn before_anything_is_known() {
    assert_snapshot!(World::new().draw(120, 36));
}

#[test]
fn connected_and_nothing_deployed() {
    assert_snapshot!(World::connected().draw(120, 36));
}

#[test]
fn stable_serves() {
    assert_snapshot!(World::stable().draw(120, 36));
}

#[test]
fn deploy_is_running() {
    let mut world = World::connected();
    world.deploy_running();
    assert_snapshot!(world.draw(120, 36));
}

#[test]
fn canary_fails_under_chaos() {
    assert_snapshot!(World::failing_canary().draw(120, 36));
}

#[test]
fn promotion_was_denied() {
    assert_snapshot!(scenes::denied().draw(120, 36));
}

#[test]
fn promotion_was_denied_on_a_small_screen() {
    assert_snapshot!(scenes::denied().draw(80, 24));
}

#[test]
fn chaos_tab_on_a_small_screen() {
    let mut world = World::failing_canary();
    world.keys("5");
    assert_snapshot!(world.draw(80, 24));
}

#[test]
fn short_screen() {
    let mut world = World::failing_canary();
    world.keys("4");
    assert_snapshot!(world.draw(60, 15));
}

#[test]
fn deploy_failed_and_rolled_on() {
    let mut world = World::stable();
    world.begin("op-1", Action::Deploy);
    world.step("op-1", 0, "validate", "5 of 5 checks pass", 420);
    world.operation(OperationEvent::Files {
        id: OperationId("op-1".into()),
        changes: vec![
            FileChange {
                path: PathBuf::from("generated/nginx.conf"),
                status: FileStatus::Changed,
                diff: String::new(),
            },
            FileChange {
                path: PathBuf::from("generated/docker-compose.yml"),
                status: FileStatus::Same,
                diff: String::new(),
            },
        ],
    });
    world.step_as("op-1", 1, "wait healthy", "app-green answered 503 on /healthz for 60 s; its last words were: cannot reach the database at db:5432", 60_000, StepResult::Failed);
    world.step_as("op-1", 2, "route", "", 0, StepResult::Skipped);
    let outcome = Outcome::Failed {
        error: "app (green) not healthy after 60 s: 503 from /healthz".into(),
        state: "app-blue still serves all traffic; nothing was switched".into(),
        next: "look at `swiftdeploy logs app-green`, correct it, then deploy again".into(),
    };
    world.finish("op-1", Action::Deploy, outcome, 60_500);
    world.begin("op-2", Action::Validate);
    world.finish("op-2", Action::Validate, Outcome::Done { summary: "all five checks pass".into() }, 433);
    assert_snapshot!(world.draw(120, 40));
}

#[test]
fn disconnected() {
    assert_snapshot!(scenes::disconnected().draw(120, 36));
}

#[test]
fn a_stale_policy_engine_is_called_stale_with_what_to_do() {
    let mut world = World::stable();
    world.watch(StateEvent::Gates(vec![opa_stale()]));
    let screen = world.draw(120, 36).to_string();
    for told in ["infra STALE", "what the engine has loaded", "next: run `swiftdeploy validate`"] {
        assert!(screen.contains(told), "no {told:?} in\n{screen}");
    }
}

#[test]
fn nothing_is_shown_as_zero_when_it_is_not_known() {
    let mut world = World::failing_canary();
    world.look_at(vec![
        reading(Mode::Stable, Slot::Blue, 903, 0, 30.1, Some(41.0)),
        Reading {
            mode: Mode::Canary,
            slot: Slot::Green,
            measured: Err("metrics malformed in line 7: \u{1b}[31mnot a number".into()),
            passed: None,
        },
    ]);
    world.watch(StateEvent::Gates(vec![passing_infra(), inconclusive_canary_gate()]));
    world.keys("2z");
    assert_snapshot!(world.draw(100, 24));
}

#[test]
fn too_few_requests() {
    let mut world = World::failing_canary();
    let mut few = reading(Mode::Canary, Slot::Green, 12, 0, 0.4, None);
    few.measured.as_mut().unwrap().error_rate = None;
    world.look_at(vec![reading(Mode::Stable, Slot::Blue, 903, 0, 30.1, Some(41.0)), few]);
    world.watch(StateEvent::Gates(vec![passing_infra(), inconclusive_canary_gate()]));
    assert_snapshot!(world.draw(80, 24));
}

#[test]
fn troubled_containers_zoomed() {
    let mut world = World::failing_canary();
    let mut green = app(Slot::Green, Mode::Canary, 40);
    green.health = Health::Unhealthy("Get \"http://127.0.0.1:3000/healthz\": connection refused".into());
    green.restarts = 3;
    let mut blue = app(Slot::Blue, Mode::Stable, 400_000);
    blue.health = Health::Exited(Some(137));
    blue.oom_killed = true;
    world.watch(StateEvent::Instances(vec![blue, green]));
    world.keys("3z");
    assert_snapshot!(world.draw(110, 16));
}

#[test]
fn manifest_that_cannot_be_used() {
    let mut world = World::connected();
    let error =
        "manifest.yaml:3:3: unknown key `prot`\n   3 |   prot: 3000\n     |   ^^^^ did you mean `port`?";
    world.watch(StateEvent::Manifest(Err(error.into())));
    world.watch(StateEvent::Generated(GeneratedState::Stale));
    world.keys("1z");
    assert_snapshot!(world.draw(80, 15));
}

#[test]
fn drift_is_told_first() {
    let mut world = World::stable();
    let mut live = world.state.watch.live.clone();
    live.drift = Some("app-blue runs version 1.0.0, the manifest says 1.1.0".into());
    world.watch(StateEvent::Live(live));
    world.keys("1");
    assert_snapshot!(world.draw(80, 24));
}

#[test]
fn help() {
    assert_snapshot!(scenes::help().draw(100, 44));
}

#[test]
fn menu() {
    assert_snapshot!(scenes::menu().draw(120, 36));
}

#[test]
fn palette() {
    assert_snapshot!(scenes::palette().draw(80, 24));
}

#[test]
fn promote_chooser() {
    assert_snapshot!(scenes::promote_chooser().draw(80, 24));
}

#[test]
fn chaos_menu() {
    assert_snapshot!(scenes::chaos_menu().draw(80, 24));
}

#[test]
fn teardown_confirmation() {
    assert_snapshot!(scenes::teardown().draw(80, 24));
}

#[test]
fn logs() {
    assert_snapshot!(scenes::logs().draw(80, 24));
}

#[test]
fn logs_filtered_and_paused() {
    assert_snapshot!(scenes::filtered_logs().draw(80, 24));
}

#[test]
fn decision_in_full() {
    assert_snapshot!(scenes::decision().draw(100, 44));
}

#[test]
fn decision_with_the_rules_facts_and_limits_behind_it() {
    assert_snapshot!(scenes::explained().draw(100, 44));
}

#[test]
fn replay_of_the_recorded_decisions() {
    let asked = scenes::replaying().draw(100, 30).to_string();
    assert!(asked.contains("asking the recorded decisions again"), "{asked}");
    assert_snapshot!(scenes::replayed().draw(100, 30));
}

#[test]
fn plan() {
    assert_snapshot!(scenes::plan().draw(120, 36));
}

#[test]
fn quit_while_something_runs() {
    assert_snapshot!(scenes::leaving().draw(80, 24));
}

#[test]
fn an_announcement_is_pinned_and_earlier_ones_stay_among_the_operations() {
    let mut world = scenes::announced();
    assert_snapshot!(world.draw(120, 36));
    assert_snapshot!("an_announcement_on_a_small_screen", world.draw(80, 24));
}

#[test]
fn figures_that_are_on_their_way_are_no_fault() {
    let mut world = World::stable();
    world.look_at(vec![Reading {
        measured: Err("the window is 2062 ms, too short for one of 5000 ms".into()),
        passed: Some(Duration::from_millis(2062)),
        ..reading(Mode::Stable, Slot::Blue, 1, 0, 0.0, None)
    }]);
    let screen = world.draw(120, 36).to_string();
    assert!(screen.contains("… stable: measuring: 2 of 30 s"), "{screen}");
    assert!(!screen.contains("too short"), "{screen}");
}

#[test]
fn old_figures_go_with_what_was_measured() {
    let mut world = World::stable();
    world.watch(StateEvent::Instances(Vec::new()));
    let screen = world.draw(120, 36).to_string();
    assert!(screen.contains("nothing is deployed: d deploys"), "{screen}");
    assert!(!screen.contains("42 ms"), "{screen}");
}

#[test]
fn a_gate_that_says_no_has_no_check_mark() {
    let mut world = World::failing_canary();
    world.begin("op-2", Action::PromoteStable);
    world.step("op-2", 0, "gate canary", "FAIL by opa", 1);
    let decision = failing_canary_gate().decision.unwrap();
    world.operation(OperationEvent::Decided { id: OperationId("op-2".into()), decision: Box::new(decision) });
    let screen = world.draw(120, 36).to_string();
    assert!(screen.contains("✗ gate canary") && !screen.contains("✓ gate canary"), "{screen}");
}

#[test]
fn the_policies_revision_is_shown_where_the_engines_name_is_long() {
    let mut world = World::stable();
    let mut gate = passing_infra();
    if let Some(decision) = &mut gate.decision {
        decision.engine = EngineId {
            name: "embedded".into(),
            version: Some("regorus 0.14.1".into()),
            at: "in process".into(),
        };
    }
    world.watch(StateEvent::Gates(vec![gate]));
    let screen = world.draw(120, 36).to_string();
    assert!(screen.contains(" embedded regorus 0.14.1 · rev 3f9c2ab "), "{screen}");
}

#[test]
fn busy_toast() {
    let mut world = World::connected();
    world.deploy_running();
    world.keys("i");
    world.operation(OperationEvent::Refused {
        action: Action::Validate,
        reason: "another swiftdeploy (pid 4711, anna@workbench) runs deploy since 12:01:07; wait for it, or end it there".into(),
        is_busy: true,
    });
    assert_snapshot!(world.draw(80, 24));
}

#[test]
fn too_small() {
    assert_snapshot!(World::stable().draw(50, 12));
}

#[test]
fn the_mono_theme_draws_no_colour_and_marks_by_modifiers() {
    let mut world = World::failing_canary();
    world.state.theme = ThemeName::Mono;
    for open in ["", "m"] {
        world.keys(open);
        let backend = world.draw(120, 36);
        let cells = backend.buffer().content();
        for cell in cells {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{:?}", cell.symbol());
        }
        assert!(cells.iter().any(|cell| cell.modifier.contains(Modifier::BOLD)) || open == "m");
    }
    let cells = world.draw(120, 36).buffer().content().to_vec();
    assert!(
        cells.iter().any(|cell| cell.modifier.contains(Modifier::REVERSED)),
        "the chosen line is not marked"
    );
}

#[test]
fn no_line_of_any_screen_is_cut_without_an_ellipsis() {
    // A long project name, image and service stand for whatever people choose.
    let mut world = World::failing_canary();
    let long = "a-very-long-name-that-somebody-chose-for-the-service-and-everything-of-it";
    world.state.header.project = long.into();
    let mut green = app(Slot::Green, Mode::Canary, 40);
    green.service = long.into();
    world.watch(StateEvent::Instances(vec![green]));
    for (width, height) in [(120, 36), (80, 24)] {
        let shown = world.text(width, height);
        assert!(shown.contains("a-very-long-name-that-s…"), "{shown}");
    }
}
