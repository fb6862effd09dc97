//! Questions with yes and no.

use ratatui::Frame;
use ratatui::text::{Line, Span};

use crate::tui::view::Measure;

use super::Canvas;

/// Cancel what runs?
pub fn cancel(operation: &str, frame: &mut Frame<'_>, canvas: &Canvas<'_>) -> Measure {
    ask(
        &format!("Cancel {operation}?"),
        &["It stops at its next safe point;", "what serves now keeps serving."],
        frame,
        canvas,
    )
}

/// Leave although something runs?
pub fn quit(operation: &str, frame: &mut Frame<'_>, canvas: &Canvas<'_>) -> Measure {
    ask(
        &format!("{operation} is running. Cancel it and leave?"),
        &["The stack keeps running either way.", "Ctrl-C again means yes."],
        frame,
        canvas,
    )
}

fn ask(question: &str, remarks: &[&'static str], frame: &mut Frame<'_>, canvas: &Canvas<'_>) -> Measure {
    let theme = canvas.theme;
    let mut lines = vec![
        Line::default(),
        Line::from(vec![Span::styled("  ? ", theme.warn), Span::styled(question.to_owned(), theme.strong)]),
        Line::default(),
    ];
    lines.extend(remarks.iter().map(|remark| Line::styled(format!("    {remark}"), theme.dim)));
    lines.push(Line::default());
    let inside = canvas.open(frame, "please confirm", 54, lines.len());
    Canvas::fill(frame, inside, lines, 0)
}
