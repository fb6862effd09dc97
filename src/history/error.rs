//! Why the history cannot be written or read.

use std::io;
use std::path::{Path, PathBuf};

/// Why the history cannot be written or read. Whatever it is, the records
/// that were there before are there still.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// No room. The line is not written; the file is as it was.
    #[error("cannot record: the disk is full; {} is as it was", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No right to write.
    #[error("cannot record: no permission to write {}: {source}", path.display())]
    Denied {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another failure of the system while writing; the file is as it was.
    #[error("cannot record in {}: {source}; it is as it was", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A record that is larger than a line may be.
    #[error("cannot record: the line would have {size} bytes, the most is {limit}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The most bytes of a line.
        limit: usize,
    },
    /// The last line is no record, so that nothing can be chained to it.
    #[error("cannot record: the last line of {} is not a record ({reason}); nothing was changed", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with the line.
        reason: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A line, while reading, that is no record; reading may go on after it.
    #[error("{}:{line}: not a record: {reason}", path.display())]
    BadLine {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

impl HistoryError {
    /// A failure to write, told apart by what helps against it.
    pub(super) fn writing(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path, source },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Denied { path, source }
            }
            _ => Self::Write { path, source },
        }
    }

    /// A failure to read.
    pub(super) fn reading(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    /// What to do next.
    #[must_use]
    pub fn next_step(&self) -> String {
        match self {
            Self::Full { path, .. } => {
                format!("free space on the disk of {}, then run the command again", folder(path))
            }
            Self::Denied { path, .. } => format!(
                "run as the owner of {}, or give yourself the right to write there; nothing is done without a record",
                folder(path)
            ),
            Self::Write { .. } | Self::Read { .. } => {
                "correct what the system names, then run again".to_owned()
            }
            Self::TooLarge { .. } => {
                "shorten what the policy answers or what the operation describes".to_owned()
            }
            Self::Damaged { path, .. } => format!(
                "`swiftdeploy audit verify` shows what is damaged; then move {} to a safe place, a new one begins and says so",
                path.display()
            ),
            Self::BadLine { .. } => {
                "`swiftdeploy audit verify` tells what is wrong with the history".to_owned()
            }
        }
    }
}

fn folder(path: &Path) -> String {
    path.parent().unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::full(io::ErrorKind::StorageFull, "the disk is full", "free space")]
    #[case::quota(io::ErrorKind::QuotaExceeded, "the disk is full", "free space")]
    #[case::rights(io::ErrorKind::PermissionDenied, "no permission", "the owner of /srv/shop")]
    #[case::read_only(io::ErrorKind::ReadOnlyFilesystem, "no permission", "the right to write")]
    #[case::other(
        io::ErrorKind::Other,
        "cannot record in /srv/shop/history.jsonl",
        "correct what the system names"
    )]
    fn each_failure_says_what_helps(#[case] kind: io::ErrorKind, #[case] message: &str, #[case] next: &str) {
        let error = HistoryError::writing(Path::new("/srv/shop/history.jsonl"), io::Error::from(kind));
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.next_step().contains(next), "{}", error.next_step());
    }
}
