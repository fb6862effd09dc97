//! Answers to effects. Those for a view that was closed are dropped.

use crate::tui::message::Reply;
use crate::tui::state::{LogStatus, LogText, Logs, Overlay, State};
use crate::tui::text;

/// Takes an answer.
pub fn update(state: &mut State, reply: Reply) {
    match reply {
        Reply::LogLines { generation, lines } => {
            if let Some(logs) = logs(state, generation) {
                logs.status = LogStatus::Open;
                for (is_stderr, line) in lines {
                    logs.lines.push(LogText { is_stderr, text: text::clean(&line).into_owned() });
                }
            }
        }
        Reply::LogEnded { generation, error } => {
            if let Some(logs) = logs(state, generation) {
                logs.status = match error {
                    Some(error) => LogStatus::Failed(text::clean(&error).into_owned()),
                    None => LogStatus::Ended,
                };
            }
        }
        Reply::Explained { generation, explanation } => {
            for overlay in &mut state.overlays {
                if let Overlay::Decision(view) = overlay
                    && view.generation == generation
                {
                    view.explanation = Some(explanation.clone());
                }
            }
        }
        Reply::Replayed { generation, result } => {
            for overlay in &mut state.overlays {
                if let Overlay::Replay(view) = overlay
                    && view.generation == generation
                {
                    view.found = Some(result.clone());
                }
            }
        }
        Reply::Belongings { generation, result } => {
            for overlay in &mut state.overlays {
                if let Overlay::Teardown(teardown) = overlay
                    && teardown.generation == generation
                {
                    teardown.belongings = Some(result.clone());
                }
            }
        }
    }
}

/// The log viewer that asked, unless it was closed or shows another log.
fn logs(state: &mut State, generation: u64) -> Option<&mut Logs> {
    state.overlays.iter_mut().find_map(|overlay| match overlay {
        Overlay::Logs(logs) if logs.generation == generation => Some(&mut **logs),
        Overlay::Logs(_)
        | Overlay::Menu { .. }
        | Overlay::Palette { .. }
        | Overlay::Help { .. }
        | Overlay::Promote { .. }
        | Overlay::Chaos(_)
        | Overlay::Teardown(_)
        | Overlay::Decision(_)
        | Overlay::Replay(_)
        | Overlay::Plan { .. }
        | Overlay::ConfirmCancel { .. }
        | Overlay::ConfirmQuit { .. } => None,
    })
}
