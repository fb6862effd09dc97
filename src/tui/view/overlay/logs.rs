//! The log viewer. The line at the bottom is the anchor, so that new lines do
//! not move what is being read.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::text::{Line, Span};

use crate::tui::state::{LogStatus, LogText, Logs};
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::view::{Measure, panel};

use super::Canvas;

/// The log viewer, over the whole body.
pub fn draw(logs: &Logs, frame: &mut Frame<'_>, canvas: &Canvas<'_>) -> Measure {
    let theme = canvas.theme;
    let inside = canvas.open(frame, "logs", usize::from(canvas.body.width), usize::from(canvas.body.height));
    let [head, list] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(inside);
    let width = usize::from(inside.width);
    let header = panel::cut_line(tabs(logs, theme), width.saturating_sub(30));
    frame.render_widget(header, head);
    frame.render_widget(status(logs, theme).right_aligned(), head);

    let height = usize::from(list.height);
    let mut rows = Vec::new();
    for (_, line) in logs.upwards() {
        if rows.len() >= height {
            break;
        }
        let wrapped = lines(line, logs, width, theme);
        rows.extend(wrapped.into_iter().rev());
    }
    rows.truncate(height);
    rows.reverse();
    if rows.is_empty() {
        let text = match &logs.status {
            LogStatus::Opening => "waiting for the first line …".to_owned(),
            LogStatus::Open | LogStatus::Ended if logs.lines.is_empty() => "the log is empty".to_owned(),
            LogStatus::Open | LogStatus::Ended => "no line contains this".to_owned(),
            LogStatus::Failed(error) => format!("✗ {error}"),
        };
        rows.extend(
            text::wrap(&text, width.saturating_sub(2))
                .into_iter()
                .map(|part| Line::styled(format!(" {part}"), theme.dim)),
        );
    }
    panel::render(frame, list, rows, 0);
    Measure { content: height, page: height }
}

fn tabs(logs: &Logs, theme: &Theme) -> Line<'static> {
    let mut spans = vec![Span::raw(" ")];
    for (place, service) in logs.services.iter().enumerate() {
        let name = text::clean(service).into_owned();
        if place == logs.selected {
            spans.push(Span::styled(format!("▸{name} "), theme.selected));
        } else {
            spans.push(Span::styled(format!(" {name} "), theme.dim));
        }
        spans.push(Span::raw(" "));
    }
    Line::from(spans)
}

/// The filter and whether new lines are followed.
fn status(logs: &Logs, theme: &Theme) -> Line<'static> {
    let mut spans = Vec::new();
    if logs.is_filtering || !logs.filter.text().is_empty() {
        spans.push(Span::styled("/", theme.key));
        spans.push(Span::styled(text::cut(logs.filter.text(), 14).into_owned(), theme.strong));
        spans.push(Span::styled(if logs.is_filtering { "▏ " } else { "  " }, theme.focus));
    }
    let (word, style) = match (&logs.status, logs.bottom) {
        (LogStatus::Opening, _) => ("◌ opening", theme.dim),
        (LogStatus::Ended, _) => ("■ ended", theme.dim),
        (LogStatus::Failed(_), _) => ("✗ failed", theme.fail),
        (LogStatus::Open, None) => ("● following", theme.ok),
        (LogStatus::Open, Some(_)) => ("‖ paused", theme.warn),
    };
    spans.push(Span::styled(word, style));
    spans.push(Span::raw(" "));
    Line::from(spans)
}

/// A line of the log, broken or cut.
fn lines(line: &LogText, logs: &Logs, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let (sign, style) = if line.is_stderr { ("! ", theme.warn) } else { ("  ", theme.text) };
    let room = width.saturating_sub(3);
    let parts = if logs.is_wrapped { text::wrap(&line.text, room) } else { vec![line.text.clone()] };
    parts
        .into_iter()
        .enumerate()
        .map(|(row, part)| {
            let sign = if row == 0 { sign } else { "  " };
            let mut spans = vec![Span::styled(sign, style)];
            spans.extend(
                marked(&part, logs.filter.text()).into_iter().map(|(text, is_found)| {
                    Span::styled(text, if is_found { theme.found } else { theme.text })
                }),
            );
            Line::from(spans)
        })
        .collect()
}

/// The text in parts: what the filter found, and the rest.
fn marked(line: &str, wanted: &str) -> Vec<(String, bool)> {
    // Lower case can change the length of a text; then nothing is marked.
    let lower = line.to_lowercase();
    let wanted = wanted.to_lowercase();
    if wanted.is_empty() || lower.len() != line.len() {
        return vec![(line.to_owned(), false)];
    }
    let mut parts = Vec::new();
    let mut rest = 0;
    for (start, found) in lower.match_indices(&wanted) {
        let end = start + found.len();
        let (Some(before), Some(hit)) = (line.get(rest..start), line.get(start..end)) else { break };
        parts.push((before.to_owned(), false));
        parts.push((hit.to_owned(), true));
        rest = end;
    }
    parts.push((line.get(rest..).unwrap_or_default().to_owned(), false));
    parts
}
