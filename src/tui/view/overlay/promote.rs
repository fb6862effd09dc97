//! Canary or stable? With what each would do now.

use ratatui::Frame;
use ratatui::text::{Line, Span};

use crate::tui::state::{Promotions, State};
use crate::tui::text;
use crate::tui::view::Measure;

use super::Canvas;

/// The chooser.
pub fn draw(state: &State, is_stable: bool, frame: &mut Frame<'_>, canvas: &Canvas<'_>) -> Measure {
    let theme = canvas.theme;
    let promotions = Promotions::of(state);
    let row = |key: &'static str, name: &'static str, fate: Result<String, &'static str>, is_chosen: bool| {
        let mark = if is_chosen { "▸" } else { " " };
        let (style, about) = match fate {
            Ok(about) => (theme.text, about),
            Err(reason) => (theme.dim, format!("✗ {reason}")),
        };
        if is_chosen {
            let row = format!(" {mark} {key} {}{}", text::left(name, 9), text::left(&about, 44));
            return Line::styled(row, theme.selected);
        }
        Line::from(vec![
            Span::styled(format!(" {mark} "), theme.text),
            Span::styled(format!("{key} "), theme.key),
            Span::styled(text::left(name, 9), style),
            Span::styled(about, style),
        ])
    };
    let lines = vec![
        Line::default(),
        row("c", "canary", promotions.canary, !is_stable),
        row("s", "stable", promotions.stable, is_stable),
        Line::default(),
    ];
    let inside = canvas.open(frame, "promote", 60, lines.len());
    Canvas::fill(frame, inside, lines, 0)
}
