//! Pane 5: faults made on purpose.

use ratatui::text::{Line, Span};

use crate::engine::ChaosStatus;
use crate::tui::command::Pane;
use crate::tui::keymap::{self, Mode};
use crate::tui::state::{State, chaos_obstacle};
use crate::tui::theme::Theme;
use crate::tui::{format, text};

use super::spark;

/// Where a fault would go, the keys, and the fault that is active.
pub fn lines(state: &State, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let obstacle = chaos_obstacle(state);
    let can_inject = obstacle.is_none();
    let mut lines = Vec::new();
    if let Some(obstacle) = obstacle {
        for (row, part) in text::wrap(obstacle, width.saturating_sub(4)).into_iter().enumerate() {
            let sign = if row == 0 { " ✗ " } else { "   " };
            lines.push(Line::styled(format!("{sign}{part}"), theme.warn));
        }
    } else {
        lines.push(target(state, theme));
        lines.push(Line::default());
        lines.extend(keys(theme, width));
    }
    lines.push(Line::default());
    match &state.watch.chaos {
        Some(chaos) => lines.extend(active(chaos, state, width, theme)),
        None => lines.push(Line::styled(" ○ no fault is active", theme.dim)),
    }
    if can_inject {
        lines.push(Line::default());
        let hint = if state.focus == Pane::Chaos {
            "Enter chooses values"
        } else {
            "5 for these keys, c for values"
        };
        lines.push(Line::styled(format!(" {hint}"), theme.dim));
    }
    lines
}

fn target(state: &State, theme: &Theme) -> Line<'static> {
    match state.watch.canary() {
        Some((instance, _)) => Line::from(vec![
            Span::styled(" ▲ canary ", theme.canary),
            Span::styled(format!("({})", text::clean(&instance.service)), theme.dim),
        ]),
        None => Line::styled(" looking for a canary …", theme.dim),
    }
}

/// The pane's keys from the keymap, with the values they stand for.
fn keys(theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let hints: Vec<_> = keymap::hints(Mode::Screen(Pane::Chaos))
        .into_iter()
        .filter_map(|(key, word)| {
            let value = match word {
                "slow" => " 3 s",
                "error" => " 50 %",
                "kill" | "recover" => "",
                _ => return None,
            };
            Some((key, format!("{word}{value}")))
        })
        .collect();
    let column = (width / 2).saturating_sub(3).max(12);
    hints
        .chunks(2)
        .map(|pair| {
            let spans = pair.iter().flat_map(|(key, text)| {
                [
                    Span::styled(format!(" {key} "), theme.key),
                    Span::styled(text::left(text, column), theme.text),
                ]
            });
            Line::from(spans.collect::<Vec<_>>())
        })
        .collect()
}

fn active(chaos: &ChaosStatus, state: &State, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let detail = text::clean(&chaos.detail).into_owned();
    let mut lines = vec![Line::from(vec![
        Span::styled(" ● ", theme.chaos),
        Span::styled(detail, theme.chaos),
        Span::styled(format!(" in {}", chaos.slot), theme.dim),
    ])];
    let now = state.now.wall.to_utc();
    let Some(until) = chaos.until else {
        lines.push(Line::styled("   it is not known when it ends", theme.dim));
        return lines;
    };
    let left = (until - now).num_milliseconds().max(0);
    let since = state.watch.chaos_since.unwrap_or(now);
    let whole = (until - since).num_milliseconds().max(1);
    let share = milliseconds(left) / milliseconds(whole);
    let text = format!(" {} left", format::countdown(left / 1000));
    let bar = spark::bar(share, width.saturating_sub(text.len() + 5).min(24));
    lines.push(Line::from(vec![
        Span::styled(format!("   {bar}"), theme.chaos),
        Span::styled(text, theme.text),
    ]));
    lines
}

fn milliseconds(count: i64) -> f64 {
    format::real(u64::try_from(count).unwrap_or(0))
}
