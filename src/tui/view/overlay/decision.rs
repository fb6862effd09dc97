//! A decision in full: checks and violations, each with the rule, the fact and
//! the limit that it comes from; reasons, the facts as sent, the answer as
//! received.

use std::path::Path;

use ratatui::Frame;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use serde_json::Value;

use crate::policy::Decision;
use crate::policy::explain::{Explanation, LimitAt, Place, Trace};
use crate::tui::state::{DecisionView, State};
use crate::tui::theme::Theme;
use crate::tui::view::{Measure, policy};
use crate::tui::{format, text};

use super::Canvas;

/// Columns of the box.
const COLUMNS: usize = 88;

/// The decision of one gate.
pub fn draw(state: &State, shown: &DecisionView, frame: &mut Frame<'_>, canvas: &Canvas<'_>) -> Measure {
    let DecisionView { gate, scroll, explanation, .. } = shown;
    let (gate, scroll) = (*gate, *scroll);
    let theme = canvas.theme;
    let width = COLUMNS.min(usize::from(canvas.body.width.saturating_sub(2)));
    let gates = &state.watch.gates;
    let Some(view) = gates.get(gate.min(gates.len().saturating_sub(1))) else {
        let inside = canvas.open(frame, "decision", width, 1);
        return Canvas::fill(frame, inside, vec![Line::styled(" no gate was asked", theme.dim)], 0);
    };
    let title = format!("decision · gate {} ({} of {})", text::clean(&view.gate), gate + 1, gates.len());
    let lines = match &view.decision {
        Some(decision) => {
            let root = state.header.manifest.parent();
            let places = Places { explanation: explanation.as_deref(), root };
            Writer { theme, width, places, lines: Vec::new() }.write(decision, &view.blocks)
        }
        None => vec![Line::styled(" It does not apply now, so it was not asked.", theme.dim)],
    };
    let inside = canvas.open(frame, &title, width, lines.len());
    canvas.read(frame, inside, lines, scroll)
}

/// Where the parts of the decision come from.
struct Places<'a> {
    explanation: Option<&'a Explanation>,
    /// The project's folder: its files are named from there.
    root: Option<&'a Path>,
}

impl Places<'_> {
    /// `policies/canary.rego:71 (verdict)`.
    fn shown(&self, place: Option<&Place>) -> String {
        let Some(place) = place else { return "not known".to_owned() };
        let file = Path::new(&place.file);
        let near = self.root.and_then(|root| file.strip_prefix(root).ok()).unwrap_or(file);
        let rule = place.rule.as_ref().map(|rule| format!(" ({rule})")).unwrap_or_default();
        format!("{}:{}{rule}", near.display(), place.line)
    }

    /// `rule …, limit …, fact …`, on one line.
    fn traced(&self, trace: &Trace) -> String {
        let mut parts = vec![format!("rule {}", self.shown(trace.rule.as_ref()))];
        parts.extend(match &trace.limit {
            Some(LimitAt::Data { key }) => Some(format!("limit {key} in data.json")),
            Some(LimitAt::Facts { key }) => Some(format!("limit {key} of the facts")),
            Some(LimitAt::Rule) => Some("limit written in the rule".to_owned()),
            None => None,
        });
        parts.extend(trace.fact.as_ref().map(|fact| format!("fact {fact}")));
        parts.extend(trace.source.as_ref().map(|source| format!("from {source}")));
        parts.join(" · ")
    }
}

struct Writer<'a> {
    theme: &'a Theme,
    width: usize,
    places: Places<'a>,
    lines: Vec<Line<'static>>,
}

impl Writer<'_> {
    fn write(mut self, decision: &Decision, blocks: &str) -> Vec<Line<'static>> {
        let theme = self.theme;
        let (sign, style) = policy::sign(decision.verdict, theme);
        let fate = if decision.allow { "lets through" } else { "blocks" };
        self.lines.push(Line::from(vec![
            Span::styled(format!(" {sign} {}", decision.word()), style),
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
        self.rule(decision);
        if let Some(fault) = &decision.fault {
            self.heading("fault");
            self.bullet(&fault.to_string(), theme.fail);
            self.bullet(&format!("next: {}", fault.next_step()), theme.dim);
        }
        if !decision.checks.is_empty() {
            self.heading("checks");
            for (check, line) in decision.checks.iter().zip(policy::checks(decision, theme, self.width)) {
                self.lines.push(line);
                self.below(self.places.explanation.and_then(|known| known.check(&check.fact)));
            }
        }
        if !decision.violations.is_empty() {
            self.heading("violations");
            for violation in &decision.violations {
                self.bullet(&format!("{}: {}", violation.code, violation.message), theme.text);
                self.below(self.places.explanation.and_then(|known| known.violation(&violation.code)));
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

    /// Which rule gave the verdict, and what is to be known about the places.
    fn rule(&mut self, decision: &Decision) {
        let Some(explanation) = self.places.explanation else {
            self.lines.push(Line::styled("   rule: being found out …", self.theme.dim));
            return;
        };
        if decision.fault.is_none() || explanation.rule.is_some() {
            let rule = format!("rule {}", self.places.shown(explanation.rule.as_ref()));
            self.indented(&rule, "   ");
        }
        if let Some(note) = &explanation.note {
            self.indented(note, "   ");
        }
    }

    /// Where a part comes from, below it.
    fn below(&mut self, trace: Option<&Trace>) {
        if let Some(trace) = trace {
            self.indented(&self.places.traced(trace), "       ");
        }
    }

    fn indented(&mut self, content: &str, lead: &'static str) {
        let width = self.width.saturating_sub(lead.len() + 1);
        let parts = text::wrap(&text::clean(content), width);
        self.lines
            .extend(parts.into_iter().map(|part| Line::styled(format!("{lead}{part}"), self.theme.dim)));
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
