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
const COLUMNS: usize = 72;

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
            line(heading, entry, place == selected, usize::from(inside.width), theme)
        })
        .collect();
    fill(frame, inside, lines, selected)
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
        .map(|(place, entry)| line("", entry, place == selected, usize::from(inside.width), theme))
        .collect();
    if lines.is_empty() {
        lines.push(Line::styled("   no such command", theme.dim));
    }
    fill(frame, list, lines, selected)
}

/// Lines, scrolled so that the chosen one is seen.
fn fill(frame: &mut Frame<'_>, inside: Rect, lines: Vec<Line<'static>>, selected: usize) -> Measure {
    let first = (selected + 1).saturating_sub(usize::from(inside.height));
    Canvas::fill(frame, inside, lines, first)
}

fn line(heading: &'static str, entry: &Entry, is_chosen: bool, width: usize, theme: &Theme) -> Line<'static> {
    let mark = if is_chosen { "▸" } else { " " };
    let key = entry.key().unwrap_or_default();
    let about = width.saturating_sub(1 + 9 + 2 + 16 + 3 + 2);
    if is_chosen {
        let row = format!(
            " {}{mark} {} {} {} ",
            text::left(heading, 9),
            text::left(entry.name, 15),
            text::left(entry.about, about),
            text::right(&key, 2),
        );
        return Line::styled(row, theme.selected);
    }
    Line::from(vec![
        Span::styled(format!(" {}", text::left(heading, 9)), theme.dim),
        Span::styled(format!("{mark} {} ", text::left(entry.name, 15)), theme.strong),
        Span::styled(format!("{} ", text::left(entry.about, about)), theme.dim),
        Span::styled(format!("{} ", text::right(&key, 2)), theme.key),
    ])
}
