//! Bringing the generated files to what the manifest means.

use std::fs;
use std::path::Path;

use super::context::Context;
use super::diff::unified;
use super::event::{Event, FileChange, FileStatus, OperationEvent, StateEvent};
use super::files::write_atomically;
use super::halt::{Halt, file_failure};
use super::state::GeneratedState;
use crate::manifest::Manifest;
use crate::render::{self, GeneratedFile};

/// Compares, and unless it is only a check writes what differs. A file that is
/// right already is not touched.
pub(super) fn generate_or_check(
    context: &Context,
    manifest: &Manifest,
    check: bool,
) -> Result<(Vec<FileChange>, String), Halt> {
    let files = render::declared(manifest)?;
    let root = context.core.project.root();
    let changes = compare(root, &files);
    if !check {
        for (file, change) in files.iter().zip(&changes) {
            if change.status != FileStatus::Same {
                let path = root.join(&file.path);
                write_atomically(&path, file.contents.as_bytes()).map_err(file_failure(&path))?;
            }
        }
        context.core.tell_state(StateEvent::Generated(GeneratedState::UpToDate));
    }
    context
        .core
        .tell(Event::Operation(OperationEvent::Files { id: context.id.clone(), changes: changes.clone() }));
    let different = changes.iter().filter(|change| change.status != FileStatus::Same).count();
    let detail = match different {
        0 => format!("{} files up to date", changes.len()),
        _ => format!("{different} of {} files differ", changes.len()),
    };
    Ok((changes, detail))
}

/// Writes the files of a manifest that differ; a step's value.
pub(super) fn generate(context: &Context, manifest: &Manifest) -> Result<(Vec<FileChange>, String), Halt> {
    generate_or_check(context, manifest, false)
}

/// What `init` would change below a folder.
pub(super) fn compare(root: &Path, files: &[GeneratedFile]) -> Vec<FileChange> {
    files
        .iter()
        .map(|file| {
            let (status, diff) = match fs::read_to_string(root.join(&file.path)) {
                Ok(old) if old == file.contents => (FileStatus::Same, String::new()),
                Ok(old) => (FileStatus::Changed, unified(&old, &file.contents)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    (FileStatus::New, String::new())
                }
                Err(_) => (FileStatus::Changed, String::new()),
            };
            FileChange { path: file.path.clone(), status, diff }
        })
        .collect()
}

/// Whether what is on disk is what the manifest means.
pub(super) fn generated_state(root: &Path, manifest: &Manifest) -> GeneratedState {
    let Ok(files) = render::declared(manifest) else {
        return GeneratedState::Unknown;
    };
    let changes = compare(root, &files);
    if changes.iter().all(|change| change.status == FileStatus::Same) {
        GeneratedState::UpToDate
    } else if changes.iter().all(|change| change.status == FileStatus::New) {
        GeneratedState::Absent
    } else {
        GeneratedState::Stale
    }
}
