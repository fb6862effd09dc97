//! Pane 6: what was done in this session, step by step.

use std::time::Duration;

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::engine::{FileChange, FileStatus, Outcome, StepResult};
use crate::policy::{Decision, Verdict};
use crate::tui::state::{End, Item, OperationView, SPINNER, State, StepView};
use crate::tui::theme::Theme;
use crate::tui::{format, text};

use super::{policy, spark};

const PICTURES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// Columns of a step's name and of its time.
const NAME: usize = 22;
const TIME: usize = 9;

/// All operations, the newest last.
pub fn lines(state: &State, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    if state.activity.operations.is_empty() {
        return empty(theme);
    }
    let mut lines = Vec::new();
    if state.activity.operations.forgotten() > 0 {
        lines.push(Line::styled(" older operations: `:` audit writes the whole history", theme.dim));
        lines.push(Line::default());
    }
    for (place, operation) in state.activity.operations.iter().enumerate() {
        if place > 0 {
            lines.push(Line::default());
        }
        let mut writer = Writer { state, theme, width, lines: &mut lines };
        writer.announced(state.activity.operations.forgotten() + place);
        writer.operation(operation);
    }
    Writer { state, theme, width, lines: &mut lines }.announced(state.activity.begun());
    lines
}

/// What was announced last, on a bar of its own that stays in sight.
pub fn pinned(state: &State, theme: &Theme, width: usize) -> Vec<Line<'static>> {
    let Some(announcement) = state.activity.announced() else { return Vec::new() };
    let parts = text::wrap(&announcement.text, width.saturating_sub(4));
    let bar = |(place, part): (usize, String)| {
        let mark = if place == 0 { " ▶ " } else { "   " };
        Line::styled(text::left(&format!("{mark}{part}"), width), theme.selected)
    };
    parts.into_iter().enumerate().map(bar).collect()
}

fn empty(theme: &Theme) -> Vec<Line<'static>> {
    let step = |key: &'static str, what: &'static str| {
        Line::from(vec![Span::styled(format!("   {key}  "), theme.key), Span::styled(what, theme.text)])
    };
    vec![
        Line::styled(" nothing was done yet", theme.dim),
        Line::default(),
        step("v", "validate: is everything ready?"),
        step("d", "deploy what the manifest says"),
        step("p", "promote a canary, then make it stable"),
        step("?", "all keys"),
    ]
}

/// Writes operations as lines.
struct Writer<'a> {
    state: &'a State,
    theme: &'a Theme,
    width: usize,
    lines: &'a mut Vec<Line<'static>>,
}

impl Writer<'_> {
    fn operation(&mut self, operation: &OperationView) {
        self.headline(operation);
        if operation.items.forgotten() > 0 {
            self.lines.push(Line::styled(
                format!("   … {} earlier lines", operation.items.forgotten()),
                self.theme.dim,
            ));
        }
        let items: Vec<_> = operation.items.iter().collect();
        let names = names(&items, self.width);
        for (place, item) in items.iter().enumerate() {
            let (above, below) = (&items[..place], &items[place + 1..]);
            match item {
                Item::Step(step) => {
                    self.step(step, names, verdict_of(step, below), operation.is_running());
                }
                Item::Decided(decision) => self.decided(decision, names, was_asked(decision, above)),
                Item::File(change) => self.file(change),
                Item::Notice(notice) => self.paragraph("   · ", notice, self.theme.dim, self.theme.text),
            }
        }
        if let Some(end) = &operation.end {
            self.end(end, operation);
        }
    }

    /// What was said before the operation with this number. The last word is
    /// pinned and not repeated here.
    fn announced(&mut self, number: usize) {
        let earlier = self.state.activity.announcements.iter().rev().skip(1).rev();
        for announcement in earlier.filter(|said| said.before == number) {
            self.paragraph(" ▶ ", &announcement.text, self.theme.key, self.theme.title_focus);
        }
    }

    /// When, what, and how it ended.
    fn headline(&mut self, operation: &OperationView) {
        let theme = self.theme;
        let (sign, word, style) = match &operation.end {
            None => (self.picture(operation.started), "running", theme.warn),
            Some(End::Told(outcome, _)) => {
                let (sign, style) = ending(outcome, theme);
                (sign, outcome.as_str(), style)
            }
            Some(End::Missed) => ("?", "ended", theme.warn),
        };
        let elapsed = match &operation.end {
            None => self.since(operation.started),
            Some(End::Told(_, elapsed)) => format::duration(*elapsed),
            Some(End::Missed) => String::new(),
        };
        let mut spans = vec![
            Span::styled(format!(" {} ", operation.at.format("%H:%M:%S")), theme.dim),
            Span::styled(operation.action.name(), theme.strong),
            Span::styled(format!("  {sign} {word}"), style),
        ];
        if !elapsed.is_empty() {
            spans.push(Span::styled(format!(" · {elapsed}"), theme.dim));
        }
        self.lines.push(Line::from(spans));
    }

    fn file(&mut self, change: &FileChange) {
        let theme = self.theme;
        let (sign, word, style) = match change.status {
            FileStatus::New => ("+", "new", theme.ok),
            FileStatus::Changed => ("~", "changed", theme.warn),
            FileStatus::Same => ("=", "as it should be", theme.dim),
        };
        let path = text::clean(&change.path.display().to_string()).into_owned();
        self.lines.push(Line::from(vec![
            Span::styled(format!("   {sign} "), style),
            Span::styled(text::left(&path, NAME + TIME), theme.text),
            Span::styled(format!("  {word}"), style),
        ]));
    }

    fn step(&mut self, step: &StepView, names: usize, verdict: Option<Verdict>, is_running: bool) {
        let theme = self.theme;
        let (sign, style, time) = match step.end {
            Some((StepResult::Ok, elapsed)) => {
                let (sign, style) = policy::sign(verdict.unwrap_or(Verdict::Pass), theme);
                (sign, style, format::duration(elapsed))
            }
            Some((StepResult::Failed, elapsed)) => ("✗", theme.fail, format::duration(elapsed)),
            Some((StepResult::Skipped, _)) => ("-", theme.dim, String::new()),
            None if is_running => (self.picture(step.started), theme.warn, self.since(step.started)),
            None => ("■", theme.warn, String::new()),
        };
        let mut spans = vec![
            Span::styled(format!("   {sign} "), style),
            Span::styled(text::left(&step.name, names), theme.text),
            Span::styled(text::right(&time, TIME), theme.dim),
            Span::raw("  "),
        ];
        if let Some(fraction) = step.fraction {
            spans.push(Span::styled(spark::bar(fraction, 12), style));
            spans.push(Span::raw(" "));
        }
        // A long detail of a failed step is worth more than one line.
        let indent = 5 + names + TIME + 2;
        let room = self.width.saturating_sub(indent);
        let is_long = text::width(&step.detail) > room && step.fraction.is_none();
        if is_long && matches!(step.end, Some((StepResult::Failed, _))) {
            self.lines.push(Line::from(spans));
            self.paragraph("       ", &step.detail, theme.fail, theme.text);
            return;
        }
        let detail_style =
            if matches!(step.end, Some((StepResult::Failed, _))) { theme.text } else { theme.dim };
        spans.push(Span::styled(step.detail.clone(), detail_style));
        self.lines.push(Line::from(spans));
    }

    /// The step that asked the gate says the verdict already, where there is one; the
    /// reasons belong below it.
    fn decided(&mut self, decision: &Decision, names: usize, was_asked: bool) {
        let theme = self.theme;
        let (sign, style) = policy::sign(decision.verdict, theme);
        if !was_asked {
            let name = format!("gate {}", text::clean(&decision.gate));
            self.lines.push(Line::from(vec![
                Span::styled(format!("   {sign} "), style),
                Span::styled(text::left(&name, names), theme.text),
                Span::styled(text::right(&format::duration(decision.took), TIME), theme.dim),
                Span::styled(format!("  {}", decision.word()), style),
            ]));
        }
        for reason in &decision.reasons {
            if decision.allow {
                // Nobody has to act on these: a line each will do, the policy pane has them in full.
                self.lines.push(Line::styled(format!("       {}", text::clean(reason)), theme.dim));
            } else {
                self.paragraph("       ", reason, style, theme.text);
            }
        }
        let tone = if decision.allow { theme.dim } else { theme.text };
        if let Some(fault) = &decision.fault {
            self.paragraph("       ", &fault.to_string(), style, tone);
            self.paragraph("       next: ", fault.next_step(), theme.dim, theme.dim);
        }
    }

    fn end(&mut self, end: &End, operation: &OperationView) {
        let theme = self.theme;
        let outcome = match end {
            End::Told(outcome, _) => outcome,
            End::Missed => {
                self.paragraph("   ? ", "its end was missed; `:` audit tells it", theme.warn, theme.text);
                return;
            }
        };
        let (sign, style) = ending(outcome, theme);
        let sign = format!("   {sign} ");
        match outcome {
            Outcome::Done { summary } => self.paragraph("   → ", summary, style, theme.text),
            Outcome::Denied { headline, reasons, state }
            | Outcome::Inconclusive { headline, reasons, state } => {
                self.paragraph(&sign, headline, style, theme.strong);
                for reason in reasons.iter().filter(|reason| !is_told(operation, reason)) {
                    self.paragraph("     • ", reason, style, theme.text);
                }
                self.paragraph("     state: ", state, theme.dim, theme.text);
            }
            Outcome::Failed { error, state, next } => {
                self.paragraph(&sign, error, style, theme.strong);
                self.paragraph("     state: ", state, theme.dim, theme.text);
                self.paragraph("     next:  ", next, theme.dim, theme.text);
            }
            Outcome::Cancelled { state } => self.paragraph("   → ", state, style, theme.text),
        }
    }

    /// A text of any length: the lines after the first are indented like it.
    fn paragraph(&mut self, lead: &str, content: &str, lead_style: Style, style: Style) {
        let indent = text::width(lead);
        let room = self.width.saturating_sub(indent + 1).max(10);
        let mut lead = lead.to_owned();
        for line in text::clean_lines(content) {
            for part in text::wrap(&line, room) {
                let lead = std::mem::replace(&mut lead, " ".repeat(indent));
                self.lines.push(Line::from(vec![Span::styled(lead, lead_style), Span::styled(part, style)]));
            }
        }
    }

    fn picture(&self, since: std::time::Instant) -> &'static str {
        let shown = self.state.now.instant.saturating_duration_since(since).as_millis() / SPINNER.as_millis();
        PICTURES[usize::try_from(shown % 10).unwrap_or(0)]
    }

    /// Whole seconds since then: a figure that flickers tells nothing.
    fn since(&self, since: std::time::Instant) -> String {
        let seconds = self.state.now.instant.saturating_duration_since(since).as_secs();
        if seconds < 60 { format!("{seconds} s") } else { format::duration(Duration::from_secs(seconds)) }
    }
}

/// Sign and style of an outcome.
const fn ending(outcome: &Outcome, theme: &Theme) -> (&'static str, Style) {
    match outcome {
        Outcome::Done { .. } => ("✓", theme.ok),
        Outcome::Denied { .. } | Outcome::Failed { .. } => ("✗", theme.fail),
        Outcome::Inconclusive { .. } => ("?", theme.warn),
        Outcome::Cancelled { .. } => ("■", theme.warn),
    }
}

/// The columns of the names of an operation's steps: a long one is shown where there
/// is room, so that nobody has to guess what was done.
fn names(items: &[&Item], width: usize) -> usize {
    let longest = items.iter().map(|item| match item {
        Item::Step(step) => text::width(&step.name),
        Item::Decided(_) | Item::File(_) | Item::Notice(_) => 0,
    });
    longest.max().unwrap_or(0).clamp(NAME, (width * 2 / 5).max(NAME))
}

fn asks(step: &StepView, decision: &Decision) -> bool {
    step.name == format!("gate {}", decision.gate)
}

/// What the gate said that a step asked: the asking went well, the answer counts.
/// What was noticed meanwhile may stand between the two.
fn verdict_of(step: &StepView, below: &[&Item]) -> Option<Verdict> {
    match below.iter().find(|item| !matches!(item, Item::Notice(_))) {
        Some(Item::Decided(decision)) if asks(step, decision) => Some(decision.verdict),
        _ => None,
    }
}

/// Whether the step that asked for a decision stands above it.
fn was_asked(decision: &Decision, above: &[&Item]) -> bool {
    match above.iter().rev().find(|item| !matches!(item, Item::Notice(_))) {
        Some(Item::Step(step)) => asks(step, decision),
        _ => false,
    }
}

/// Whether a decision above told the reason already.
fn is_told(operation: &OperationView, reason: &str) -> bool {
    operation.items.iter().any(|item| match item {
        Item::Decided(decision) => decision.reasons.iter().any(|told| told == reason),
        Item::Step(_) | Item::File(_) | Item::Notice(_) => false,
    })
}
