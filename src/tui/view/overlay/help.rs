//! All keys, from the keymap.

use ratatui::Frame;
use ratatui::text::{Line, Span};

use crate::tui::keymap;
use crate::tui::text;
use crate::tui::view::Measure;

use super::Canvas;

/// Columns of the keys; long rows (`1 2 3 4 5 6`) set it.
const KEYS: usize = 14;

/// All keys.
pub fn draw(scroll: usize, frame: &mut Frame<'_>, canvas: &Canvas<'_>) -> Measure {
    let theme = canvas.theme;
    let mut lines = Vec::new();
    for section in keymap::help() {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::styled(format!(" {}", section.title), theme.title_focus));
        for (keys, help) in section.rows {
            lines.push(Line::from(vec![
                Span::styled(format!("   {} ", text::left(&keys, KEYS)), theme.key),
                Span::styled(help, theme.text),
            ]));
        }
    }
    lines.push(Line::default());
    lines.push(Line::styled(
        " The mouse is left to the terminal, so text can be selected and copied.",
        theme.dim,
    ));
    let title = format!("help · all keys · swiftdeploy {}", env!("CARGO_PKG_VERSION"));
    let inside = canvas.open(frame, &title, 78, lines.len());
    canvas.read(frame, inside, lines, scroll)
}
