//! Where a decision comes from: which line of which rule gave the verdict,
//! each violation and each comparison, which key of `data.json` holds the
//! limit, which fact was observed.
//!
//! No place is guessed. It is found by changing the policies in memory and
//! asking again with the recorded facts: the string whose change shows up as
//! the code of a violation is the one that the code comes from, and the value
//! of `data.json` whose change shows up as the limit is that limit
//! ([`trace`]). This holds for a gate of the user's own as for ours, however
//! it is written. What does not show is *not known*, and said so.
//!
//! The embedded engine evaluates it, whoever decided. Where it does not give
//! the same answer as the one that is explained, or cannot evaluate the
//! policies at all, only what the text of the files says is told: a code that
//! is written in one place alone comes from there.

mod leaves;
mod literals;
mod trace;

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::answer::is_same;
use super::bundle::PolicyBundle;
use super::{Decision, Fault};
use literals::{Literal, literals};
use trace::Tracer;

/// Longest time of one evaluation; there may be hundreds.
const EVALUATION: Duration = Duration::from_millis(500);

/// A place in the policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file as a person finds it, `policies/canary.rego`.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The rule around it, where it can be told.
    pub rule: Option<String>,
}

/// Where a limit stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "in", rename_all = "snake_case")]
pub enum LimitAt {
    /// In `data.json`.
    Data {
        /// The key, `thresholds.error_rate`.
        key: String,
    },
    /// Among the facts, as `canary.min_requests` of the manifest is.
    Facts {
        /// The key, `samples_needed`.
        key: String,
    },
    /// Neither: it is written in the rule, or computed there.
    Rule,
}

/// Where one comparison or violation comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trace {
    /// The fact of the comparison or the code of the violation.
    pub name: String,
    /// The line that it comes from; `None` when that is not known.
    pub rule: Option<Place>,
    /// The key among the facts that was observed.
    pub fact: Option<String>,
    /// Where the fact was read, as the facts tell it.
    pub source: Option<String>,
    /// Where the limit stands; `None` when that is not known.
    pub limit: Option<LimitAt>,
}

/// Where a decision comes from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The line that gave the verdict; `None` when that is not known.
    pub rule: Option<Place>,
    /// For every comparison of the decision, in its order.
    pub checks: Vec<Trace>,
    /// For every violation of the decision, in its order.
    pub violations: Vec<Trace>,
    /// The revision of the policies on disk, which the places are in; empty
    /// when they cannot be read.
    pub revision: String,
    /// What is to be known about the places: why they are missing, or that
    /// they are those of newer files.
    pub note: Option<String>,
}

impl Explanation {
    /// The trace of a comparison.
    #[must_use]
    pub fn check(&self, fact: &str) -> Option<&Trace> {
        self.checks.iter().find(|trace| trace.name == fact)
    }

    /// The trace of a violation.
    #[must_use]
    pub fn violation(&self, code: &str) -> Option<&Trace> {
        self.violations.iter().find(|trace| trace.name == code)
    }
}

/// A decision without any place, where none is to be looked for.
#[must_use]
pub fn unexplained(decision: &Decision) -> Explanation {
    Explanation::without_places(decision, String::new(), None)
}

/// Finds where a decision comes from, in the policies of a folder. Blocks, for
/// some hundred evaluations at most.
#[must_use]
pub fn explain(policies: &Path, decision: &Decision) -> Explanation {
    let bundle = match PolicyBundle::load(policies) {
        Ok(bundle) => bundle,
        Err(fault) => return Explanation::without_places(decision, String::new(), Some(fault.to_string())),
    };
    let revision = bundle.revision().to_owned();
    if decision.result.is_null() {
        // Nothing was answered, so no rule gave it; the fault says it all.
        return Explanation::without_places(decision, revision, None);
    }
    let is_of_now = decision.revision == revision;
    match Tracer::new(&bundle, &decision.gate, &decision.input, EVALUATION) {
        Ok(tracer) if is_same(tracer.result(), &decision.result) => {
            let note = (!is_of_now).then(|| {
                format!(
                    "the places are in the policies now on disk (revision {revision}), which give the same answer"
                )
            });
            traced(tracer, decision, revision, note)
        }
        other => {
            let why = match other {
                Err(Fault::Policies { reason }) => {
                    format!("the embedded engine, which finds the places, cannot evaluate them: {reason}")
                }
                Err(fault) => format!("the embedded engine, which finds the places, says: {fault}"),
                Ok(_) if !is_of_now => format!(
                    "the policies now on disk (revision {revision}) answer otherwise than those that decided"
                ),
                Ok(_) => "the embedded engine, which finds the places, gives another answer".to_owned(),
            };
            let mut explanation = Explanation::without_places(decision, revision, None);
            if is_of_now {
                explanation.place_by_text(&bundle, &decision.gate);
            }
            explanation.note = Some(format!("{why}; what is not told is not known"));
            explanation
        }
    }
}

fn traced(
    mut tracer: Tracer<'_>,
    decision: &Decision,
    revision: String,
    note: Option<String>,
) -> Explanation {
    // What matters most comes first: where many facts are alike, as the counts of a
    // histogram without requests, the search may end before it has tried all of them.
    let rule = tracer.rule_of_verdict();
    // A fault is its own violation, which no rule gave.
    let given = decision.fault.is_none().then_some(&decision.violations).into_iter().flatten();
    let violations = given.enumerate().map(|(index, violation)| {
        let fact = tracer.fact_of_violation(index);
        let told = tracer.source_of_violation(index);
        Trace {
            name: violation.code.clone(),
            rule: tracer.rule_of_violation(index),
            source: told.or_else(|| fact.as_deref().and_then(|fact| source(&decision.input, fact))),
            fact,
            limit: tracer.limit_of_violation(index),
        }
    });
    let violations = violations.collect();
    let checks = decision.checks.iter().enumerate().map(|(index, check)| Trace {
        name: check.fact.clone(),
        rule: tracer.rule_of_check(index),
        fact: tracer.fact_of_check(index),
        source: tracer.source_of_check(index).or_else(|| source(&decision.input, &check.fact)),
        limit: tracer.limit_of_check(index),
    });
    let checks = checks.collect();
    Explanation { rule, checks, violations, revision, note }
}

/// Where a fact was read, as the facts alone tell it: `sources.NAME`, or where
/// there are no several sources the one `source`.
fn source(input: &Value, name: &str) -> Option<String> {
    let told = match input.get("sources") {
        Some(sources) => sources.get(name),
        None => input.get("source"),
    };
    told.and_then(Value::as_str).map(str::to_owned)
}

impl Explanation {
    fn without_places(decision: &Decision, revision: String, note: Option<String>) -> Self {
        let bare =
            |name: &str, source| Trace { name: name.to_owned(), rule: None, fact: None, source, limit: None };
        // A fault is its own violation, which no rule gave.
        let violations = decision.fault.is_none().then_some(&decision.violations).into_iter().flatten();
        Self {
            rule: None,
            checks: decision
                .checks
                .iter()
                .map(|check| bare(&check.fact, source(&decision.input, &check.fact)))
                .collect(),
            violations: violations.map(|violation| bare(&violation.code, None)).collect(),
            revision,
            note,
        }
    }

    /// A code that is written in one place of the package comes from there.
    fn place_by_text(&mut self, bundle: &PolicyBundle, package: &str) {
        for trace in &mut self.violations {
            let mut places =
                bundle.modules().iter().filter(|module| module.package == package).flat_map(|module| {
                    literals(&module.source)
                        .into_iter()
                        .filter(|literal| literal.text == trace.name)
                        .map(|literal| place(&module.shown, &literal))
                });
            let only = places.next().filter(|_| places.next().is_none());
            drop(places);
            trace.rule = only;
        }
    }
}

fn place(file: &str, literal: &Literal<'_>) -> Place {
    Place { file: file.to_owned(), line: literal.line, rule: literal.rule.map(str::to_owned) }
}

#[cfg(test)]
mod tests;
