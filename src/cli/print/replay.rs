//! What a replay of the history found.

use super::people::took;
use super::{Paint, clean};
use crate::engine::{ChangedDecision, ReplayReport};
use crate::policy::Verdict;
use crate::policy::replay::Side;

/// A decision whose answer would be another one.
pub(in super::super) fn changed_lines(changed: &ChangedDecision, paint: Paint) -> Vec<String> {
    let ChangedDecision { seq, timestamp, gate, change, .. } = changed;
    let when = timestamp.format("%Y-%m-%d %H:%M:%SZ");
    let mut lines = vec![format!(
        "{} {when}  {}  {} -> {}",
        paint.strong(&format!("seq {seq}")),
        clean(gate),
        word(&change.then, paint),
        word(&change.now, paint),
    )];
    let reasons = |side: &Side| clean(&side.reasons.join("; ")).replace('\n', " ");
    lines.push(format!("    then     {}", reasons(&change.then)));
    lines.push(format!("    now      {}", reasons(&change.now)));
    if !change.differs.is_empty() {
        lines.push(format!("    differs  {}", clean(&change.differs.join("; ")).replace('\n', " ")));
    }
    lines
}

fn word(side: &Side, paint: Paint) -> String {
    match (side.verdict, &side.fault) {
        (_, Some(_)) | (Verdict::Fail, None) => paint.bad(side.word()),
        (Verdict::Pass, None) => paint.good(side.word()),
        (Verdict::Inconclusive, None) => paint.unsure(side.word()),
    }
}

/// The totals.
pub(in super::super) fn replayed_lines(report: &ReplayReport, paint: Paint) -> Vec<String> {
    let engine =
        format!("{} {}", report.engine.name, report.engine.version.as_deref().unwrap_or("version unknown"));
    let mut lines = Vec::new();
    if report.changed > 0 {
        lines.push(String::new());
    }
    let span = report.span.map_or_else(String::new, |(first, last)| {
        format!(" from {} to {}", first.format("%Y-%m-%d %H:%M:%SZ"), last.format("%Y-%m-%d %H:%M:%SZ"))
    });
    let head = format!("{} of {} answers would change", report.changed, report.decisions);
    let head = if report.changed > 0 { paint.bad(&head) } else { paint.good(&head) };
    let transitions: Vec<String> =
        report.transitions.iter().map(|(transition, count)| format!("{count} {transition}")).collect();
    lines.push(if transitions.is_empty() { head } else { format!("{head}: {}", transitions.join(", ")) });
    if report.for_want_of_facts > 0 {
        lines.push(format!(
            "  {} of them for want of facts that were not recorded then",
            report.for_want_of_facts
        ));
    }
    lines.push(format!("  {} the same, {} the same in other words", report.same, report.reworded));
    if report.without_answer_then() > 0 {
        lines.push(format!("  {} had no answer then and are not compared:", report.without_answer_then()));
        let faults = report.no_answer_then.iter();
        lines.extend(
            faults.map(|(reason, count)| format!("    {count} × {}", clean(reason).replace('\n', " "))),
        );
    }
    lines.push(paint.dim(&format!(
        "  decisions{span}, asked of {engine} with policies {}, in {}",
        report.revision,
        took(report.elapsed)
    )));
    if !report.is_whole() {
        let count = report.unreadable;
        lines.push(paint.bad(&format!("  THE HISTORY IS DAMAGED: {count} lines are no records")));
    }
    // What is no fault but worth knowing: removed parts, noted losses.
    let begins_late = report.chain.first_seq.is_some_and(|first| first > 1);
    if !report.chain.is_intact() || begins_late || !report.chain.losses.is_empty() {
        lines.extend(report.chain.to_string().lines().map(|line| format!("  {}", clean(line))));
    }
    lines
}
