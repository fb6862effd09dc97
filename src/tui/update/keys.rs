//! Keys: the keymap first, then the input that is being typed.

use crate::tui::command::Command;
use crate::tui::effect::Effect;
use crate::tui::keymap::{self, Chord, Mode};
use crate::tui::layout;
use crate::tui::state::{Input, Overlay, State};

use super::commands;

/// A key was pressed.
pub fn update(state: &mut State, chord: Chord) -> Vec<Effect> {
    if state.leaving.is_some() {
        return while_leaving(state, chord);
    }
    if layout::is_too_small(state.size) {
        return unseen(state, chord);
    }
    if let Some(command) = keymap::command(state.mode(), chord) {
        return commands::run(state, command);
    }
    if let Some(c) = chord.typed() {
        type_text(state, c.encode_utf8(&mut [0; 4]));
    }
    Vec::new()
}

/// Who has said that the app is to be left starts nothing more, and may leave at once.
fn while_leaving(state: &mut State, chord: Chord) -> Vec<Effect> {
    match keymap::command(state.mode(), chord) {
        Some(Command::Interrupt) => commands::run(state, Command::Interrupt),
        _ => Vec::new(),
    }
}

/// In a terminal that is too small nothing is done that cannot be seen: one may
/// leave, and answer the question about that, which is shown.
fn unseen(state: &mut State, chord: Chord) -> Vec<Effect> {
    let is_asked = matches!(state.overlays.last(), Some(Overlay::ConfirmQuit { .. }));
    let mode = if is_asked { state.mode() } else { Mode::Screen(state.focus) };
    match keymap::command(mode, chord) {
        Some(command) if is_asked || matches!(command, Command::Quit | Command::Interrupt) => {
            commands::run(state, command)
        }
        _ => Vec::new(),
    }
}

/// Text goes to the input on top, if there is one.
pub fn type_text(state: &mut State, text: &str) {
    if let Some(input) = input(state) {
        input.type_text(text);
        typed(state);
    }
}

/// The input that is being typed.
pub fn input(state: &mut State) -> Option<&mut Input> {
    match state.overlays.last_mut()? {
        Overlay::Palette { input, .. } => Some(input),
        Overlay::Teardown(teardown) => Some(&mut teardown.input),
        Overlay::Logs(logs) if logs.is_filtering => Some(&mut logs.filter),
        Overlay::Menu { .. }
        | Overlay::Help { .. }
        | Overlay::Promote { .. }
        | Overlay::Chaos(_)
        | Overlay::Logs(_)
        | Overlay::Decision(_)
        | Overlay::Replay(_)
        | Overlay::Plan { .. }
        | Overlay::ConfirmCancel { .. }
        | Overlay::ConfirmQuit { .. } => None,
    }
}

/// After the input changed, a list that it filters begins at its best line.
pub fn typed(state: &mut State) {
    if let Some(Overlay::Palette { selected, .. }) = state.overlays.last_mut() {
        *selected = 0;
    }
}
