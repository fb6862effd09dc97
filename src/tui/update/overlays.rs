//! Movements and answers: in what lies on top, else in the focused pane.

use crate::tui::catalog;
use crate::tui::command::{Ask, Move, Pane};
use crate::tui::effect::Effect;
use crate::tui::state::{ChaosMenu, Overlay, State, Tone};

use super::{commands, decisions};

/// Moves in what has the keys.
pub fn go(state: &mut State, step: Move) -> Vec<Effect> {
    let page = state.measured.overlay.page.max(1);
    let most = state.measured.overlay.most();
    let gates = state.watch.gates.len();
    match state.overlays.last_mut() {
        None => scroll_pane(state, step),
        Some(Overlay::Menu { selected }) => *selected = chosen(*selected, catalog::ALL.len(), page, step),
        Some(Overlay::Palette { input, selected }) => {
            *selected = chosen(*selected, catalog::matching(input.text()).len(), page, step);
        }
        Some(Overlay::Help { scroll } | Overlay::Plan { scroll }) => {
            *scroll = scrolled(*scroll, most, page, step);
        }
        Some(Overlay::Replay(view)) => view.scroll = scrolled(view.scroll, most, page, step),
        Some(Overlay::Decision(view)) => match step {
            Move::Left | Move::Right => {
                view.gate = beside(view.gate, gates, step == Move::Right);
                view.scroll = 0;
                return decisions::refresh(state);
            }
            Move::Up | Move::Down | Move::PageUp | Move::PageDown | Move::Home | Move::End => {
                view.scroll = scrolled(view.scroll, most, page, step);
            }
        },
        Some(Overlay::Promote { is_stable }) => *is_stable = step == Move::Down,
        Some(Overlay::Chaos(menu)) => match step {
            Move::Left | Move::Right => menu.change(step == Move::Right),
            Move::Up | Move::Down | Move::PageUp | Move::PageDown | Move::Home | Move::End => {
                menu.selected = chosen(menu.selected, ChaosMenu::LINES, page, step);
            }
        },
        Some(Overlay::Teardown(teardown)) => {
            teardown.scroll = scrolled(teardown.scroll, most, page, step);
        }
        Some(Overlay::Logs(_)) => return go_logs(state, step, page),
        Some(Overlay::ConfirmCancel { .. } | Overlay::ConfirmQuit { .. }) => {}
    }
    Vec::new()
}

fn go_logs(state: &mut State, step: Move, page: usize) -> Vec<Effect> {
    let generation = state.next_generation();
    let Some(Overlay::Logs(logs)) = state.overlays.last_mut() else { return Vec::new() };
    match step {
        Move::Up => logs.up(1),
        Move::Down => logs.down(1),
        Move::PageUp => logs.up(page),
        Move::PageDown => logs.down(page),
        Move::Home => logs.home(page),
        Move::End => logs.bottom = None,
        Move::Left | Move::Right => {
            let selected = beside(logs.selected, logs.services.len(), step == Move::Right);
            if selected != logs.selected {
                logs.choose(selected, generation);
                let service = logs.service().map(str::to_owned);
                return service.map(|service| Effect::OpenLogs { service, generation }).into_iter().collect();
            }
        }
    }
    Vec::new()
}

/// Yes, this one.
pub fn accept(state: &mut State) -> Vec<Effect> {
    match state.overlays.last_mut() {
        None
        | Some(Overlay::Help { .. } | Overlay::Decision(_) | Overlay::Replay(_) | Overlay::Plan { .. }) => {
            Vec::new()
        }
        Some(Overlay::Menu { selected }) => {
            let entry = catalog::ALL.get(*selected);
            state.overlays.pop();
            entry.map(|entry| commands::run(state, entry.command)).unwrap_or_default()
        }
        Some(Overlay::Palette { input, selected }) => {
            let Some(entry) = catalog::matching(input.text()).get(*selected).copied() else {
                state.toasts.show(Tone::Warn, "no such command", state.now.instant);
                return Vec::new();
            };
            state.overlays.pop();
            commands::run(state, entry.command)
        }
        Some(Overlay::Promote { is_stable }) => {
            let ask = if *is_stable { Ask::PromoteStable } else { Ask::PromoteCanary };
            commands::ask(state, ask)
        }
        Some(Overlay::Chaos(menu)) => {
            let ask =
                [Ask::Slow, Ask::Error, Ask::Kill, Ask::Recover][menu.selected.min(ChaosMenu::LINES - 1)];
            commands::ask(state, ask)
        }
        Some(Overlay::Teardown(teardown)) => {
            if let Some(action) = teardown.action() {
                commands::dispatch(state, action)
            } else {
                let text = format!("type {} to remove everything of it", teardown.project);
                state.toasts.show(Tone::Warn, text, state.now.instant);
                Vec::new()
            }
        }
        Some(Overlay::Logs(logs)) => {
            logs.is_filtering = false;
            Vec::new()
        }
        Some(Overlay::ConfirmCancel { .. }) => {
            state.overlays.pop();
            if state.activity.is_anything_running() { vec![Effect::Cancel] } else { Vec::new() }
        }
        Some(Overlay::ConfirmQuit { .. }) => commands::leave(state),
    }
}

/// Brings every scroll position back to what there is to show.
pub fn clamp(state: &mut State) {
    for pane in Pane::ALL {
        let most = state.measured.pane(pane).most();
        let scroll = &mut state.scroll[pane.index()];
        *scroll = (*scroll).min(most);
    }
    let most = state.measured.overlay.most();
    match state.overlays.last_mut() {
        Some(Overlay::Help { scroll } | Overlay::Plan { scroll }) => *scroll = (*scroll).min(most),
        Some(Overlay::Decision(view)) => view.scroll = view.scroll.min(most),
        Some(Overlay::Replay(view)) => view.scroll = view.scroll.min(most),
        Some(Overlay::Teardown(teardown)) => teardown.scroll = teardown.scroll.min(most),
        Some(
            Overlay::Menu { .. }
            | Overlay::Palette { .. }
            | Overlay::Promote { .. }
            | Overlay::Chaos(_)
            | Overlay::Logs(_)
            | Overlay::ConfirmCancel { .. }
            | Overlay::ConfirmQuit { .. },
        )
        | None => {}
    }
}

/// The activity pane hangs at its newest line, all others at their first.
fn scroll_pane(state: &mut State, step: Move) {
    let measure = state.measured.pane(state.focus);
    let scroll = &mut state.scroll[state.focus.index()];
    let step = if state.focus == Pane::Activity { mirrored(step) } else { step };
    *scroll = scrolled(*scroll, measure.most(), measure.page, step);
}

const fn mirrored(step: Move) -> Move {
    match step {
        Move::Up => Move::Down,
        Move::Down => Move::Up,
        Move::PageUp => Move::PageDown,
        Move::PageDown => Move::PageUp,
        Move::Home => Move::End,
        Move::End => Move::Home,
        Move::Left => Move::Left,
        Move::Right => Move::Right,
    }
}

/// A scroll position after a movement.
fn scrolled(scroll: usize, most: usize, page: usize, step: Move) -> usize {
    let page = page.saturating_sub(1).max(1);
    let moved = match step {
        Move::Up => scroll.saturating_sub(1),
        Move::Down => scroll + 1,
        Move::PageUp => scroll.saturating_sub(page),
        Move::PageDown => scroll + page,
        Move::Home => 0,
        Move::End => most,
        Move::Left | Move::Right => scroll,
    };
    moved.min(most)
}

/// The chosen line of a list after a movement; a single step runs around.
fn chosen(selected: usize, count: usize, page: usize, step: Move) -> usize {
    let Some(last) = count.checked_sub(1) else { return 0 };
    match step {
        Move::Up if selected == 0 => last,
        Move::Up => selected - 1,
        Move::Down if selected >= last => 0,
        Move::Down => selected + 1,
        Move::PageUp => selected.saturating_sub(page),
        Move::PageDown => (selected + page).min(last),
        Move::Home => 0,
        Move::End => last,
        Move::Left | Move::Right => selected,
    }
}

/// The item beside this one, running around.
const fn beside(index: usize, count: usize, is_next: bool) -> usize {
    if count == 0 {
        0
    } else if is_next {
        (index + 1) % count
    } else {
        (index + count - 1) % count
    }
}
