//! Pane 4: what the gates say now, check by check, in the policy's own words.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::engine::GateView;
use crate::policy::{CheckLine, Decision, SampleSize, Verdict};
use crate::tui::command::{Ask, Command};
use crate::tui::state::State;
use crate::tui::theme::Theme;
use crate::tui::{format, keymap, text};

use super::spark;

/// Sign and style of a verdict.
pub const fn sign(verdict: Verdict, theme: &Theme) -> (&'static str, Style) {
    match verdict {
        Verdict::Pass => ("✓", theme.ok),
        Verdict::Fail => ("✗", theme.fail),
        Verdict::Inconclusive => ("?", theme.warn),
    }
}

/// Each gate with its checks.
pub fn lines(state: &State, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    if state.watch.gates.is_empty() {
        return vec![Line::styled(" no gate was asked yet", theme.dim)];
    }
    let longest = state.watch.gates.iter().map(|view| text::width(&view.gate)).max().unwrap_or(0);
    let column = longest.min(20);
    let mut lines = Vec::new();
    for view in &state.watch.gates {
        gate(view, column, width, theme, &mut lines);
    }
    lines
}

/// Who decides, how fast and by which policies, for the lower border. The
/// fullest first; the shorter ones are for where that does not fit.
pub fn bottom(state: &State, theme: &Theme) -> Vec<Line<'static>> {
    let mut decisions = state.watch.gates.iter().filter_map(|view| view.decision.as_ref());
    let Some(decision) = decisions.next_back() else { return Vec::new() };
    let engine = engine(decision);
    let name = text::clean(&decision.engine.name).into_owned();
    let took = format::duration(decision.took);
    let revision = decision.revision.get(..7).unwrap_or(&decision.revision);
    let line = |parts: &[&str]| Line::styled(format!(" {} ", parts.join(" · ")), theme.dim);
    if revision.is_empty() {
        return vec![line(&[&engine, &took]), line(&[&engine])];
    }
    let revision = format!("rev {}", text::clean(revision));
    vec![
        line(&[&engine, &took, &revision]),
        line(&[&engine, &revision]),
        line(&[&name, &revision]),
        line(&[&revision]),
    ]
}

/// `opa 1.19.1`.
pub fn engine(decision: &Decision) -> String {
    let version = decision.engine.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    text::clean(&format!("{}{version}", decision.engine.name)).into_owned()
}

fn gate(view: &GateView, column: usize, width: usize, theme: &Theme, lines: &mut Vec<Line<'static>>) {
    let name = text::left(&text::clean(&view.gate), column);
    let blocks = text::clean(&view.blocks).into_owned();
    let Some(decision) = &view.decision else {
        lines.push(Line::from(vec![
            Span::styled(format!(" · {name} "), theme.dim),
            Span::styled("not asked now", theme.dim),
        ]));
        return;
    };
    let (sign, style) = sign(decision.verdict, theme);
    let mut spans = vec![
        Span::styled(format!(" {sign} "), style),
        Span::styled(format!("{name} "), theme.strong),
        Span::styled(decision.word(), style),
    ];
    let consequence = [Span::styled(" → blocks ", theme.dim), Span::styled(blocks, theme.text)];
    let needed: usize = spans.iter().chain(&consequence).map(|span| text::width(&span.content)).sum();
    if decision.allow || view.blocks.is_empty() {
        lines.push(Line::from(spans));
    } else if needed <= width {
        spans.extend(consequence);
        lines.push(Line::from(spans));
    } else {
        lines.push(Line::from(spans));
        let mut below = vec![Span::raw("  ")];
        below.extend(consequence);
        lines.push(Line::from(below));
    }
    if let Some(size) = decision.sample() {
        lines.push(sample(size, width, theme));
    }
    // What is not kept comes first, and what is not known after it: the pane may not
    // have room for all.
    let mut all: Vec<_> = decision.checks.iter().zip(checks(decision, theme)).collect();
    all.sort_by_key(|(check, _)| (check.ok, check.observed.is_null()));
    lines.extend(all.into_iter().map(|(_, line)| line));
    for (text, style) in explanations(decision, theme) {
        let parts = text::wrap(&text, width.saturating_sub(6));
        lines.extend(parts.into_iter().map(|part| Line::styled(format!("     {part}"), style)));
    }
}

/// How many requests there are of those needed, and the key that brings more.
fn sample(size: SampleSize, width: usize, theme: &Theme) -> Line<'static> {
    let share = format::real(size.seen) / format::real(size.needed);
    let mut spans = vec![
        Span::styled("   ▸ ", theme.warn),
        Span::styled(format!("{} of {} requests", size.seen, size.needed), theme.warn),
    ];
    if let Some(key) = keymap::key_of(Command::Ask(Ask::Probe)) {
        spans.push(Span::styled(format!(" {key} "), theme.key));
        spans.push(Span::styled("probe", theme.dim));
    }
    let taken: usize = spans.iter().map(|span| text::width(&span.content)).sum();
    let room = width.saturating_sub(taken + 1).min(20);
    if room >= 5 {
        spans.push(Span::styled(format!(" {}", spark::bar(share, room)), theme.warn));
    }
    Line::from(spans)
}

/// A line for each comparison that the policy made.
pub fn checks(decision: &Decision, theme: &Theme) -> Vec<Line<'static>> {
    let longest = decision.checks.iter().map(|check| text::width(&check.fact)).max().unwrap_or(0);
    let name = longest.clamp(10, 24);
    let shown = |check: &CheckLine| format::fact(&check.fact, &check.observed, &check.unit);
    let value = decision.checks.iter().map(|check| text::width(&shown(check))).max().unwrap_or(0).min(16);
    decision
        .checks
        .iter()
        .map(|check| {
            let limit = format::fact(&check.fact, &check.limit, &check.unit);
            let (sign, style, relation) = if check.observed.is_null() {
                ("?", theme.warn, format!("needs {}", relation(&check.must, true)))
            } else if check.ok {
                ("✓", theme.ok, relation(&check.must, true).to_owned())
            } else {
                ("✗", theme.fail, relation(&check.must, false).to_owned())
            };
            let number = text::right(&text::clean(&shown(check)), value);
            Line::from(vec![
                Span::styled(format!("   {sign} "), style),
                Span::styled(format!("{} ", text::left(&text::clean(&check.fact), name)), theme.dim),
                Span::styled(number, if check.ok { theme.text } else { style }),
                Span::styled(format!(" {} ", text::clean(&relation)), theme.dim),
                Span::styled(text::clean(&limit).into_owned(), theme.text),
            ])
        })
        .collect()
}

/// The comparison as it turned out: what must hold, or its opposite.
fn relation(must: &str, holds: bool) -> &str {
    match (must, holds) {
        (">=", true) | ("<", false) => "≥",
        (">=", false) | ("<", true) => "<",
        ("<=", true) | (">", false) => "≤",
        ("<=", false) | (">", true) => ">",
        ("==", true) | ("!=", false) => "=",
        ("==", false) | ("!=", true) => "≠",
        (other, _) => other,
    }
}

/// What the checks do not say: the fault, violations without a check, and
/// where there are no checks at all the reasons.
fn explanations(decision: &Decision, theme: &Theme) -> Vec<(String, Style)> {
    if let Some(fault) = &decision.fault {
        return vec![
            (text::clean(&fault.to_string()).into_owned(), theme.fail),
            (format!("next: {}", text::clean(fault.next_step())), theme.dim),
        ];
    }
    let is_told = |observed: &serde_json::Value, limit: &serde_json::Value| {
        decision.checks.iter().any(|check| !check.ok && check.observed == *observed && check.limit == *limit)
    };
    let untold =
        decision.violations.iter().filter(|violation| !is_told(&violation.observed, &violation.limit));
    let mut told: Vec<_> =
        untold.map(|violation| (text::clean(&violation.message).into_owned(), theme.text)).collect();
    if told.is_empty() && decision.checks.is_empty() {
        told.extend(decision.reasons.iter().map(|reason| (text::clean(reason).into_owned(), theme.dim)));
    }
    told
}
