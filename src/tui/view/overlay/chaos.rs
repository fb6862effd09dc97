//! Which fault, with which values?

use ratatui::Frame;
use ratatui::text::{Line, Span};

use crate::tui::state::{ChaosMenu, State};
use crate::tui::view::Measure;
use crate::tui::{format, text};

use super::Canvas;

/// The chaos menu.
pub fn draw(state: &State, menu: &ChaosMenu, frame: &mut Frame<'_>, canvas: &Canvas<'_>) -> Measure {
    let theme = canvas.theme;
    let slow = ChaosMenu::SLOW[menu.slow.min(ChaosMenu::SLOW.len() - 1)];
    let rate = ChaosMenu::RATE[menu.rate.min(ChaosMenu::RATE.len() - 1)];
    let rows = [
        ("s", "slow", format!("‹ {} s ›", format::trimmed(slow, 1)), "added to every answer"),
        ("e", "error", format!("‹ {} ›", format::percent(rate)), "of the answers are a 500"),
        ("k", "kill", String::new(), "end the process, as a crash would"),
        ("x", "recover", String::new(), "no fault any more"),
    ];
    let mut lines = vec![Line::default()];
    for (place, (key, name, value, about)) in rows.into_iter().enumerate() {
        let mark = if place == menu.selected { "▸" } else { " " };
        if place == menu.selected {
            let row = format!(
                " {mark} {key} {}{}{}",
                text::left(name, 9),
                text::left(&value, 11),
                text::left(about, 35)
            );
            lines.push(Line::styled(row, theme.selected));
            continue;
        }
        lines.push(Line::from(vec![
            Span::styled(format!(" {mark} "), theme.text),
            Span::styled(format!("{key} "), theme.key),
            Span::styled(text::left(name, 9), theme.text),
            Span::styled(text::left(&value, 11), theme.strong),
            Span::styled(about, theme.dim),
        ]));
    }
    lines.push(Line::default());
    lines.push(Line::from(vec![
        Span::styled("     lasts    ", theme.dim),
        Span::styled(text::left(&format!("‹ {} ›", format::setting(menu.lasting())), 11), theme.strong),
        Span::styled("then ends by itself", theme.dim),
    ]));
    lines.push(Line::default());
    let title = match state.watch.canary() {
        Some((instance, _)) => format!("chaos · canary ({})", text::clean(&instance.service)),
        None => "chaos · canary".to_owned(),
    };
    let inside = canvas.open(frame, &title, 62, lines.len());
    Canvas::fill(frame, inside, lines, 0)
}
