//! A decision explained: what passed and what did not, each with its rule, its
//! fact and its limit.

use std::path::Path;

use super::people::{decision_lines, took, verdict};
use super::status::{field, policy_name};
use super::{Paint, clean};
use crate::engine::RecordedDecision;
use crate::policy::explain::{Explanation, LimitAt, Place, Trace};
use crate::policy::{CheckLine, Decision};

/// What is explained.
pub(in super::super) struct Told<'a> {
    /// The decision.
    pub decision: &'a Decision,
    /// Where it comes from.
    pub explanation: &'a Explanation,
    /// Its record, for one of the history.
    pub recorded: Option<&'a RecordedDecision>,
    /// Files below this folder are named from here.
    pub here: Option<&'a Path>,
}

/// A decision for people.
pub(in super::super) fn explained(told: &Told<'_>, paint: Paint) -> Vec<String> {
    let Told { decision, explanation, recorded, .. } = told;
    let mut lines =
        vec![format!("{} {}", paint.strong(&policy_name(&decision.gate)), verdict(decision, paint))];
    lines.extend(recorded.map(|recorded| {
        let when = recorded.timestamp.format("%Y-%m-%d %H:%M:%SZ");
        let by = format!(
            "seq {} at {when}, asked by {} in {}",
            recorded.seq, recorded.actor, recorded.operation_id
        );
        field("recorded", &clean(&by))
    }));
    let engine = &decision.engine;
    let version = engine.version.as_deref().unwrap_or("version unknown");
    lines.push(field("decided by", &clean(&format!("{} {version} at {}", engine.name, engine.at))));
    let revision = if decision.revision.is_empty() { "not known" } else { &decision.revision };
    lines.push(field("revision", &clean(revision)));
    let is_timed = recorded.is_none_or(|recorded| recorded.is_timed);
    let time = if is_timed { took(decision.took) } else { "not recorded".to_owned() };
    lines.push(field("took", &time));
    let unanswered = recorded.and_then(RecordedDecision::unanswered);
    let has_fault = decision.fault.is_some() || unanswered.is_some();
    if !has_fault || explanation.rule.is_some() {
        lines.push(field("rule", &told.place(explanation.rule.as_ref())));
    }
    lines.extend(explanation.note.as_ref().map(|note| field("note", &clean(note))));
    match (&decision.fault, unanswered) {
        (Some(fault), _) => {
            lines.push(String::new());
            lines.extend(decision_lines(decision, paint));
            lines.push(field("next", fault.next_step()));
        }
        (None, Some(reason)) => {
            lines.push(String::new());
            lines.push(format!("{} {}", paint.bad("✗"), clean(&reason)));
            lines.push(
                "  the record of an older version, which does not name the kind of the fault".to_owned(),
            );
        }
        (None, None) => {
            told.comparisons(false, &mut lines, paint);
            told.violations(&mut lines, paint);
            told.comparisons(true, &mut lines, paint);
            lines.extend([String::new(), paint.strong("reasons")]);
            lines.extend(decision.reasons.iter().map(|reason| format!("- {}", clean(reason))));
        }
    }
    let facts = serde_json::to_string_pretty(&decision.input).unwrap_or_default();
    lines.push(String::new());
    lines.extend(clean(&format!("facts: {facts}")).lines().map(str::to_owned));
    lines
}

impl Told<'_> {
    /// The comparisons that were kept, or those that were not.
    fn comparisons(&self, ok: bool, lines: &mut Vec<String>, paint: Paint) {
        let traced = self.decision.checks.iter().zip(&self.explanation.checks);
        let mut of_these = traced.filter(|(check, _)| check.ok == ok).peekable();
        if of_these.peek().is_none() {
            return;
        }
        lines.extend([String::new(), paint.strong(if ok { "passed" } else { "did not pass" })]);
        for (check, trace) in of_these {
            let one = Decision { checks: vec![check.clone()], ..self.decision.clone() };
            lines.extend(decision_lines(&one, paint));
            self.trace(trace, limit_of(check), lines);
        }
    }

    fn violations(&self, lines: &mut Vec<String>, paint: Paint) {
        if self.decision.violations.is_empty() {
            return;
        }
        lines.extend([String::new(), paint.strong("violations")]);
        for (violation, trace) in self.decision.violations.iter().zip(&self.explanation.violations) {
            let said = clean(&format!("{}: {}", violation.code, violation.message)).replace('\n', " ");
            lines.push(format!("{} {said}", paint.bad("✗")));
            let limit = (!violation.limit.is_null()).then(|| violation.limit.to_string());
            self.trace(trace, limit, lines);
        }
    }

    fn trace(&self, trace: &Trace, limit: Option<String>, lines: &mut Vec<String>) {
        let under = |name: &str, value: &str| format!("    {name:<6} {}", clean(value).replace('\n', " "));
        let fact = match (&trace.fact, &trace.source) {
            (Some(fact), Some(source)) => Some(format!("{fact}, from {source}")),
            (Some(fact), None) => Some(fact.clone()),
            (None, Some(source)) => Some(format!("from {source}")),
            (None, None) => None,
        };
        lines.extend(fact.map(|fact| under("fact", &fact)));
        lines
            .extend(limit.map(|limit| under("limit", &format!("{limit}{}", limit_at(trace.limit.as_ref())))));
        lines.push(under("rule", &self.place(trace.rule.as_ref())));
    }

    /// `policies/canary.rego:71 (verdict)`.
    fn place(&self, place: Option<&Place>) -> String {
        let Some(place) = place else { return "not known".to_owned() };
        let file = Path::new(&place.file);
        let near = self.here.and_then(|here| file.strip_prefix(here).ok()).unwrap_or(file);
        let rule = place.rule.as_ref().map(|rule| format!(" ({rule})")).unwrap_or_default();
        clean(&format!("{}:{}{rule}", near.display(), place.line))
    }
}

fn limit_of(check: &CheckLine) -> Option<String> {
    let unit = if check.unit.is_empty() { String::new() } else { format!(" {}", check.unit) };
    (!check.limit.is_null()).then(|| format!("{}{unit}", check.limit))
}

fn limit_at(at: Option<&LimitAt>) -> String {
    match at {
        Some(LimitAt::Data { key }) => format!(", {key} in data.json"),
        Some(LimitAt::Facts { key }) => format!(", {key} of the facts"),
        Some(LimitAt::Rule) => ", written in the rule".to_owned(),
        None => String::new(),
    }
}
