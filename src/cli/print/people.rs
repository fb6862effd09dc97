//! Events for people: a line a step, progress in place on a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::{Paint, Printer, clean};
use crate::domain::figure;
use crate::engine::{Action, Event, FileStatus, OperationEvent, Outcome, PlanReport, StepResult};
use crate::policy::{CheckLine, Decision, Verdict};

/// Width of the column of step names.
const NAMES: usize = 22;

/// Prints for people.
pub(in super::super) struct People {
    paint: Paint,
    is_terminal: bool,
    has_progress: bool,
    action: Option<Action>,
}

impl People {
    pub(in super::super) fn new(paint: Paint) -> Self {
        Self { paint, is_terminal: io::stdout().is_terminal(), has_progress: false, action: None }
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        self.wipe()?;
        super::line(text)
    }

    fn wipe(&mut self) -> io::Result<()> {
        if self.has_progress {
            self.has_progress = false;
            let mut out = io::stdout().lock();
            write!(out, "\r\x1b[K")?;
            out.flush()?;
        }
        Ok(())
    }

    fn progress(&mut self, text: &str) -> io::Result<()> {
        if !self.is_terminal {
            return Ok(());
        }
        let shown: String = clean(text).replace('\n', " ").chars().take(100).collect();
        let mut out = io::stdout().lock();
        write!(out, "\r\x1b[K  {}", self.paint.dim(&format!("… {shown}")))?;
        self.has_progress = true;
        out.flush()
    }

    fn step(&mut self, name: &str, result: StepResult, elapsed: Duration, detail: &str) -> io::Result<()> {
        let detail = clean(detail);
        if self.action == Some(Action::Validate) {
            let word = match result {
                StepResult::Ok => self.paint.good("PASS"),
                StepResult::Failed => self.paint.bad("FAIL"),
                StepResult::Skipped => self.paint.dim("SKIP"),
            };
            return self.line(&format!("{word}  {name:<NAMES$}{}", detail.replace('\n', "\n      ")));
        }
        let sign = match result {
            StepResult::Ok => self.paint.good("✓"),
            StepResult::Failed => self.paint.bad("✗"),
            StepResult::Skipped => self.paint.dim("–"),
        };
        let first = detail.lines().next().unwrap_or_default();
        let line = format!("  {sign} {name:<NAMES$} {:>8}  {first}", took(elapsed));
        self.line(line.trim_end())
    }

    fn decision(&mut self, decision: &Decision) -> io::Result<()> {
        for line in decision_lines(decision, self.paint) {
            self.line(&format!("      {line}"))?;
        }
        Ok(())
    }

    fn planned(&mut self, plan: &PlanReport) -> io::Result<()> {
        for file in &plan.files {
            let word = match file.status {
                FileStatus::New => self.paint.good("new      "),
                FileStatus::Changed => self.paint.unsure("changed  "),
                FileStatus::Same => self.paint.dim("same     "),
            };
            self.line(&format!("  {word} {}", file.path.display()))?;
            for line in file.diff.lines() {
                self.line(&format!("      {}", self.diff_line(line)))?;
            }
        }
        for start in &plan.start {
            self.line(&format!("  {} {start}", self.paint.good("start    ")))?;
        }
        for replace in &plan.replace {
            self.line(&format!("  {} {}", self.paint.bad("replace  "), clean(replace)))?;
        }
        for stop in &plan.stop {
            self.line(&format!("  {} {stop}", self.paint.unsure("retire   ")))?;
        }
        for decision in &plan.decisions {
            self.line(&format!("  gate {}: {}", decision.gate, verdict(decision, self.paint)))?;
            self.decision(decision)?;
        }
        Ok(())
    }

    fn diff_line(&self, line: &str) -> String {
        match line.chars().next() {
            Some('+') => self.paint.good(line),
            Some('-') => self.paint.bad(line),
            _ => self.paint.dim(line),
        }
    }

    fn outcome(&mut self, action: &Action, outcome: &Outcome, elapsed: Duration) -> io::Result<()> {
        self.wipe()?;
        if let Outcome::Done { summary } = outcome {
            // The five lines of `validate` are its whole output.
            if *action == Action::Validate {
                return Ok(());
            }
            let name = action.name();
            let line = format!("{} {name}: {} ({})", self.paint.good("done"), clean(summary), took(elapsed));
            return self.line(&line);
        }
        for line in outcome_lines(outcome, self.paint) {
            super::complain(&line);
        }
        Ok(())
    }
}

impl Printer for People {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let Event::Operation(event) = event else { return Ok(()) };
        match event {
            OperationEvent::Refused { reason, .. } => {
                self.wipe()?;
                super::complain(&format!("{} {}", self.paint.bad("refused:"), clean(reason)));
                Ok(())
            }
            OperationEvent::Started { action, .. } => {
                self.action = Some(action.clone());
                if *action == Action::Validate {
                    return Ok(());
                }
                let name = self.paint.strong(action.name());
                self.line(&name)
            }
            OperationEvent::StepStarted { name, .. } => self.progress(name),
            OperationEvent::StepProgress { detail, .. } => self.progress(detail),
            OperationEvent::StepFinished { name, result, elapsed, detail, .. } => {
                self.step(name, *result, *elapsed, detail)
            }
            OperationEvent::Decided { decision, .. } => self.decision(decision),
            OperationEvent::Files { changes, .. } => {
                for change in changes.iter().filter(|change| change.status != FileStatus::Same) {
                    let word = if change.status == FileStatus::New { "new" } else { "changed" };
                    self.line(&format!("      {word:<8} {}", change.path.display()))?;
                }
                Ok(())
            }
            OperationEvent::Planned { plan, .. } => self.planned(plan),
            // `validate` answers with its five lines; what else it knows stands
            // beside them.
            OperationEvent::Notice { text, .. } if self.action == Some(Action::Validate) => {
                self.wipe()?;
                super::complain(&notice(text));
                Ok(())
            }
            OperationEvent::Notice { text, .. } => self.line(&notice(text)),
            OperationEvent::Finished { action, outcome, elapsed, .. } => {
                self.outcome(action, outcome, *elapsed)
            }
        }
    }
}

/// A notice; lines after its first belong to it and stand below it.
fn notice(text: &str) -> String {
    let lines: Vec<_> = clean(text).lines().map(|line| format!("    {line}").trim_end().to_owned()).collect();
    let text = lines.join("\n");
    format!("  · {}", text.trim_start())
}

/// `PASS` with its colour.
pub(in super::super) fn verdict(decision: &Decision, paint: Paint) -> String {
    let word = decision.word();
    match decision.verdict {
        Verdict::Pass => paint.good(word),
        Verdict::Fail => paint.bad(word),
        Verdict::Inconclusive => paint.unsure(word),
    }
}

/// Every comparison of a decision, or its fault.
pub(in super::super) fn decision_lines(decision: &Decision, paint: Paint) -> Vec<String> {
    if let Some(fault) = &decision.fault {
        return vec![format!("{} {}", paint.bad("✗"), clean(&fault.to_string()))];
    }
    let sign = |ok: bool| if ok { paint.good("✓") } else { paint.bad("✗") };
    if decision.checks.is_empty() {
        return decision
            .reasons
            .iter()
            .map(|reason| format!("{} {}", sign(decision.allow), clean(reason)))
            .collect();
    }
    decision
        .checks
        .iter()
        .map(|check| {
            let CheckLine { fact, observed, must, limit, unit, ok } = check;
            let is_unknown = observed.is_null();
            let (observed, limit) = figure::compared(fact, observed, limit, unit);
            let observed = if is_unknown { "unknown" } else { &observed };
            clean(&format!("{} {fact} {observed} (must be {must} {limit})", sign(*ok))).replace('\n', " ")
        })
        .collect()
}

/// An outcome that is not `Done`, as the lines of an error.
fn outcome_lines(outcome: &Outcome, paint: Paint) -> Vec<String> {
    match outcome {
        Outcome::Done { summary } => vec![clean(summary)],
        Outcome::Denied { headline, reasons, state } | Outcome::Inconclusive { headline, reasons, state } => {
            let head = match outcome {
                Outcome::Denied { .. } => paint.bad(headline),
                _ => paint.unsure(headline),
            };
            std::iter::once(head)
                .chain(reasons.iter().map(|reason| format!("  - {}", clean(reason))))
                .chain(std::iter::once(format!("state: {}", clean(state))))
                .collect()
        }
        Outcome::Failed { error, state, next } => vec![
            format!("{} {}", paint.bad("error:"), clean(error)),
            format!("state: {}", clean(state)),
            format!("next:  {}", clean(next)),
        ],
        Outcome::Cancelled { state } => vec![paint.unsure("cancelled"), format!("state: {}", clean(state))],
    }
}

/// A time as people read it.
pub(in super::super) fn took(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1e3;
    match time.as_millis() {
        0..10 => format!("{millis:.1} ms"),
        10..1_000 => format!("{millis:.0} ms"),
        1_000..60_000 => format!("{:.1} s", time.as_secs_f64()),
        _ => format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_cause_state_and_next_step() {
        let outcome = Outcome::Failed {
            error: "no\u{1b}[2J room".into(),
            state: "blue serves".into(),
            next: "free some".into(),
        };
        let lines = outcome_lines(&outcome, Paint { is_on: false });
        assert_eq!(lines, ["error: no[2J room", "state: blue serves", "next:  free some"]);
    }

    #[test]
    fn the_lines_of_a_notice_stay_together() {
        assert_eq!(notice("one\n\n  --> two\u{1b}"), "  · one\n\n      --> two");
    }

    #[test]
    fn times_are_short() {
        assert_eq!(took(Duration::from_micros(800)), "0.8 ms");
        assert_eq!(took(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(took(Duration::from_secs(61)), "1 min 1 s");
    }
}
