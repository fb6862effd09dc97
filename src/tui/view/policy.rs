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
    let mut all: Vec<_> = decision.checks.iter().zip(checks(decision, theme, width)).collect();
    all.sort_by_key(|(check, _)| (check.ok, check.observed.is_null()));
    let comparisons = all.into_iter().map(|(_, line)| line);
    let told = explanations(decision, theme).into_iter().flat_map(|(text, style)| {
        let parts = text::wrap(&text, width.saturating_sub(6));
        parts.into_iter().map(move |part| Line::styled(format!("     {part}"), style))
    });
    if is_unmeasured(decision) {
        // Why nothing is known matters more than the list of what is not.
        lines.extend(told);
        lines.extend(comparisons);
    } else {
        lines.extend(comparisons);
        lines.extend(told);
    }
}

/// Whether figures are wanting for another cause than too few requests.
fn is_unmeasured(decision: &Decision) -> bool {
    let is_unknown = |check: &CheckLine| check.observed.is_null() && !check.ok;
    decision.verdict == Verdict::Inconclusive
        && decision.sample().is_none()
        && decision.checks.iter().any(is_unknown)
        && decision.checks.iter().all(|check| check.ok || is_unknown(check))
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

/// A comparison in the columns of its line.
struct Row {
    sign: &'static str,
    style: Style,
    fact: String,
    number: String,
    number_style: Style,
    /// What must hold, or its opposite where that is so, and the limit; in full and short.
    limits: [(String, String); 2],
}

impl Row {
    fn of(check: &CheckLine, theme: &Theme) -> Self {
        let (number, limit) = format::compared(&check.fact, &check.observed, &check.limit, &check.unit);
        let is_unknown = check.observed.is_null();
        let (sign, style) = match (is_unknown, check.ok) {
            (true, _) => ("?", theme.warn),
            (false, true) => ("✓", theme.ok),
            (false, false) => ("✗", theme.fail),
        };
        let related = text::clean(relation(&check.must, is_unknown || check.ok)).into_owned();
        let limit = text::clean(&limit).into_owned();
        let plain = (format!("{related} "), limit.clone());
        let limits = if is_unknown {
            [(format!("needs {related} "), limit.clone()), (format!("({related} "), format!("{limit})"))]
        } else {
            [plain.clone(), plain]
        };
        Self {
            sign,
            style,
            fact: text::clean(&check.fact).into_owned(),
            number: text::clean(&number).into_owned(),
            number_style: if check.ok { theme.text } else { style },
            limits,
        }
    }

    fn line(&self, columns: &Columns, theme: &Theme) -> Line<'static> {
        let (words, limit) = &self.limits[usize::from(columns.is_short)];
        Line::from(vec![
            Span::styled(format!("   {} ", self.sign), self.style),
            Span::styled(format!("{} ", text::left(&self.fact, columns.fact)), theme.dim),
            Span::styled(format!("{} ", text::right(&self.number, columns.number)), self.number_style),
            Span::styled(words.clone(), theme.dim),
            Span::styled(limit.clone(), theme.text),
        ])
    }

    /// The columns of the limit with its words.
    fn limit_width(&self, is_short: bool) -> usize {
        let (words, limit) = &self.limits[usize::from(is_short)];
        text::width(words) + text::width(limit)
    }
}

/// How the lines of a decision share the width.
struct Columns {
    fact: usize,
    number: usize,
    /// Whether the words before a limit are left out.
    is_short: bool,
}

impl Columns {
    /// The limit is what a person has to know: for it the words before it go first,
    /// then the end of the name.
    fn of(rows: &[Row], width: usize) -> Self {
        let widest = |cell: &dyn Fn(&Row) -> usize| rows.iter().map(cell).max().unwrap_or(0);
        let fact = widest(&|row| text::width(&row.fact)).clamp(10, 24);
        let number = widest(&|row| text::width(&row.number)).min(16);
        let rest = |is_short: bool| 5 + 1 + number + 1 + widest(&|row| row.limit_width(is_short));
        let is_short = rest(false) + fact > width;
        let room = width.saturating_sub(rest(is_short)).max(6);
        Self { fact: fact.min(room), number, is_short }
    }
}

/// A line for each comparison that the policy made.
pub fn checks(decision: &Decision, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let rows: Vec<_> = decision.checks.iter().map(|check| Row::of(check, theme)).collect();
    let columns = Columns::of(&rows, width);
    rows.iter().map(|row| row.line(&columns, theme)).collect()
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
