//! The menu and the command palette.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::tui::catalog::{self, Entry};
use crate::tui::state::Input;
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::view::Measure;

use super::Canvas;

/// Columns of both.
const COLUMNS: usize = 78;
/// Columns of the group's name in the menu.
const GROUP: usize = 9;

/// Everything that can be done, by group.
pub fn menu(selected: usize, frame: &mut Frame<'_>, canvas: &Canvas<'_>) -> Measure {
    let theme = canvas.theme;
    let inside = canvas.open(frame, "menu", COLUMNS, catalog::ALL.len());
    let mut group = "";
    let lines: Vec<_> = catalog::ALL
        .iter()
        .enumerate()
        .map(|(place, entry)| {
            let heading = if entry.group == group { "" } else { entry.group };
            group = entry.group;
            line(Some(heading), entry, place == selected, usize::from(inside.width), theme)
        })
        .collect();
    fill(frame, canvas, inside, lines, selected)
}

/// What matches the typed text.
pub fn palette(input: &Input, selected: usize, frame: &mut Frame<'_>, canvas: &Canvas<'_>) -> Measure {
    let theme = canvas.theme;
    let found = catalog::matching(input.text());
    let inside = canvas.open(frame, "command", COLUMNS, 16);
    let [head, list] = ratatui::layout::Layout::vertical([
        ratatui::layout::Constraint::Length(2),
        ratatui::layout::Constraint::Min(0),
    ])
    .areas(inside);
    let prompt = Line::from(vec![
        Span::styled(" : ", theme.key),
        Span::styled(input.text().to_owned(), theme.strong),
        Span::styled("▏", theme.focus),
    ]);
    Canvas::fill(frame, head, vec![prompt], 0);
    let mut lines: Vec<_> = found
        .iter()
        .enumerate()
        .map(|(place, entry)| line(None, entry, place == selected, usize::from(inside.width), theme))
        .collect();
    if lines.is_empty() {
        lines.push(Line::styled("   no such command", theme.dim));
    }
    fill(frame, canvas, list, lines, selected)
}

/// Lines, scrolled so that the chosen one is seen, with a mark where there are more.
fn fill(
    frame: &mut Frame<'_>,
    canvas: &Canvas<'_>,
    inside: Rect,
    lines: Vec<Line<'static>>,
    selected: usize,
) -> Measure {
    let first = (selected + 1).saturating_sub(usize::from(inside.height));
    canvas.read(frame, inside, lines, first)
}

fn line(
    heading: Option<&'static str>,
    entry: &Entry,
    is_chosen: bool,
    width: usize,
    theme: &Theme,
) -> Line<'static> {
    let mark = if is_chosen { "▸" } else { " " };
    let key = entry.key().unwrap_or_default();
    let group = heading.map(|heading| format!(" {}", text::left(heading, GROUP))).unwrap_or_default();
    // Mark, name and key with the blanks between them.
    let about = width.saturating_sub(text::width(&group) + 3 + 15 + 1 + 4);
    let spans = vec![
        Span::styled(group, theme.dim),
        Span::styled(format!(" {mark} {} ", text::left(entry.name, 15)), theme.strong),
        Span::styled(format!("{} ", text::left(entry.about, about)), theme.dim),
        Span::styled(format!("{} ", text::right(&key, 2)), theme.key),
    ];
    if is_chosen {
        let row: String = spans.iter().map(|span| span.content.as_ref()).collect();
        return Line::styled(row, theme.selected);
    }
    Line::from(spans)
}
