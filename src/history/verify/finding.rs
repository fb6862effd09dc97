//! What a check of the history found, and how it reads.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// What a check of the whole history found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Records that are good: all, or those before the first that is not.
    pub records: u64,
    /// Files that hold them.
    pub parts: usize,
    /// The number of the first record; more than 1 where old parts were
    /// removed to keep the history below its limit.
    pub first_seq: Option<u64>,
    /// The number of the last good record.
    pub last_seq: Option<u64>,
    /// The hash of the last record of an intact history: kept elsewhere, it
    /// proves this history against any later rewriting.
    pub last_hash: Option<String>,
    /// The first thing that is wrong.
    pub fault: Option<Fault>,
    /// Why nothing proves the last record of a history without a fault: an edit of
    /// it, or records that were cut off after it, would not be seen.
    pub unproven: Option<Unproven>,
    /// Losses that the history itself tells of.
    pub losses: Vec<Loss>,
    /// What is worth knowing but no fault.
    pub remarks: Vec<String>,
}

/// The first thing that is wrong with a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1; 0 where it is about the end of the history.
    pub line: u64,
    /// What is wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum FaultKind {
    /// The line is no record.
    NotARecord {
        /// Why not.
        reason: String,
    },
    /// The line is not the one that was written.
    Edited {
        /// The record's number.
        seq: u64,
    },
    /// Records are missing before this line, or, with line 0, at the end.
    Missing {
        /// The first missing record.
        from: u64,
        /// The last missing record.
        to: u64,
    },
    /// A record stands where another belongs.
    Moved {
        /// The number that belongs here.
        expected: u64,
        /// The number that stands here.
        found: u64,
    },
    /// A part's name is not that of its first record.
    Misnamed {
        /// The number in the name.
        named: u64,
        /// The number of the first record.
        found: u64,
    },
    /// The newest record is not the one that was written last.
    Rewritten {
        /// The record's number.
        seq: u64,
    },
}

impl FaultKind {
    /// The number of the first record that is not good; `None` for a line that
    /// has none.
    pub(super) const fn first_bad(&self) -> Option<u64> {
        match self {
            Self::NotARecord { .. } => None,
            Self::Edited { seq } | Self::Rewritten { seq } => Some(*seq),
            Self::Missing { from, .. } => Some(*from),
            Self::Moved { expected, .. } => Some(*expected),
            Self::Misnamed { found, .. } => Some(*found),
        }
    }
}

/// Why the end of a history is not proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unproven {
    /// The last record.
    pub seq: u64,
    /// The record that the head names instead; `None` where there is no head.
    pub head: Option<u64>,
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seq, head } = self;
        match head {
            None => f.write_str("there is no .swiftdeploy/head that can be read")?,
            Some(head) => write!(f, ".swiftdeploy/head names record {head}")?,
        }
        write!(f, ", so an edit of record {seq}, the last one, or records cut off after it would not be seen")
    }
}

/// A loss that the history itself tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// The record that tells of it.
    pub seq: u64,
    /// What it says.
    pub detail: String,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.fault.is_none()
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARecord { reason } => write!(f, "the line is not a record: {reason}"),
            Self::Edited { seq } => write!(f, "record {seq} was edited"),
            Self::Missing { from, to } if from == to => write!(f, "record {from} is missing"),
            Self::Missing { from, to } => write!(f, "records {from} to {to} are missing"),
            Self::Moved { expected, found } => {
                write!(f, "record {found} stands where record {expected} belongs")
            }
            Self::Misnamed { named, found } => {
                write!(f, "the file is named after record {named} but begins with record {found}")
            }
            Self::Rewritten { seq } => write!(f, "record {seq} is not the one that .swiftdeploy/head names"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}, at the end: {}", self.file.display(), self.kind),
            line => write!(f, "{}:{line}: {}", self.file.display(), self.kind),
        }
    }
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = if self.parts == 1 { "file" } else { "files" };
        match (&self.fault, self.first_seq, self.last_seq, &self.last_hash) {
            (Some(fault), ..) => {
                let good = if self.records == 1 { "record" } else { "records" };
                write!(
                    f,
                    "chain BROKEN after {} good {good} in {} {files}\n{fault}",
                    self.records, self.parts
                )?;
            }
            (None, Some(first), Some(last), Some(hash)) => {
                let end = if self.unproven.is_some() { ", but its end is NOT PROVEN" } else { "" };
                write!(
                    f,
                    "chain intact{end}: records {first} to {last} in {} {files}\nhead {last} {hash}",
                    self.parts
                )?;
            }
            (None, ..) => write!(f, "no history yet")?,
        }
        if let Some(unproven) = &self.unproven {
            write!(f, "\nWARNING: {unproven}; compare the hash above with one that was kept elsewhere")?;
        }
        for loss in &self.losses {
            write!(f, "\nloss noted in record {}: {}", loss.seq, loss.detail)?;
        }
        for remark in &self.remarks {
            write!(f, "\nnote: {remark}")?;
        }
        Ok(())
    }
}
