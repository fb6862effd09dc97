//! Really remove everything? Lists exactly what goes and wants the name.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::text::{Line, Span};

use crate::tui::state::{State, Teardown};
use crate::tui::text;
use crate::tui::view::Measure;

use super::Canvas;

/// Columns of the dialog.
const COLUMNS: usize = 64;
/// Most lines of the list that are shown at a time.
const LIST: usize = 14;

/// The teardown dialog.
pub fn draw(state: &State, teardown: &Teardown, frame: &mut Frame<'_>, canvas: &Canvas<'_>) -> Measure {
    let theme = canvas.theme;
    let project = text::clean(&teardown.project).into_owned();
    let list = list(teardown, canvas);
    let shown = list.len().min(LIST);
    let title = format!("teardown · {project} on {}", state.header.target);
    let inside = canvas.open(frame, &title, COLUMNS, shown + 8);
    let areas: [_; 3] =
        Layout::vertical([Constraint::Length(2), Constraint::Min(1), Constraint::Length(6)]).areas(inside);

    let head = match &teardown.belongings {
        Some(Ok(names)) if names.is_empty() => " Nothing of this project is there.".to_owned(),
        Some(Ok(names)) => format!(" This removes {} objects and nothing else:", names.len()),
        Some(Err(_)) => " What would go could not be found out:".to_owned(),
        None => " Looking what would go …".to_owned(),
    };
    Canvas::fill(frame, areas[0], vec![Line::styled(head, theme.strong)], 0);
    let measure = Canvas::fill(frame, areas[1], list, teardown.scroll);

    let clean = if teardown.clean { "[✓]" } else { "[ ]" };
    let is_typed = teardown.action().is_some();
    let (sign, style) = if is_typed { ("✓ Enter removes", theme.fail) } else { ("", theme.dim) };
    let below = measure.content.saturating_sub(measure.page + teardown.scroll.min(measure.most()));
    let more = if below > 0 { format!("   … {below} more (↓)") } else { String::new() };
    let foot = vec![
        Line::styled(more, theme.dim),
        Line::from(vec![
            Span::styled(format!(" {clean} "), theme.key),
            Span::styled("the generated files too", theme.text),
            Span::styled("  (Tab)", theme.dim),
        ]),
        Line::default(),
        Line::from(vec![
            Span::styled(" Type ", theme.text),
            Span::styled(project, theme.strong),
            Span::styled(" to confirm:", theme.text),
        ]),
        Line::from(vec![
            Span::styled(" > ", theme.key),
            Span::styled(teardown.input.text().to_owned(), theme.strong),
            Span::styled("▏", theme.focus),
            Span::styled(format!("  {sign}"), style),
        ]),
    ];
    Canvas::fill(frame, areas[2], foot, 0);
    measure
}

/// What would go.
fn list(teardown: &Teardown, canvas: &Canvas<'_>) -> Vec<Line<'static>> {
    let theme = canvas.theme;
    match &teardown.belongings {
        Some(Ok(names)) => names
            .iter()
            .map(|name| {
                let name = text::clean(name).into_owned();
                Line::from(vec![Span::styled("   - ", theme.fail), Span::styled(name, theme.text)])
            })
            .collect(),
        Some(Err(error)) => text::wrap(&text::clean(error), COLUMNS - 6)
            .into_iter()
            .map(|part| Line::styled(format!("   {part}"), theme.warn))
            .collect(),
        None => Vec::new(),
    }
}
