//! `audit verify`: the history's chain.

use std::process::ExitCode;

use super::super::args::Common;
use super::super::failure::Failure;
use super::super::open;
use super::super::print::{complain, line};
use crate::history;

/// Checks the chain; exit 1 when it is broken. An end that nothing proves is told, and
/// no failure: it is what a crash leaves, too.
pub(in super::super) fn verify(common: &Common) -> Result<ExitCode, Failure> {
    let project = open::project(common)?;
    let report = history::verify(project.root())
        .map_err(|error| Failure::new(error.to_string(), error.next_step()))?;
    if common.json {
        line(
            &serde_json::json!({
                "event": "verified",
                "intact": report.is_intact(),
                "proven": report.is_intact() && report.unproven.is_none(),
                "report": report,
            })
            .to_string(),
        )?;
    } else if report.is_intact() {
        line(&report.to_string())?;
    } else {
        complain(&format!("error: {report}"));
    }
    Ok(if report.is_intact() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
