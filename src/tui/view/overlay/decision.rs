//! A decision in full: checks, violations, reasons, the facts as sent and the
//! answer as received.

use ratatui::Frame;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use serde_json::Value;

use crate::policy::Decision;
use crate::tui::state::State;
use crate::tui::theme::Theme;
use crate::tui::view::{Measure, policy};
use crate::tui::{format, text};

use super::Canvas;

/// Columns of the box.
const COLUMNS: usize = 88;

/// The decision of one gate.
pub fn draw(
    state: &State,
    gate: usize,
    scroll: usize,
    frame: &mut Frame<'_>,
    canvas: &Canvas<'_>,
) -> Measure {
    let theme = canvas.theme;
    let width = COLUMNS.min(usize::from(canvas.body.width.saturating_sub(2)));
    let gates = &state.watch.gates;
    let Some(view) = gates.get(gate.min(gates.len().saturating_sub(1))) else {
        let inside = canvas.open(frame, "decision", width, 1);
        return Canvas::fill(frame, inside, vec![Line::styled(" no gate was asked", theme.dim)], 0);
    };
    let title = format!("decision · gate {} ({} of {})", text::clean(&view.gate), gate + 1, gates.len());
    let lines = match &view.decision {
        Some(decision) => Writer { theme, width, lines: Vec::new() }.write(decision, &view.blocks),
        None => vec![Line::styled(" It does not apply now, so it was not asked.", theme.dim)],
    };
    let inside = canvas.open(frame, &title, width, lines.len());
    canvas.read(frame, inside, lines, scroll)
}

struct Writer<'a> {
    theme: &'a Theme,
    width: usize,
    lines: Vec<Line<'static>>,
}

impl Writer<'_> {
    fn write(mut self, decision: &Decision, blocks: &str) -> Vec<Line<'static>> {
        let theme = self.theme;
        let (sign, style) = policy::sign(decision.verdict, theme);
        let fate = if decision.allow { "lets through" } else { "blocks" };
        self.lines.push(Line::from(vec![
            Span::styled(format!(" {sign} {}", decision.verdict), style),
            Span::styled(format!("  {fate} "), theme.dim),
            Span::styled(text::clean(blocks).into_owned(), theme.text),
        ]));
        self.lines.push(Line::styled(
            format!(
                "   {} at {} · {} · policies {}",
                policy::engine(decision),
                text::clean(&decision.engine.at),
                format::duration(decision.took),
                if decision.revision.is_empty() { "unknown".into() } else { text::clean(&decision.revision) },
            ),
            theme.dim,
        ));
        if let Some(fault) = &decision.fault {
            self.heading("fault");
            self.bullet(&fault.to_string(), theme.fail);
            self.bullet(&format!("next: {}", fault.next_step()), theme.dim);
        }
        if !decision.checks.is_empty() {
            self.heading("checks");
            self.lines.extend(policy::checks(decision, theme));
        }
        if !decision.violations.is_empty() {
            self.heading("violations");
            for violation in &decision.violations {
                self.bullet(&format!("{}: {}", violation.code, violation.message), theme.text);
            }
        }
        if !decision.reasons.is_empty() {
            self.heading("reasons");
            for reason in &decision.reasons {
                self.bullet(reason, theme.text);
            }
        }
        self.heading("facts as sent");
        self.json(&decision.input);
        self.heading("answer as received");
        self.json(&decision.result);
        self.lines
    }

    fn heading(&mut self, title: &'static str) {
        self.lines.push(Line::default());
        self.lines.push(Line::styled(format!(" {title}"), self.theme.title_focus));
    }

    fn bullet(&mut self, content: &str, style: Style) {
        for (row, part) in
            text::wrap(&text::clean(content), self.width.saturating_sub(6)).into_iter().enumerate()
        {
            let lead = if row == 0 { "   • " } else { "     " };
            self.lines.push(Line::from(vec![Span::styled(lead, self.theme.dim), Span::styled(part, style)]));
        }
    }

    fn json(&mut self, value: &Value) {
        let shown = serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string());
        self.lines.extend(
            text::clean_lines(&shown).map(|line| Line::styled(format!("   {line}"), self.theme.text)),
        );
    }
}
