//! Commands: what a key, a menu line or a palette line asks for.

use std::time::Duration;

use crate::engine::{Action, ChaosFault, LoadPlan};
use crate::tui::command::{Ask, Command, LogCommand, Open, Pane};
use crate::tui::effect::Effect;
use crate::tui::state::{
    ChaosMenu, DecisionView, Input, Logs, Overlay, Promotions, ReplayView, State, Teardown, Tone,
    chaos_obstacle,
};
use crate::tui::theme::ThemeName;

use super::{decisions, keys, overlays};

/// How long leaving waits for the operation that was cancelled for it.
const LEAVE_GRACE: Duration = Duration::from_mins(1);

/// Does what is asked for.
pub fn run(state: &mut State, command: Command) -> Vec<Effect> {
    match command {
        Command::Ask(ask) => self::ask(state, ask),
        Command::Open(what) => open(state, what),
        Command::Focus(pane) => focus(state, pane),
        Command::FocusNext => focus(state, state.focus.next()),
        Command::FocusPrevious => focus(state, state.focus.previous()),
        Command::Zoom => {
            state.is_zoomed = !state.is_zoomed;
            Vec::new()
        }
        Command::Move(step) => overlays::go(state, step),
        Command::Accept => overlays::accept(state),
        Command::Back => back(state),
        Command::Log(command) => log(state, command),
        Command::ToggleClean => {
            if let Some(Overlay::Teardown(teardown)) = state.overlays.last_mut() {
                teardown.clean = !teardown.clean;
            }
            Vec::new()
        }
        Command::Longer => change_lasting(state, true),
        Command::Shorter => change_lasting(state, false),
        Command::Erase => {
            if let Some(input) = keys::input(state) {
                input.erase();
                keys::typed(state);
            }
            Vec::new()
        }
        Command::EraseAll => {
            if let Some(input) = keys::input(state) {
                input.clear();
                keys::typed(state);
            }
            Vec::new()
        }
        Command::NextTheme => {
            next_theme(state);
            Vec::new()
        }
        Command::Repaint => vec![Effect::Repaint],
        Command::Suspend => vec![Effect::Suspend],
        Command::Quit => quit(state),
        Command::Interrupt => interrupt(state),
    }
}

/// Asks the engine, unless it is plain that it cannot be done now.
pub fn ask(state: &mut State, ask: Ask) -> Vec<Effect> {
    let action = action(state, ask);
    if let Some(obstacle) = obstacle(state, ask) {
        state.toasts.show(Tone::Warn, obstacle, state.now.instant);
        return Vec::new();
    }
    dispatch(state, action)
}

/// Hands an action to the engine; while another one changes things, says so.
pub fn dispatch(state: &mut State, action: Action) -> Vec<Effect> {
    if let Some(blocking) = state.activity.blocking(&action) {
        let text = format!("busy: {} is running (Esc to cancel)", blocking.action.name());
        state.toasts.show(Tone::Warn, text, state.now.instant);
        return Vec::new();
    }
    // What asked is done with; a log that was being read stays open below.
    let closes = matches!(
        state.overlays.last(),
        Some(Overlay::Promote { .. } | Overlay::Chaos(_) | Overlay::Teardown(_))
    );
    if closes {
        state.overlays.pop();
    }
    vec![Effect::Dispatch(action)]
}

/// The action that is meant, with the values of the chaos menu when it is open.
fn action(state: &State, ask: Ask) -> Action {
    let chaos = match state.overlays.last() {
        Some(Overlay::Chaos(menu)) => menu.clone(),
        _ => ChaosMenu::default(),
    };
    match ask {
        Ask::Init => Action::Init { check: false },
        Ask::CheckInit => Action::Init { check: true },
        Ask::Validate => Action::Validate,
        Ask::Plan => Action::Plan,
        Ask::Deploy => Action::Deploy,
        Ask::PromoteCanary => Action::PromoteCanary,
        Ask::PromoteStable => Action::PromoteStable,
        Ask::Rollback => Action::Rollback,
        Ask::Slow => Action::Chaos(chaos.slow()),
        Ask::Error => Action::Chaos(chaos.error()),
        Ask::Kill => Action::Chaos(ChaosFault::Kill),
        Ask::Recover => Action::Chaos(ChaosFault::Recover),
        Ask::Load(rps, seconds) => {
            Action::Load(LoadPlan { rps, lasting: Duration::from_secs(u64::from(seconds)) })
        }
        Ask::Probe => Action::Load(probe(state)),
        Ask::Audit => Action::ExportAudit { out: None },
    }
}

/// The load that brings as many requests as a verdict on the canary needs, with
/// the part of the traffic that it has.
fn probe(state: &State) -> LoadPlan {
    let Some(manifest) = state.watch.manifest() else { return LoadPlan::default() };
    let decision =
        state.watch.gates.iter().find(|view| view.gate == "canary").and_then(|view| view.decision.as_ref());
    let share = state.watch.canary().and_then(|(_, slot)| state.watch.share(slot)).unwrap_or(100);
    LoadPlan::to_decide(manifest, decision, share)
}

/// Why it makes no sense to ask now.
fn obstacle(state: &State, ask: Ask) -> Option<&'static str> {
    match ask {
        Ask::PromoteCanary => Promotions::of(state).canary.err(),
        Ask::PromoteStable => Promotions::of(state).stable.err(),
        Ask::Slow | Ask::Error | Ask::Kill => chaos_obstacle(state),
        // A fault may outlive what we know; recovering is always worth a try.
        Ask::Recover
        | Ask::Init
        | Ask::CheckInit
        | Ask::Validate
        | Ask::Plan
        | Ask::Deploy
        | Ask::Rollback
        | Ask::Load(..)
        | Ask::Probe
        | Ask::Audit => None,
    }
}

fn open(state: &mut State, what: Open) -> Vec<Effect> {
    match what {
        Open::Menu => state.overlays.push(Overlay::Menu { selected: 0 }),
        Open::Palette => state.overlays.push(Overlay::Palette { input: Input::default(), selected: 0 }),
        Open::Help => state.overlays.push(Overlay::Help { scroll: 0 }),
        Open::Promote => {
            let promotions = Promotions::of(state);
            let is_stable = promotions.canary.is_err() && promotions.stable.is_ok();
            state.overlays.push(Overlay::Promote { is_stable });
        }
        Open::Chaos => match chaos_obstacle(state) {
            Some(obstacle) => state.toasts.show(Tone::Warn, obstacle, state.now.instant),
            None => state.overlays.push(Overlay::Chaos(ChaosMenu::default())),
        },
        Open::Teardown => return open_teardown(state),
        Open::Logs => return open_logs(state),
        Open::Decision => {
            // The one that fails is the one that is asked about.
            let failing = |view: &crate::engine::GateView| view.decision.as_ref().is_some_and(|d| !d.allow);
            let gate = state.watch.gates.iter().position(failing).unwrap_or(0);
            if state.watch.gates.is_empty() {
                state.toasts.show(Tone::Info, "no gate was asked yet", state.now.instant);
            } else {
                let view = DecisionView { gate, ..DecisionView::default() };
                state.overlays.push(Overlay::Decision(Box::new(view)));
                return decisions::refresh(state);
            }
        }
        Open::Replay => {
            let generation = state.next_generation();
            let view = ReplayView { scroll: 0, generation, found: None };
            state.overlays.push(Overlay::Replay(Box::new(view)));
            return vec![Effect::Replay { generation }];
        }
        Open::Plan => {
            if state.activity.plan.is_some() {
                state.overlays.push(Overlay::Plan { scroll: 0 });
            } else {
                state.toasts.show(Tone::Info, "no plan was made yet: `:` plan makes one", state.now.instant);
            }
        }
    }
    Vec::new()
}

fn open_teardown(state: &mut State) -> Vec<Effect> {
    let generation = state.next_generation();
    state.overlays.push(Overlay::Teardown(Teardown {
        project: state.header.project.clone(),
        input: Input::default(),
        clean: false,
        generation,
        belongings: None,
        scroll: 0,
    }));
    vec![Effect::ListBelongings { generation }]
}

fn open_logs(state: &mut State) -> Vec<Effect> {
    let services: Vec<_> = state.watch.instances().iter().map(|instance| instance.service.clone()).collect();
    let Some(first) = services.first().cloned() else {
        state.toasts.show(Tone::Info, "nothing runs, so there are no logs", state.now.instant);
        return Vec::new();
    };
    let generation = state.next_generation();
    state.overlays.push(Overlay::Logs(Box::new(Logs::new(services, 0, generation))));
    vec![Effect::OpenLogs { service: first, generation }]
}

fn focus(state: &mut State, pane: Pane) -> Vec<Effect> {
    state.focus = pane;
    match pane {
        Pane::Manifest | Pane::Containers | Pane::Chaos => state.tab = pane,
        Pane::Traffic | Pane::Policy | Pane::Activity => {}
    }
    Vec::new()
}

/// Away with what is on top; then the zoom; then what runs.
fn back(state: &mut State) -> Vec<Effect> {
    if let Some(Overlay::Logs(logs)) = state.overlays.last_mut()
        && logs.is_filtering
    {
        logs.is_filtering = false;
        logs.filter.clear();
        return Vec::new();
    }
    match state.overlays.pop() {
        Some(Overlay::Logs(_)) => return vec![Effect::CloseLogs],
        Some(_) => return Vec::new(),
        None => {}
    }
    if let Some(running) = state.activity.running() {
        let operation = running.action.name();
        state.overlays.push(Overlay::ConfirmCancel { operation });
    } else {
        state.is_zoomed = false;
    }
    Vec::new()
}

fn log(state: &mut State, command: LogCommand) -> Vec<Effect> {
    if let Some(Overlay::Logs(logs)) = state.overlays.last_mut() {
        match command {
            LogCommand::Follow => logs.toggle_follow(),
            LogCommand::Filter => logs.is_filtering = true,
            LogCommand::Wrap => logs.is_wrapped = !logs.is_wrapped,
        }
    }
    Vec::new()
}

fn change_lasting(state: &mut State, is_up: bool) -> Vec<Effect> {
    if let Some(Overlay::Chaos(menu)) = state.overlays.last_mut() {
        menu.change_lasting(is_up);
    }
    Vec::new()
}

fn next_theme(state: &mut State) {
    if state.no_color {
        // Any colour command under NO_COLOR would reset the modifiers, see `theme`.
        state.toasts.show(Tone::Info, "colours are off: NO_COLOR or --no-color", state.now.instant);
        return;
    }
    state.theme = state.theme.next();
    let name: ThemeName = state.theme;
    state.toasts.show(Tone::Info, format!("theme: {}", name.as_str()), state.now.instant);
}

fn quit(state: &mut State) -> Vec<Effect> {
    match state.activity.running() {
        Some(running) => {
            let operation = running.action.name();
            state.overlays.push(Overlay::ConfirmQuit { operation });
            Vec::new()
        }
        None => vec![Effect::Quit],
    }
}

/// Ctrl-C: asks; the second one cancels and leaves; the third one leaves at
/// once.
fn interrupt(state: &mut State) -> Vec<Effect> {
    if state.leaving.is_some() {
        vec![Effect::Quit]
    } else if matches!(state.overlays.last(), Some(Overlay::ConfirmQuit { .. })) {
        leave(state)
    } else {
        quit(state)
    }
}

/// Cancels what runs and leaves when it has ended.
pub fn leave(state: &mut State) -> Vec<Effect> {
    state.overlays.pop();
    let Some(running) = state.activity.running() else { return vec![Effect::Quit] };
    let text = format!("cancelling {}, then leaving (Ctrl-C leaves at once)", running.action.name());
    state.toasts.show(Tone::Warn, text, state.now.instant);
    state.leaving = Some(state.now.instant + LEAVE_GRACE);
    vec![Effect::Cancel]
}
