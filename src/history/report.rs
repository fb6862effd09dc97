//! `audit_report.md`: what happened, for people, as GitHub Markdown.

mod sections;

use std::fmt::Write;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::error::HistoryError;
use super::escape::text;
use super::record::Record;
use super::verify::{VerifyReport, verify};
use super::{escape, read_all};
use sections::Sections;

/// The report of the history in a project's folder. A damaged history has a
/// report too: it says what is wrong and shows what can still be read.
pub fn from_folder(dir: &Path, now: DateTime<Utc>, project: &str) -> Result<String, HistoryError> {
    let chain = verify(dir)?;
    let records = read_all(dir)?.filter_map(Result::ok);
    Ok(markdown(records, &chain, now, project))
}

/// The report of some records; `chain` is what [`verify`] found. Pure: equal
/// inputs give equal bytes. Memory does not grow with scrapes.
pub fn markdown(
    records: impl IntoIterator<Item = Record>,
    chain: &VerifyReport,
    now: DateTime<Utc>,
    project: &str,
) -> String {
    let mut sections = Sections::default();
    for record in records {
        sections.add(record);
    }
    let mut report = String::new();
    head(&mut report, &sections, chain, now, project);
    sections.write(&mut report);
    report
}

fn head(report: &mut String, sections: &Sections, chain: &VerifyReport, now: DateTime<Utc>, project: &str) {
    let period = match sections.period() {
        Some((from, to)) => format!("{} to {}", moment(from), moment(to)),
        None => "nothing recorded yet".to_owned(),
    };
    // Writing to a string cannot fail.
    let _ = write!(report, "# Audit report: {}\n\n", escape::cell(project));
    let _ = writeln!(report, "- Written: {}", moment(now));
    let _ = writeln!(report, "- Period: {period}");
    let _ = writeln!(report, "- Records: {} in {} file(s)", chain.records, chain.parts);
    match (&chain.fault, &chain.last_hash) {
        (None, None) => report.push_str("- Chain: nothing to check yet\n"),
        (None, Some(hash)) => {
            let _ = writeln!(report, "- Chain: intact, last hash {}", text(hash));
        }
        (Some(fault), _) => {
            let fault = text(&fault.to_string());
            let _ = writeln!(report, "- Chain: **BROKEN** after {} good records. {fault}", chain.records);
        }
    }
    if let Some(unproven) = &chain.unproven {
        let _ = writeln!(report, "- **End not proven**: {}", text(&unproven.to_string()));
    }
    for loss in &chain.losses {
        let _ = writeln!(report, "- Loss noted in record {}: {}", loss.seq, text(&loss.detail));
    }
    for remark in &chain.remarks {
        let _ = writeln!(report, "- Note: {}", text(remark));
    }
}

/// A moment as the tables show it.
fn moment(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests;
