//! `teardown`: everything of this project goes, and nothing else.

use std::fs;
use std::io;

use super::super::adopt::{mode_edit, write_mode};
use super::super::context::Context;
use super::super::core::Core;
use super::super::event::StateEvent;
use super::super::files::remove_if_there;
use super::super::halt::{Halt, file_failure};
use super::super::state::GeneratedState;
use super::super::{faults, owner, violation};
use crate::domain::Mode;
use crate::manifest::{Manifest, ManifestError};
use crate::render;
use crate::runtime::Observed;

pub(super) async fn run(context: &Context, clean: bool) -> Result<String, Halt> {
    let core = &context.core;
    let Standing { manifest, is_usable, notice } = standing(core)?;
    if let Some(notice) = notice {
        context.notice(notice);
    }
    let session = core.session(&manifest).await?;
    if let Ok(observed) = session.runtime.observe().await {
        faults::look_at_all(core, &observed).await;
    }
    let removed = context
        .step("remove the stack", async |_| {
            let removed = session.runtime.teardown().await?;
            let detail = if removed.is_empty() { "there was none".into() } else { removed.join(", ") };
            Ok((removed, detail))
        })
        .await?;
    faults::settle(core, &Observed::default()).await;
    violation::end_of_gone(core, &[]).await?;
    if is_usable && manifest.services.mode == Mode::Canary {
        // The test ended with the stack; the next deploy must not begin as a
        // canary that has no stable release beside it.
        write_mode(context, mode_edit(Mode::Stable), Mode::Stable).await?;
    }
    context
        .step_through("forget the releases", async |_| {
            core.journal.forget().map_err(file_failure(&core.project.state()))?;
            core.measurements.forget(core.clock.wall());
            Ok(((), String::new()))
        })
        .await?;
    if clean {
        context
            .step("remove generated files", async |_| {
                for file in render::declared(&manifest)? {
                    let path = core.project.root().join(&file.path);
                    remove_if_there(&path).map_err(file_failure(&path))?;
                }
                remove_empty_folders(context).map_err(file_failure(&core.project.generated()))?;
                core.tell_state(StateEvent::Generated(GeneratedState::Absent));
                Ok(((), "generated/".into()))
            })
            .await?;
    }
    Ok(match removed.len() {
        0 => "there was nothing to remove".into(),
        1 => "1 object removed; the history stays".into(),
        count => format!("{count} objects removed; the history stays"),
    })
}

/// What is to be taken down.
pub(in super::super) struct Standing {
    pub(in super::super) manifest: Manifest,
    /// Whether the manifest on disk can be read.
    is_usable: bool,
    /// Why it is not simply what the manifest on disk says.
    notice: Option<String>,
}

/// The stack that was deployed: neither an unfinished edit nor another name of the
/// project is a reason to let anything run on.
pub(in super::super) fn standing(core: &Core) -> Result<Standing, ManifestError> {
    let (document, why) = match (core.document(), core.deployed_document()) {
        (Err(error), Some(deployed)) => (deployed, Some(format!("since {error}"))),
        (now, _) => (now?, None),
    };
    let mut manifest = document.manifest().clone();
    let is_usable = why.is_none();
    let deployed = owner::deployed_project(&core.project).filter(|deployed| *deployed != manifest.project);
    let renamed = deployed.map(|deployed| {
        manifest.project = deployed;
        format!("as project {}", manifest.project)
    });
    let why = why.or(renamed);
    let notice = why.map(|why| format!("the stack is taken down as it was deployed, {why}"));
    Ok(Standing { manifest, is_usable, notice })
}

/// Removes the folders that the generated files leave empty; what a person put
/// there stays.
fn remove_empty_folders(context: &Context) -> io::Result<()> {
    let generated = context.core.project.generated();
    for folder in [generated.join("opa"), generated] {
        match fs::remove_dir(&folder) {
            Err(error)
                if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) =>
            {
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(())
}
