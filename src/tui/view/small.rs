//! The screen of a terminal that is too small for anything else.

use ratatui::Frame;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use crate::tui::layout::{self, SMALLEST};
use crate::tui::text;
use crate::tui::theme::Theme;

/// Says how large the terminal is and how large it must be.
pub fn draw(frame: &mut Frame<'_>, theme: &Theme) {
    let screen = frame.area();
    let (width, height) = SMALLEST;
    let lines = [
        (theme.strong, "make the terminal larger".to_owned()),
        (theme.text, format!("now {}x{}, needs {width}x{height}", screen.width, screen.height)),
        (theme.dim, "q quits".to_owned()),
    ];
    let room = usize::from(screen.width);
    let lines: Vec<_> = lines
        .into_iter()
        .map(|(style, line)| Line::styled(text::cut(&line, room).into_owned(), style).centered())
        .collect();
    frame.render_widget(Paragraph::new(lines), layout::centred(screen, screen.width, 3));
}
