//! Keys: the keymap first, then the input that is being typed.

use crate::tui::effect::Effect;
use crate::tui::keymap::{self, Chord};
use crate::tui::state::{Input, Overlay, State};

use super::commands;

/// A key was pressed.
pub fn update(state: &mut State, chord: Chord) -> Vec<Effect> {
    if let Some(command) = keymap::command(state.mode(), chord) {
        return commands::run(state, command);
    }
    if let Some(c) = chord.typed() {
        type_text(state, c.encode_utf8(&mut [0; 4]));
    }
    Vec::new()
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
