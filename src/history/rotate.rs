//! What becomes of full parts, of the oldest ones, and of torn lines.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use super::chain::{self, Link};
use super::error::HistoryError;
use super::files::{self, CURRENT, OldPart};
use super::lines::read_line;
use super::store::Limits;
use super::tail;

/// Gives a full part its final name, after its first record, and returns the
/// name.
pub(super) fn retire(dir: &Path, current: &Path) -> Result<String, HistoryError> {
    let damaged = |reason: String| HistoryError::Damaged { path: current.to_owned(), reason };
    let file = File::open(current).map_err(|source| HistoryError::reading(current, source))?;
    let first =
        read_line(&mut BufReader::new(file)).map_err(|source| HistoryError::reading(current, source))?;
    let first = first.ok_or_else(|| damaged("it has no first line".to_owned()))?;
    let first_seq = chain::parse(&first.bytes).map_err(damaged)?.seq;
    let path = files::old_part_path(dir, first_seq);
    if path.exists() {
        // Renaming would destroy it.
        return Err(damaged(format!("{} is there already", path.display())));
    }
    fs::rename(current, &path).map_err(|source| HistoryError::writing(&path, source))?;
    Ok(name_of(&path))
}

/// A part that is removed to stay below the limit.
pub(super) struct Oldest {
    part: OldPart,
    last: Link,
}

/// Begins the note that tells of a removed part; `verify` looks for it.
pub(super) const REMOVAL: &str = "removes the oldest part ";

impl Oldest {
    /// What stays of it in the history: enough to prove the chain from there.
    pub(super) fn note(&self) -> String {
        format!(
            "{REMOVAL}{} to keep the history below its limit: records {} to {}, last hash {}",
            name_of(&self.part.path),
            self.part.first_seq,
            self.last.seq,
            self.last.hash,
        )
    }

    /// A part that cannot be removed now is removed at the next rotation;
    /// that must not keep a record from being written.
    pub(super) fn remove(self) {
        let _ = fs::remove_file(&self.part.path);
    }
}

/// The parts, the oldest first, that are too many for the limit. Never the
/// newest full one, since a report needs something to show; and none behind a
/// part whose end is no record, since it is evidence.
pub(super) fn too_old(dir: &Path, limits: Limits) -> Vec<Oldest> {
    let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let mut parts = files::old_parts(dir).unwrap_or_default();
    let mut total: u64 = size(&dir.join(CURRENT)) + parts.iter().map(|part| size(&part.path)).sum::<u64>();
    parts.pop();
    let mut too_old = Vec::new();
    for part in parts {
        if total <= limits.total {
            break;
        }
        total -= size(&part.path);
        let Some(last) = last_of(&part.path) else { break };
        too_old.push(Oldest { part, last });
    }
    too_old
}

fn last_of(path: &Path) -> Option<Link> {
    let end = tail::read(&mut File::open(path).ok()?).ok()?;
    Link::of(&end.line?).ok()
}

/// Keeps what a crash left of a line, in a file of its own, and returns the
/// file's name. Nothing that is there already is overwritten.
pub(super) fn set_aside(dir: &Path, seq: u64, torn: &[u8]) -> Result<String, HistoryError> {
    let mut attempt = 1;
    loop {
        let path = match attempt {
            1 => dir.join(format!("history.torn-{seq}")),
            _ => dir.join(format!("history.torn-{seq}-{attempt}")),
        };
        if fs::read(&path).is_ok_and(|kept| kept == torn) {
            // A crash came between setting aside and cutting off.
            return Ok(name_of(&path));
        }
        match keep(&path, torn) {
            Ok(()) => return Ok(name_of(&path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => attempt += 1,
            Err(source) => return Err(HistoryError::writing(&path, source)),
        }
    }
}

fn keep(path: &PathBuf, torn: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(torn).and_then(|()| file.sync_all()).inspect_err(|_| {
        let _ = fs::remove_file(path);
    })
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
