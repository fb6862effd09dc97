//! Files that were being written when their process was ended: they are nobody's,
//! and would stay for ever.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::core::Core;
use super::files::UNFINISHED;

/// A file is written in a moment. One that is older and not in its place has lost
/// its writer, in whatever process that was.
const OLD: Duration = Duration::from_mins(1);

/// How files begin that are written in the tool's own folder: also by the history,
/// and by versions before this one.
const OWN: [&str; 2] = [".swiftdeploy-", "head-"];

/// Removes them, wherever the tool writes. For the holder of the operation lock;
/// what cannot be removed now is tried again by the next.
pub(super) fn sweep(core: &Core) {
    let project = &core.project;
    let generated = project.generated();
    let now = SystemTime::from(core.clock.wall());
    let is_own = |name: &str| OWN.iter().any(|begin| name.starts_with(begin));
    // Elsewhere a person keeps files too.
    let is_manifest = |name: &str| name.strip_prefix(".manifest-")?.strip_suffix(".tmp").map(drop);
    let is_ours = |name: &str| name.starts_with(UNFINISHED) || is_manifest(name).is_some();
    let mut left = old_files(&project.state(), now, is_own);
    for folder in [project.root().to_owned(), generated.join("opa"), generated] {
        left.extend(old_files(&folder, now, is_ours));
    }
    for file in left {
        let _ = fs::remove_file(file);
    }
}

fn old_files(folder: &Path, now: SystemTime, is_meant: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let is_old = |entry: &fs::DirEntry| {
        entry.metadata().is_ok_and(|metadata| {
            let age = metadata.modified().ok().and_then(|written| now.duration_since(written).ok());
            metadata.is_file() && age.is_some_and(|age| age > OLD)
        })
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_str().is_some_and(&is_meant) && is_old(entry))
        .map(|entry| entry.path())
        .collect()
}
