//! The report's tables, filled record by record.

use std::collections::BTreeMap;
use std::fmt::Write;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::super::escape::cell;
use super::super::record::{Actor, Entry, MEASURING, Record};
use super::moment;
use crate::domain::{Mode, Release};

/// What the report shows of the records read so far.
#[derive(Default)]
pub(super) struct Sections {
    period: Option<(DateTime<Utc>, DateTime<Utc>)>,
    operations: Vec<Operation>,
    /// Where an operation stands in `operations`, by its id.
    by_id: BTreeMap<String, usize>,
    mode_changes: Vec<[String; 5]>,
    faults: Vec<InjectedFault>,
    violations: Vec<Violation>,
    decisions: Vec<[String; 6]>,
    scrapes: Scrapes,
    notes: Vec<[String; 2]>,
}

struct Operation {
    at: DateTime<Utc>,
    actor: Actor,
    name: String,
    detail: String,
    end: Option<End>,
}

struct End {
    outcome: String,
    elapsed_ms: u64,
    release: Option<Release>,
}

struct InjectedFault {
    at: DateTime<Utc>,
    fault: String,
    detail: String,
    source: String,
    actor: Actor,
    until: Option<DateTime<Utc>>,
    end: Option<(DateTime<Utc>, String)>,
}

struct Violation {
    at: DateTime<Utc>,
    policy: String,
    details: Vec<String>,
    /// When, and whether since what was judged is gone.
    end: Option<(DateTime<Utc>, bool)>,
}

#[derive(Default)]
struct Scrapes {
    count: u64,
    failed: u64,
    /// Before a window was complete.
    early: u64,
    without_requests: u64,
    worst_error_rate: Option<(f64, DateTime<Utc>)>,
    worst_p99_ms: Option<(f64, DateTime<Utc>)>,
    highest_rate: Option<(f64, DateTime<Utc>)>,
}

impl Sections {
    /// From the first record to the last.
    pub(super) fn period(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        self.period
    }

    pub(super) fn add(&mut self, record: Record) {
        let Record { timestamp: at, seq: _, actor, entry, prev: _ } = record;
        self.period = Some(self.period.map_or((at, at), |(from, to)| (from.min(at), to.max(at))));
        match entry {
            Entry::OperationStarted { operation_id, operation, detail } => {
                self.by_id.insert(operation_id, self.operations.len());
                self.operations.push(Operation { at, actor, name: operation, detail, end: None });
            }
            Entry::OperationFinished { operation_id, operation, outcome, detail, elapsed_ms, release } => {
                let index = self.by_id.get(&operation_id).copied().unwrap_or_else(|| {
                    // Its start was in a part that has been removed.
                    let name = operation;
                    self.operations.push(Operation { at, actor, name, detail: String::new(), end: None });
                    self.operations.len() - 1
                });
                let row = &mut self.operations[index];
                if !detail.is_empty() {
                    row.detail = detail;
                }
                row.end = Some(End { outcome, elapsed_ms, release });
            }
            Entry::Decision { gate, verdict, reasons, engine, revision, .. } => {
                let reasons = reasons.join("; ");
                self.decisions.push([moment(at), gate, verdict, reasons, engine_of(&engine), revision]);
            }
            Entry::ModeChange { from, to, operation_id } => {
                self.mode_change(at, actor, from, to, &operation_id);
            }
            Entry::ChaosInjected { fault, detail, until, source } => {
                self.faults.push(InjectedFault { at, fault, detail, source, actor, until, end: None });
            }
            Entry::ChaosEnded { fault, reason } => {
                let open =
                    self.faults.iter_mut().rev().find(|open| open.fault == fault && open.end.is_none());
                if let Some(open) = open {
                    open.end = Some((at, reason));
                }
            }
            Entry::Violation { policy, details } => {
                self.violations.push(Violation { at, policy, details, end: None });
            }
            Entry::ViolationEnded { policy, is_gone } => {
                for open in
                    self.violations.iter_mut().filter(|open| open.policy == policy && open.end.is_none())
                {
                    open.end = Some((at, is_gone));
                }
            }
            Entry::Scrape { error_rate, request_rate, p99_latency_ms, requests, error, .. } => {
                self.scrapes.count += 1;
                let is_early = error.as_ref().is_some_and(|error| error.starts_with(MEASURING));
                self.scrapes.early += u64::from(is_early);
                self.scrapes.failed += u64::from(error.is_some() && !is_early);
                self.scrapes.without_requests += u64::from(error.is_none() && requests.unwrap_or(0) == 0);
                keep_highest(&mut self.scrapes.worst_error_rate, error_rate, at);
                keep_highest(&mut self.scrapes.worst_p99_ms, p99_latency_ms, at);
                keep_highest(&mut self.scrapes.highest_rate, request_rate, at);
            }
            Entry::Note { detail } => self.notes.push([moment(at), detail]),
        }
    }

    fn mode_change(&mut self, at: DateTime<Utc>, actor: Actor, from: Mode, to: Mode, operation_id: &str) {
        let cause = self.by_id.get(operation_id).and_then(|index| self.operations.get(*index));
        let operation = cause.map_or(operation_id, |operation| &operation.name);
        self.mode_changes.push([moment(at), from.to_string(), to.to_string(), operation.to_owned(), actor.0]);
    }

    pub(super) fn write(&self, report: &mut String) {
        table(
            report,
            "Deployment timeline",
            ["Timestamp", "Operation", "Outcome", "Took", "By", "Details"],
            self.operations.iter().map(Operation::row),
        );
        table(
            report,
            "Mode changes",
            ["Timestamp", "From", "To", "Operation", "By"],
            self.mode_changes.iter().cloned(),
        );
        table(
            report,
            "Chaos injections",
            ["Timestamp", "Fault", "Details", "Source", "By", "Ended"],
            self.faults.iter().map(InjectedFault::row),
        );
        table(
            report,
            "Policy violations",
            ["Timestamp", "Policy", "Details"],
            self.violations.iter().map(Violation::row),
        );
        table(
            report,
            "Policy decisions",
            ["Timestamp", "Gate", "Verdict", "Reasons", "Engine", "Revision"],
            self.decisions.iter().cloned(),
        );
        table(report, "Scrapes", ["Figure", "Value", "Timestamp"], self.scrapes.rows());
        table(report, "Notes", ["Timestamp", "Details"], self.notes.iter().cloned());
    }
}

impl Operation {
    fn row(&self) -> [String; 6] {
        let (outcome, took) = match &self.end {
            Some(end) => (end.outcome.clone(), seconds(end.elapsed_ms)),
            // The report is written by an operation of its own, which cannot
            // have ended yet.
            None if self.name == "audit" => ("wrote a report".to_owned(), String::new()),
            None => ("no end recorded".to_owned(), String::new()),
        };
        let mut detail = self.detail.clone();
        if let Some(release) = self.end.as_ref().and_then(|end| end.release.as_ref()) {
            let gap = if detail.is_empty() { "" } else { "; " };
            let _ = write!(detail, "{gap}serving {} {} ({})", release.image, release.version, release.mode);
        }
        [moment(self.at), self.name.clone(), outcome, took, self.actor.0.clone(), detail]
    }
}

impl InjectedFault {
    fn row(&self) -> [String; 6] {
        let ended = match (&self.end, self.until) {
            (Some((at, reason)), _) => format!("{}, {reason}", moment(*at)),
            (None, Some(until)) => format!("no end recorded, due {}", moment(until)),
            (None, None) => "no end recorded".to_owned(),
        };
        let Self { fault, detail, source, actor, .. } = self;
        [moment(self.at), fault.clone(), detail.clone(), source.clone(), actor.0.clone(), ended]
    }
}

impl Violation {
    fn row(&self) -> [String; 3] {
        let mut details = self.details.join("; ");
        if let Some((end, is_gone)) = self.end {
            let gap = if details.is_empty() { "" } else { "; " };
            let how = if is_gone { "ended with what was judged" } else { "held again" };
            let _ = write!(details, "{gap}{how} {}", moment(end));
        }
        [moment(self.at), self.policy.clone(), details]
    }
}

impl Scrapes {
    fn rows(&self) -> impl Iterator<Item = [String; 3]> {
        let count = |figure: &str, count: u64| Some([figure.to_owned(), count.to_string(), String::new()]);
        let highest = |figure: &str, value: Option<(f64, DateTime<Utc>)>, show: fn(f64) -> String| {
            value.map(|(value, at)| [figure.to_owned(), show(value), moment(at)])
        };
        let rows = match self.count {
            0 => Vec::new(),
            all => vec![
                count("Scrapes", all),
                count("Scrapes that failed", self.failed),
                (self.early > 0).then(|| count("Scrapes before a window was complete", self.early)).flatten(),
                count("Scrapes without requests", self.without_requests),
                highest("Worst error rate", self.worst_error_rate, |rate| format!("{:.2} %", rate * 100.0)),
                highest("Worst P99", self.worst_p99_ms, |p99| format!("{p99:.0} ms")),
                highest("Highest request rate", self.highest_rate, |rate| format!("{rate:.1}/s")),
            ],
        };
        rows.into_iter().flatten()
    }
}

fn keep_highest(highest: &mut Option<(f64, DateTime<Utc>)>, value: Option<f64>, at: DateTime<Utc>) {
    if let Some(value) = value.filter(|value| value.is_finite())
        && highest.is_none_or(|(best, _)| value > best)
    {
        *highest = Some((value, at));
    }
}

fn seconds(millis: u64) -> String {
    format!("{}.{} s", millis / 1000, millis % 1000 / 100)
}

/// Who decided, in a few words: name, version and address first.
fn engine_of(engine: &Value) -> String {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let Value::Object(members) = engine else { return plain(engine) };
    let first = ["name", "engine", "version", "address"];
    let known = first.into_iter().filter_map(|key| members.get(key));
    let others = members.iter().filter(|(key, _)| !first.contains(&key.as_str())).map(|(_, value)| value);
    let words: Vec<String> = known.chain(others).map(plain).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// A heading and a table. The head stands there also without rows, so that a
/// reader sees what was looked for.
fn table<const COLUMNS: usize>(
    report: &mut String,
    title: &str,
    columns: [&str; COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) {
    let _ = write!(report, "\n## {title}\n\n| {} |\n|{}\n", columns.join(" | "), " --- |".repeat(COLUMNS));
    let mut is_empty = true;
    for row in rows {
        is_empty = false;
        let cells = row.map(|value| cell(&value));
        let _ = writeln!(report, "| {} |", cells.join(" | "));
    }
    if is_empty {
        report.push_str("\nNone recorded.\n");
    }
}
