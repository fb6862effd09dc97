//! The history's files in a project's folder: which there are, in which
//! order, and the lock around them.
//!
//! `history.jsonl` is written; `history.<first seq>.jsonl` are its full parts;
//! `history.torn-<seq>` hold what a crash left of a line.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::error::HistoryError;

/// The part that is written.
pub(super) const CURRENT: &str = "history.jsonl";

/// The file whose lock makes writers wait for each other.
const LOCK: &str = "history.lock";

/// The most bytes of a line, its line feed excluded: far more than the
/// largest decision, little enough to be read at once.
pub(super) const MAX_LINE: usize = 1 << 20;

/// A full part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OldPart {
    /// The seq of its first record, from its name.
    pub(super) first_seq: u64,
    pub(super) path: PathBuf,
}

/// The full parts, the oldest first.
pub(super) fn old_parts(dir: &Path) -> Result<Vec<OldPart>, HistoryError> {
    let failed = |source| HistoryError::reading(dir, source);
    let mut parts = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if let Some(first_seq) = entry.file_name().to_str().and_then(first_seq_of) {
            parts.push(OldPart { first_seq, path: entry.path() });
        }
    }
    parts.sort();
    Ok(parts)
}

/// The path of the full part that begins with a record.
pub(super) fn old_part_path(dir: &Path, first_seq: u64) -> PathBuf {
    dir.join(format!("history.{first_seq}.jsonl"))
}

fn first_seq_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("history.")?.strip_suffix(".jsonl")?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if plain { digits.parse().ok() } else { None }
}

/// Waits until no other process writes; the lock ends with the file.
pub(super) fn lock_for_writing(dir: &Path) -> Result<File, HistoryError> {
    let path = dir.join(LOCK);
    let lock = || -> io::Result<File> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        file.lock()?;
        Ok(file)
    };
    lock().map_err(|source| HistoryError::writing(&path, source))
}

/// Waits until nobody writes, so that the files can be opened as they belong
/// together. A folder without the lock's file has no writer.
pub(super) fn lock_for_reading(dir: &Path) -> Result<Option<File>, HistoryError> {
    let path = dir.join(LOCK);
    match File::open(&path) {
        Ok(file) => {
            file.lock_shared().map(|()| Some(file)).map_err(|source| HistoryError::reading(&path, source))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(HistoryError::reading(&path, source)),
    }
}

/// Makes new and renamed names of a folder survive a crash, where the file
/// system can.
pub(super) fn sync_folder(dir: &Path) {
    // A folder that cannot be synced (some network file systems) is no reason
    // to lose the record that was just written.
    let _ = File::open(dir).and_then(|folder| folder.sync_all());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_ordered_by_number_and_other_files_are_no_parts() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "history.1.jsonl",
            "history.1000.jsonl",
            "history.20.jsonl",
            "history.jsonl",
            "history.torn-7",
            "history.007.jsonl",
            "history.x.jsonl",
            "history.-1.jsonl",
            "manifest.yaml",
        ] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let seqs: Vec<u64> = old_parts(dir.path()).unwrap().iter().map(|part| part.first_seq).collect();
        assert_eq!(seqs, [1, 20, 1000]);
        assert_eq!(old_parts(dir.path()).unwrap()[1].path, old_part_path(dir.path(), 20));
    }
}
