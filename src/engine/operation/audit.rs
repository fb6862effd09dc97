//! `audit`: the report, from the whole history.

use std::path::Path;

use super::super::context::Context;
use super::super::faults;
use super::super::files::write_atomically;
use super::super::halt::{Halt, file_failure};
use crate::history::{self, report};

/// Records a fault that came past this tool, so that it is in the report. The
/// report does not depend on a stack that can be reached.
async fn record_what_runs(context: &Context) {
    let core = &context.core;
    let Ok(document) = core.document() else { return };
    let Ok(session) = core.session(document.manifest()).await else { return };
    if let Ok(observed) = session.runtime.observe().await {
        faults::look_at_all(core, &observed).await;
    }
}

pub(super) async fn run(context: &Context, out: Option<&Path>) -> Result<String, Halt> {
    let core = &context.core;
    let path = match out {
        // Where the command was given, not where the manifest is.
        Some(out) => std::path::absolute(out).map_err(file_failure(out))?,
        None => core.project.root().join("audit_report.md"),
    };
    let name = core
        .document()
        .map_or_else(|_| "this project".into(), |document| document.manifest().project.clone());
    record_what_runs(context).await;
    context
        .step("write the report", async |_| {
            let root = core.project.root().to_owned();
            let now = core.clock.wall();
            let made = tokio::task::spawn_blocking(move || report::from_folder(&root, now, &name)).await;
            let text = made.map_err(|stopped| Halt::failed(stopped.to_string(), "repeat"))??;
            write_atomically(&path, text.as_bytes()).map_err(file_failure(&path))?;
            Ok(((), format!("{} lines in {}", text.lines().count(), path.display())))
        })
        .await?;
    let root = core.project.root().to_owned();
    let verified = tokio::task::spawn_blocking(move || history::verify(&root)).await;
    let verified = verified.map_err(|stopped| Halt::failed(stopped.to_string(), "repeat"))??;
    if verified.is_intact() {
        let losses = match verified.losses.len() {
            0 => String::new(),
            1 => ", but it tells of a loss; see `swiftdeploy audit verify`".into(),
            count => format!(", but it tells of {count} losses; see `swiftdeploy audit verify`"),
        };
        let end = match &verified.unproven {
            None => String::new(),
            Some(unproven) => format!(", but its end is not proven: {unproven}"),
        };
        Ok(format!("{} written; the history's chain is intact{end}{losses}", path.display()))
    } else {
        Err(Halt::failed(
            format!("{} written, but the history's chain is broken: {verified}", path.display()),
            "see `swiftdeploy audit verify`",
        ))
    }
}
