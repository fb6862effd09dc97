//! Short messages, above the footer to the right.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Paragraph};

use crate::tui::state::{State, Toast, Tone};
use crate::tui::text;
use crate::tui::theme::Theme;

use super::panel::cut_line;

/// Widest text of a message.
const WIDEST: usize = 56;
/// Longest message in lines.
const LONGEST: usize = 5;

/// Where messages may be.
pub struct Room {
    /// Between header and footer.
    pub body: Rect,
    /// The last row.
    pub footer: Rect,
    /// A question, which no message may cover.
    pub question: Option<Rect>,
}

/// Draws the messages, the newest lowest.
pub fn draw(state: &State, frame: &mut Frame<'_>, room: &Room, theme: &Theme) {
    let body = room.body;
    let mut below = body.bottom();
    for toast in state.toasts.shown().iter().rev() {
        let widest = WIDEST.min(usize::from(body.width.saturating_sub(8)));
        let mut lines = text::wrap(&toast.text, widest);
        if lines.len() > LONGEST {
            lines.truncate(LONGEST);
            if let Some(last) = lines.last_mut() {
                *last = text::cut(&format!("{last} …"), widest).into_owned();
            }
        }
        let width = lines.iter().map(|line| text::width(line)).max().unwrap_or(0) + 6;
        let width = u16::try_from(width).unwrap_or(u16::MAX);
        let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
        if below < body.y + height || width + 1 > body.width {
            return;
        }
        below -= height;
        let area = Rect { x: body.right() - width - 1, y: below, width, height };
        if room.question.is_some_and(|question| question.intersects(area)) {
            if below + height == body.bottom() {
                in_a_row(state, frame, room.footer, theme);
            }
            return;
        }
        one(toast, &lines, frame, area, theme);
    }
}

/// The newest message in the place of the keys, which are not those of a question.
fn in_a_row(state: &State, frame: &mut Frame<'_>, row: Rect, theme: &Theme) {
    let Some(toast) = state.toasts.shown().last() else { return };
    let (sign, style) = look(toast, theme);
    let line = Line::from(vec![
        Span::styled(format!(" {sign} "), style),
        Span::styled(toast.text.clone(), theme.text),
    ]);
    frame.render_widget(Clear, row);
    frame.render_widget(Paragraph::new(cut_line(line, usize::from(row.width))), row);
}

/// Sign and style of a message.
const fn look(toast: &Toast, theme: &Theme) -> (&'static str, Style) {
    match toast.tone {
        Tone::Info => ("i", theme.focus),
        Tone::Warn => ("!", theme.warn),
        Tone::Fail => ("✗", theme.fail),
    }
}

fn one(toast: &Toast, lines: &[String], frame: &mut Frame<'_>, area: Rect, theme: &Theme) {
    let (sign, style) = look(toast, theme);
    let block = Block::bordered().border_type(BorderType::Rounded).border_style(style);
    let inner = block.inner(area);
    let lines: Vec<_> = lines
        .iter()
        .enumerate()
        .map(|(row, line)| {
            let sign = if row == 0 { sign } else { " " };
            Line::from(vec![Span::styled(format!(" {sign} "), style), Span::styled(line.clone(), theme.text)])
        })
        .collect();
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    frame.render_widget(Paragraph::new(lines), inner);
}
