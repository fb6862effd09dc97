//! The last row: keys, from the keymap.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use crate::tui::keymap::{self, Mode};
use crate::tui::text;
use crate::tui::theme::Theme;

/// Hints that stay when there is no room for all.
const ALWAYS: [&str; 3] = ["menu", "help", "quit"];

/// Draws the keys of the screen; what lies on top has its keys in its border.
pub fn draw(frame: &mut Frame<'_>, area: Rect, theme: &Theme) {
    frame.render_widget(Paragraph::new(line(keymap::operations(), usize::from(area.width), theme)), area);
}

/// As many hints as there is room for.
fn line(hints: Vec<(String, &'static str)>, width: usize, theme: &Theme) -> Line<'static> {
    let size = |(key, word): &(String, &'static str)| text::width(key) + 1 + word.len() + 2;
    let has_room = hints.iter().map(size).sum::<usize>() < width;
    let (pinned, others): (Vec<_>, Vec<_>) =
        hints.into_iter().partition(|(_, word)| !has_room && ALWAYS.contains(word));
    let kept: usize = pinned.iter().map(size).sum();
    let mut room = width.saturating_sub(kept + 1);
    let mut spans = vec![Span::raw(" ")];
    let fitting = others.into_iter().take_while(|hint| {
        let fits = size(hint) <= room;
        room = room.saturating_sub(size(hint));
        fits
    });
    for (key, word) in fitting.collect::<Vec<_>>().into_iter().chain(pinned) {
        spans.push(Span::styled(key, theme.key));
        spans.push(Span::styled(format!(" {word}  "), theme.dim));
    }
    Line::from(spans)
}

/// The keys of a mode for the border of what lies on top.
#[must_use]
pub fn border(mode: Mode, theme: &Theme) -> Line<'static> {
    let mut spans = Vec::new();
    for (key, word) in keymap::hints(mode) {
        spans.push(Span::raw(" "));
        spans.push(Span::styled(key, theme.key));
        spans.push(Span::styled(format!(" {word} "), theme.dim));
    }
    Line::from(spans)
}
