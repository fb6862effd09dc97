//! Why a manifest cannot be used, saved or changed.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::problem::Problem;

/// Why a manifest cannot be used, saved or changed. `Display` is the whole
/// text for people, with every problem's place and line.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// There is no such file.
    #[error("there is no manifest at {}", path.display())]
    NotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the manifest {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than any manifest.
    #[error("the manifest {} is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes that are read.
        limit: u64,
    },
    /// The file is not UTF-8.
    #[error("the manifest {} is not UTF-8 text: byte {offset} (line {line}) is not valid", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The first byte that is wrong, counted from 0.
        offset: usize,
        /// Its line, counted from 1.
        line: usize,
    },
    /// Something is wrong in the text; at least one problem, in the order of
    /// the file.
    #[error("{}", Report { path, problems })]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problems: Vec<Problem>,
    },
    /// The value cannot be replaced without touching anything else.
    #[error("cannot change `{key}` in {}: {reason}", path.display())]
    CannotEdit {
        /// The file.
        path: PathBuf,
        /// The key, as `services.mode`.
        key: String,
        /// Why.
        reason: String,
        /// What a person can do.
        by_hand: String,
    },
    /// Somebody else changed the file after it was loaded.
    #[error("the manifest {} was changed by somebody else since it was read; it is left as it is", path.display())]
    ChangedOnDisk {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written; it is what it was.
    #[error("cannot write the manifest {}: {source}; it is left as it was", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl ManifestError {
    /// The file it is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::NotFound { path }
            | Self::Read { path, .. }
            | Self::TooLarge { path, .. }
            | Self::NotUtf8 { path, .. }
            | Self::Invalid { path, .. }
            | Self::CannotEdit { path, .. }
            | Self::ChangedOnDisk { path }
            | Self::Write { path, .. } => path,
        }
    }

    /// What is wrong in the text, with places; empty for other errors.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Invalid { problems, .. } => problems,
            _ => &[],
        }
    }

    /// The first problem and where it is, in one line without the excerpt: for where
    /// the whole report would be in the way.
    #[must_use]
    pub fn brief(&self) -> String {
        let Self::Invalid { path, problems } = self else { return self.to_string() };
        let Some(first) = problems.first() else { return self.to_string() };
        let key = first.key().map(|key| format!("{key}: ")).unwrap_or_default();
        let place = format!("{}:{}:{}", path.display(), first.line(), first.column());
        let more = match problems.len() - 1 {
            0 => String::new(),
            1 => ", and 1 more problem".to_owned(),
            more => format!(", and {more} more problems"),
        };
        format!("{key}{} ({place}){more}", first.message())
    }

    /// What to do next.
    #[must_use]
    pub fn next_step(&self) -> String {
        match self {
            Self::NotFound { .. } => {
                "write a starter with `swiftdeploy new`, or name the file with --manifest".to_owned()
            }
            Self::Read { .. } => "make the file readable, or name another with --manifest".to_owned(),
            Self::TooLarge { .. } => {
                "check that --manifest names a manifest; one has a few dozen lines".to_owned()
            }
            Self::NotUtf8 { .. } => "save the file as UTF-8 in your editor".to_owned(),
            Self::Invalid { problems, .. } if problems.len() == 1 => {
                "correct the line above, then run the command again".to_owned()
            }
            Self::Invalid { .. } => "correct the lines above, then run the command again".to_owned(),
            Self::CannotEdit { by_hand, .. } => by_hand.clone(),
            Self::ChangedOnDisk { .. } => "look at the change, then run the command again".to_owned(),
            Self::Write { .. } => {
                "free space or correct the permissions of the folder, then run again".to_owned()
            }
        }
    }
}

/// Problems that a screen still shows usefully.
const SHOWN: usize = 20;

struct Report<'a> {
    path: &'a Path,
    problems: &'a [Problem],
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.path.display().to_string();
        match self.problems.len() {
            1 => write!(f, "1 problem in {file}")?,
            count => write!(f, "{count} problems in {file}")?,
        }
        for problem in self.problems.iter().take(SHOWN) {
            write!(f, "\n\n")?;
            problem.write_report(f, &file)?;
        }
        if self.problems.len() > SHOWN {
            write!(f, "\n\nand {} more", self.problems.len() - SHOWN)?;
        }
        Ok(())
    }
}
