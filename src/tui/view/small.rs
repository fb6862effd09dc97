//! The screen of a terminal that is too small for anything else.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

use crate::tui::layout::SMALLEST;
use crate::tui::state::{Overlay, State};
use crate::tui::text;
use crate::tui::theme::Theme;

/// Says how large the terminal is and how large it must be, or asks whether to leave
/// what runs.
pub fn draw(state: &State, frame: &mut Frame<'_>, theme: &Theme) {
    let screen = frame.area();
    let (width, height) = SMALLEST;
    let lines = match state.overlays.last() {
        Some(Overlay::ConfirmQuit { operation }) => [
            (theme.strong, format!("{operation} is running")),
            (theme.warn, "cancel it and leave?".to_owned()),
            (theme.dim, "y yes  n no".to_owned()),
        ],
        _ => [
            (theme.strong, "make the terminal larger".to_owned()),
            (theme.text, format!("now {}x{}, needs {width}x{height}", screen.width, screen.height)),
            (theme.dim, "q quits".to_owned()),
        ],
    };
    let room = usize::from(screen.width).max(1);
    let rows = lines.iter().map(|(_, line)| text::width(line).div_ceil(room)).sum::<usize>();
    // The beginnings of all lines say more than one line in full. A word more may not
    // fit into its line.
    let is_wrapped = rows + lines.len() <= usize::from(screen.height);
    let lines: Vec<_> = lines
        .into_iter()
        .map(|(style, line)| {
            let line = if is_wrapped { line } else { text::cut(&line, room).into_owned() };
            Line::styled(line, style).centered()
        })
        .collect();
    let taken = if is_wrapped { rows } else { lines.len() };
    let above = screen.height.saturating_sub(u16::try_from(taken).unwrap_or(u16::MAX)) / 2;
    let area = Rect { y: screen.y + above, height: screen.height - above, ..screen };
    let text = Paragraph::new(lines);
    frame.render_widget(if is_wrapped { text.wrap(Wrap { trim: true }) } else { text }, area);
}
