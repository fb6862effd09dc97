//! The last plan: files with their differences, what would start and stop,
//! what the gates say.

use ratatui::Frame;
use ratatui::text::{Line, Span};

use crate::engine::{FileStatus, PlanReport};
use crate::tui::state::State;
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::view::{Measure, policy};

use super::Canvas;

/// Columns of the box.
const COLUMNS: usize = 96;

/// The last plan.
pub fn draw(state: &State, scroll: usize, frame: &mut Frame<'_>, canvas: &Canvas<'_>) -> Measure {
    let theme = canvas.theme;
    let lines = match &state.activity.plan {
        Some(plan) => lines(plan, theme),
        None => vec![Line::styled(" no plan was made yet", theme.dim)],
    };
    let inside = canvas.open(frame, "plan · what deploy would do; nothing was changed", COLUMNS, lines.len());
    canvas.read(frame, inside, lines, scroll)
}

fn lines(plan: &PlanReport, theme: &Theme) -> Vec<Line<'static>> {
    let heading = |title: &'static str| Line::styled(format!(" {title}"), theme.title_focus);
    let mut lines = vec![heading("files")];
    for change in &plan.files {
        let (sign, word, style) = match change.status {
            FileStatus::New => ("+", "new", theme.ok),
            FileStatus::Changed => ("~", "changed", theme.warn),
            FileStatus::Same => ("=", "as it should be", theme.dim),
        };
        let path = text::clean(&change.path.display().to_string()).into_owned();
        lines.push(Line::from(vec![
            Span::styled(format!("   {sign} "), style),
            Span::styled(text::left(&path, 36), theme.text),
            Span::styled(word, style),
        ]));
        lines.extend(text::clean_lines(&change.diff).map(|line| {
            let style = match line.chars().next() {
                Some('+') => theme.ok,
                Some('-') => theme.fail,
                Some('@') => theme.spark,
                _ => theme.dim,
            };
            Line::styled(format!("       {line}"), style)
        }));
    }
    for (title, names, sign, style) in [
        ("start", &plan.start, "+", theme.ok),
        ("replace", &plan.replace, "!", theme.fail),
        ("stop", &plan.stop, "-", theme.fail),
    ] {
        // Rare, and then it matters: a heading that mostly says nothing would be
        // read over.
        if title == "replace" && names.is_empty() {
            continue;
        }
        lines.push(Line::default());
        lines.push(heading(title));
        if names.is_empty() {
            lines.push(Line::styled("   nothing", theme.dim));
        }
        for name in names {
            let parts = text::wrap(&text::clean(name), COLUMNS - 8);
            lines.extend(parts.into_iter().enumerate().map(|(number, part)| {
                let sign = if number == 0 { sign } else { " " };
                Line::from(vec![Span::styled(format!("   {sign} "), style), Span::styled(part, theme.text)])
            }));
        }
    }
    lines.push(Line::default());
    lines.push(heading("policy now"));
    if plan.decisions.is_empty() {
        lines.push(Line::styled("   no gate was asked", theme.dim));
    }
    for decision in &plan.decisions {
        let (sign, style) = policy::sign(decision.verdict, theme);
        lines.push(Line::from(vec![
            Span::styled(format!("   {sign} "), style),
            Span::styled(format!("{} ", text::clean(&decision.gate)), theme.strong),
            Span::styled(decision.word(), style),
        ]));
        let fault = decision.fault.as_ref().map(ToString::to_string);
        for reason in decision.reasons.iter().chain(fault.as_ref()) {
            let parts = text::wrap(&text::clean(reason), COLUMNS - 8);
            lines.extend(parts.into_iter().map(|part| Line::styled(format!("       {part}"), theme.text)));
        }
    }
    lines
}
