//! One mutating operation at a time, across processes: an advisory lock on
//! `.swiftdeploy/lock` whose content says who holds it. The kernel releases
//! it with the process, so a crash leaves no stale lock.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// `user@host`.
    pub actor: String,
    /// What it does, `deploy`.
    pub operation: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { pid, actor, operation, since } = self;
        write!(f, "{operation} is running since {} ({actor}, pid {pid})", since.format("%H:%M:%S UTC"))
    }
}

/// Why the lock was not got.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody holds it.
    #[error("busy: {0}")]
    Busy(String),
    /// The file cannot be used.
    #[error("cannot use the lock {path}: {source}")]
    File {
        /// Which.
        path: String,
        /// The cause.
        source: io::Error,
    },
}

/// The lock, held until dropped.
#[derive(Debug)]
pub struct OperationLock {
    file: File,
}

impl OperationLock {
    /// Takes the lock in a state folder, or tells who has it.
    pub fn acquire(path: &Path, holder: &Holder) -> Result<Self, LockError> {
        let failed = |source| LockError::File { path: path.display().to_string(), source };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let told = file
                    .read_to_string(&mut text)
                    .ok()
                    .and_then(|_| serde_json::from_str::<Holder>(&text).ok());
                return Err(LockError::Busy(told.map_or_else(
                    || "another operation is running".to_owned(),
                    |holder| holder.to_string(),
                )));
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // Who holds it is only for the message of others: with a full disk the
        // lock itself still holds.
        let _ = tell(&mut file, holder);
        Ok(Self { file })
    }
}

/// Writes who holds the lock into it.
fn tell(file: &mut File, holder: &Holder) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&serde_json::to_vec(holder)?)?;
    file.sync_data()
}

impl Drop for OperationLock {
    fn drop(&mut self) {
        // The content is only for the message; the lock itself goes with the
        // file, so a failure here changes nothing.
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(operation: &str) -> Holder {
        let since = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Holder { pid: 42, actor: "ann@host".into(), operation: operation.into(), since }
    }

    #[test]
    fn a_second_holder_is_told_who_is_first_until_it_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/lock");
        let first = OperationLock::acquire(&path, &holder("deploy")).unwrap();
        let refused = OperationLock::acquire(&path, &holder("rollback")).unwrap_err().to_string();
        assert!(
            refused.contains("deploy is running since") && refused.contains("ann@host, pid 42"),
            "{refused}"
        );
        drop(first);
        assert!(OperationLock::acquire(&path, &holder("rollback")).is_ok());
    }
}
