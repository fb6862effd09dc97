//! The recorded decisions whose answer would be another one.

use ratatui::Frame;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::engine::{ChangedDecision, Replayed};
use crate::policy::Verdict;
use crate::policy::replay::Side;
use crate::tui::state::ReplayView;
use crate::tui::theme::Theme;
use crate::tui::view::Measure;
use crate::tui::{format, text};

use super::Canvas;

/// Columns of the box.
const COLUMNS: usize = 96;

/// What the replay found, or that it is under way.
pub fn draw(view: &ReplayView, frame: &mut Frame<'_>, canvas: &Canvas<'_>) -> Measure {
    let theme = canvas.theme;
    let width = COLUMNS.min(usize::from(canvas.body.width.saturating_sub(2)));
    let lines = match &view.found {
        None => vec![Line::styled(" asking the recorded decisions again …", theme.dim)],
        Some(Err(error)) => wrapped(error, "   ", width, theme.fail),
        Some(Ok(replayed)) => Writer { theme, width, lines: Vec::new() }.write(replayed),
    };
    let inside =
        canvas.open(frame, "replay · recorded decisions under the policies on disk", width, lines.len());
    canvas.read(frame, inside, lines, view.scroll)
}

fn wrapped(content: &str, lead: &'static str, width: usize, style: Style) -> Vec<Line<'static>> {
    let parts = text::wrap(&text::clean(content), width.saturating_sub(text::width(lead) + 1));
    parts.into_iter().map(|part| Line::styled(format!("{lead}{part}"), style)).collect()
}

struct Writer<'a> {
    theme: &'a Theme,
    width: usize,
    lines: Vec<Line<'static>>,
}

impl Writer<'_> {
    fn write(mut self, replayed: &Replayed) -> Vec<Line<'static>> {
        let theme = self.theme;
        let report = &replayed.report;
        let head = format!(" {} of {} answers would change", report.changed, report.decisions);
        self.lines.push(Line::styled(head, if report.changed == 0 { theme.ok } else { theme.fail }));
        let transitions: Vec<String> =
            report.transitions.iter().map(|(transition, count)| format!("{count} {transition}")).collect();
        if !transitions.is_empty() {
            self.tell(&transitions.join(", "), theme.text);
        }
        if report.for_want_of_facts > 0 {
            let count = report.for_want_of_facts;
            self.tell(&format!("{count} of them for want of facts that were not recorded then"), theme.dim);
        }
        self.tell(
            &format!("{} the same, {} the same in other words", report.same, report.reworded),
            theme.dim,
        );
        for (reason, count) in &report.no_answer_then {
            self.tell(&format!("{count} had no answer then: {reason}"), theme.dim);
        }
        let by = format!(
            "{} · policies {} · {}",
            report.engine.version.as_deref().unwrap_or(&report.engine.name),
            report.revision,
            format::duration(report.elapsed)
        );
        self.tell(&by, theme.dim);
        if !report.is_whole() {
            let damage = match (&report.chain.fault, &replayed.unreadable) {
                (Some(fault), _) => fault.to_string(),
                (None, Some(line)) => line.clone(),
                (None, None) => String::new(),
            };
            self.tell(&format!("THE HISTORY IS DAMAGED: {damage}"), theme.fail);
        }
        for changed in &replayed.changes {
            self.changed(changed);
        }
        let listed = u64::try_from(replayed.changes.len()).unwrap_or(u64::MAX);
        if listed < report.changed {
            let rest = report.changed - listed;
            self.lines.push(Line::default());
            self.tell(&format!("and {rest} more: `swiftdeploy policy replay` lists all"), theme.dim);
        }
        self.lines
    }

    fn tell(&mut self, content: &str, style: Style) {
        self.lines.extend(wrapped(content, "   ", self.width, style));
    }

    fn changed(&mut self, changed: &ChangedDecision) {
        let theme = self.theme;
        let ChangedDecision { seq, timestamp, gate, change, .. } = changed;
        self.lines.push(Line::default());
        self.lines.push(Line::from(vec![
            Span::styled(format!(" seq {seq} "), theme.strong),
            Span::styled(format!("{}  ", timestamp.format("%Y-%m-%d %H:%M:%SZ")), theme.dim),
            Span::styled(format!("{}  ", text::clean(gate)), theme.text),
            word(&change.then, theme),
            Span::styled(" → ", theme.dim),
            word(&change.now, theme),
        ]));
        // The verdict stands above.
        let differs: Vec<&str> =
            change.differs.iter().filter(|what| !what.starts_with("verdict ")).map(String::as_str).collect();
        if !differs.is_empty() {
            self.tell(&differs.join("; "), theme.dim);
        }
        for reason in &change.now.reasons {
            self.lines.extend(wrapped(reason, "   now: ", self.width, theme.text));
        }
    }
}

fn word(side: &Side, theme: &Theme) -> Span<'static> {
    let style = match (side.verdict, &side.fault) {
        (_, Some(_)) | (Verdict::Fail, None) => theme.fail,
        (Verdict::Pass, None) => theme.ok,
        (Verdict::Inconclusive, None) => theme.warn,
    };
    Span::styled(side.word(), style)
}
