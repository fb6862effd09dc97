//! Writing into the manifest what has become true: the mode, and where a
//! canary's release was adopted its image and version. Every other byte
//! stays; the generated files follow.

use super::context::Context;
use super::halt::Halt;
use super::operation::regenerate;
use crate::domain::Mode;
use crate::history::Entry;
use crate::manifest::Edit;

/// Writes the mode (and the release) into the manifest and generates anew.
pub(super) async fn write_mode(context: &Context, edit: Edit, to: Mode) -> Result<(), Halt> {
    let from = context
        .step_through("update manifest", async |_| {
            let document = context.core.document()?;
            let from = document.manifest().services.mode;
            let edited = document.with(&edit)?;
            if edited.text() != document.text() {
                edited.save()?;
            }
            regenerate(context, edited.manifest())?;
            Ok((from, format!("mode: {to}")))
        })
        .await?;
    if from != to {
        context.record(Entry::ModeChange { from, to, operation_id: context.id.0.clone() }).await?;
    }
    Ok(())
}
