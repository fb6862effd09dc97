//! Writing into the manifest what has become true: the mode, and where a
//! canary's release was adopted its image and version. Every other byte
//! stays; the generated files follow.

use std::fs::OpenOptions;

use super::context::Context;
use super::files::UNFINISHED;
use super::generate;
use super::halt::{Halt, file_failure};
use crate::domain::Mode;
use crate::history::Entry;
use crate::manifest::{Edit, ManifestError};

/// The change of the mode alone.
pub(super) fn mode_edit(mode: Mode) -> Edit {
    Edit { mode: Some(mode), ..Edit::default() }
}

/// Makes sure, before anything is started, that the manifest will take the
/// change: traffic must not move and then the file not follow.
pub(super) fn check(context: &Context, edit: &Edit) -> Result<(), Halt> {
    let document = context.core.document()?;
    document.with(edit)?;
    let path = context.core.project.manifest();
    OpenOptions::new().append(true).open(path).map_err(file_failure(path))?;
    let root = context.core.project.root();
    tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(root).map_err(file_failure(root))?;
    Ok(())
}

/// Writes the mode (and the release) into the manifest, records the change
/// and generates anew.
pub(super) async fn write_mode(context: &Context, edit: Edit, to: Mode) -> Result<(), Halt> {
    let edited = context
        .step_through("update manifest", async |_| {
            let document = context.core.document().map_err(unreadable)?;
            let before = document.manifest().services.mode;
            let edited = document.with(&edit)?;
            if edited.text() != document.text() {
                edited.save()?;
            }
            note_mode(context, Some(before), to).await?;
            Ok((edited, format!("mode: {to}")))
        })
        .await?;
    context.step_through("generate files", async |_| generate::generate(context, edited.manifest())).await?;
    Ok(())
}

/// Why the manifest cannot be changed, in a line: it is told in the middle of the
/// steps, and the lines of the file that are wrong are not what matters there.
fn unreadable(error: ManifestError) -> Halt {
    match error {
        ManifestError::Invalid { .. } => {
            Halt::failed(error.brief(), "correct the manifest, then run the command again")
        }
        other => other.into(),
    }
}

/// Records a change of the mode, once: what the last record led to is
/// remembered, so that a repeated operation after a crash records what the
/// first one could not.
pub(super) async fn note_mode(context: &Context, before: Option<Mode>, to: Mode) -> Result<(), Halt> {
    let journal = &context.core.journal;
    let from = journal.recorded_mode().or(before);
    if let Some(from) = from
        && from != to
    {
        context.record(Entry::ModeChange { from, to, operation_id: context.id.0.clone() }).await?;
    }
    if let Err(error) = journal.set_recorded_mode(to) {
        context.notice(format!("the journal cannot be written: {error}"));
    }
    Ok(())
}
