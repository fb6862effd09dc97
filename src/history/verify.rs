//! Whether the history is what was written.
//!
//! What is found: a line that was edited (by the hash in the line after it,
//! the last line by the head), that is missing, moved or repeated (by the
//! numbers), a part that is missing, and a tail that was cut off (by the head
//! in `.swiftdeploy/head`, which is kept apart).
//!
//! What is not promised: who can write the project's folder can rewrite the
//! whole history together with the head. Against that only a copy of the head
//! elsewhere helps: the report prints it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::chain::Link;
use super::error::HistoryError;
use super::files::CURRENT;
use super::reading::{ReadLine, read_checked};
use super::record::{Entry, Record};
use super::rotate::REMOVAL;
use super::store::LOSS;

/// What a check of the whole history found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Records that were read, up to the first fault.
    pub records: u64,
    /// Files that hold them.
    pub parts: usize,
    /// The number of the first record; more than 1 where old parts were
    /// removed to keep the history below its limit.
    pub first_seq: Option<u64>,
    /// The number of the last record that was read.
    pub last_seq: Option<u64>,
    /// The hash of the last record that was read: kept elsewhere, it proves
    /// this history against any later rewriting.
    pub last_hash: Option<String>,
    /// The first thing that is wrong.
    pub fault: Option<Fault>,
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

/// Reads the whole history and checks it against itself and the head. Memory
/// does not grow with it; nothing is changed.
pub fn verify(dir: &Path) -> Result<VerifyReport, HistoryError> {
    let (lines, mut chain) = read_checked(dir)?;
    for line in lines {
        chain.follow(&line?.read());
        if chain.is_broken() {
            break;
        }
    }
    Ok(chain.finish())
}

pub(super) type Checked = Result<(), Box<Fault>>;

/// A record that was read, and where.
#[derive(Debug, Clone)]
struct Seen {
    link: Link,
    path: Arc<PathBuf>,
    line: u64,
}

impl Seen {
    fn fault(&self, kind: FaultKind) -> Fault {
        Fault { file: self.path.as_ref().clone(), line: self.line, kind }
    }
}

/// A record that does not follow from the one before. Which of the two is to
/// blame, the next record tells.
#[derive(Debug)]
struct Doubt {
    before: Seen,
    here: Seen,
}

#[derive(Debug)]
pub(super) struct Check {
    parts: usize,
    head: Option<Link>,
    records: u64,
    first: Option<(Seen, String)>,
    last: Option<Seen>,
    doubt: Option<Doubt>,
    /// The history tells of the removal of what was before its first record.
    is_beginning_proven: bool,
    /// The record that has the head's number but not its hash.
    not_the_head: Option<Seen>,
    losses: Vec<Loss>,
    remarks: Vec<String>,
}

impl Check {
    pub(super) fn new(parts: usize, head: Option<Link>) -> Self {
        Self {
            parts,
            head,
            records: 0,
            first: None,
            last: None,
            doubt: None,
            is_beginning_proven: false,
            not_the_head: None,
            losses: Vec::new(),
            remarks: Vec::new(),
        }
    }

    pub(super) fn line(&mut self, read: &ReadLine) -> Checked {
        let fault = |kind| Fault { file: read.path.as_ref().clone(), line: read.number, kind };
        if read.is_torn_end() {
            self.remarks.push(format!(
                "a crash cut off the writing of the last line ({} bytes); the next record sets it aside",
                read.length
            ));
            return Ok(());
        }
        let record = match &read.parsed {
            Ok(_) if !read.is_whole => Err("it has no line end, but other records follow".to_owned()),
            Ok(record) => Ok(record),
            Err(reason) => Err(reason.clone()),
        };
        let record = match record {
            Ok(record) => record,
            Err(reason) => {
                self.settle(None)?;
                return Err(fault(FaultKind::NotARecord { reason }).into());
            }
        };
        let link = Link { seq: record.seq, hash: read.hash.clone() };
        let here = Seen { link, path: Arc::clone(&read.path), line: read.number };
        self.settle(Some((record, &here)))?;
        if let Some(named) = read.named_seq
            && read.number == 1
            && named != record.seq
        {
            return Err(fault(FaultKind::Misnamed { named, found: record.seq }).into());
        }
        self.follow(record, &here)?;
        self.remember(record, here);
        Ok(())
    }

    /// Whether a record follows from the one before; if not, the verdict
    /// waits for the next one.
    fn follow(&mut self, record: &Record, here: &Seen) -> Checked {
        match &self.last {
            Some(before) => {
                if record.seq != before.link.seq + 1 || record.prev != before.link.hash {
                    self.doubt = Some(Doubt { before: before.clone(), here: here.clone() });
                }
                Ok(())
            }
            None if record.seq == 1 && record.prev != Link::start().hash => {
                Err(here.fault(FaultKind::Edited { seq: 1 }).into())
            }
            None if record.seq == 0 => Err(here.fault(FaultKind::Moved { expected: 1, found: 0 }).into()),
            None => Ok(()),
        }
    }

    /// Decides who is to blame, with the help of the next record.
    fn settle(&mut self, next: Option<(&Record, &Seen)>) -> Checked {
        let Some(Doubt { before, here }) = self.doubt.take() else { return Ok(()) };
        let (expected, found) = (before.link.seq + 1, here.link.seq);
        if found != expected {
            let goes_on = next.is_none_or(|(record, _)| Some(record.seq) == found.checked_add(1));
            let kind = if found > expected && goes_on {
                FaultKind::Missing { from: expected, to: found - 1 }
            } else {
                FaultKind::Moved { expected, found }
            };
            return Err(here.fault(kind).into());
        }
        // The bytes of this record are vouched for by the next one or, at the
        // end, by the head: then it is the one before that was edited.
        let is_vouched_for = match next {
            Some((record, _)) => record.prev == here.link.hash,
            None => self.head.as_ref() == Some(&here.link),
        };
        let edited = if is_vouched_for { before } else { here };
        Err(edited.fault(FaultKind::Edited { seq: edited.link.seq }).into())
    }

    fn remember(&mut self, record: &Record, here: Seen) {
        self.records += 1;
        if let Some(head) = &self.head
            && head.seq == here.link.seq
            && head.hash != here.link.hash
        {
            self.not_the_head = Some(here.clone());
        }
        if let Entry::Note { detail } = &record.entry {
            if detail.starts_with(LOSS) {
                self.losses.push(Loss { seq: record.seq, detail: detail.clone() });
            }
            let is_of_the_part_before_the_first =
                self.first.as_ref().is_some_and(|(_, hash_before)| detail.ends_with(hash_before.as_str()));
            if detail.starts_with(REMOVAL) && is_of_the_part_before_the_first {
                self.is_beginning_proven = true;
            }
        }
        if self.first.is_none() {
            self.first = Some((here.clone(), record.prev.clone()));
        }
        self.last = Some(here);
    }

    pub(super) fn end(&mut self, dir: &Path) -> Checked {
        self.settle(None)?;
        if let Some((first, _)) = &self.first
            && first.link.seq > 1
            && !self.is_beginning_proven
        {
            return Err(first.fault(FaultKind::Missing { from: 1, to: first.link.seq - 1 }).into());
        }
        let last_seq = self.last.as_ref().map_or(0, |last| last.link.seq);
        let Some(head) = &self.head else {
            if last_seq > 0 {
                self.remarks
                    .push("there is no .swiftdeploy/head, so a cut tail would not be seen".to_owned());
            }
            return Ok(());
        };
        if head.seq > last_seq {
            let kind = FaultKind::Missing { from: last_seq + 1, to: head.seq };
            return Err(Box::new(Fault { file: dir.join(CURRENT), line: 0, kind }));
        }
        if let Some(seen) = &self.not_the_head {
            let seq = seen.link.seq;
            let kind = if seq == last_seq { FaultKind::Edited { seq } } else { FaultKind::Rewritten { seq } };
            return Err(seen.fault(kind).into());
        }
        if head.seq < last_seq {
            self.remarks.push(format!(
                "the head names record {}, so records after it could be cut off unseen; the next record corrects it",
                head.seq
            ));
        }
        Ok(())
    }

    pub(super) fn report(self, fault: Option<Fault>) -> VerifyReport {
        VerifyReport {
            records: self.records,
            parts: self.parts,
            first_seq: self.first.map(|(first, _)| first.link.seq),
            last_seq: self.last.as_ref().map(|last| last.link.seq),
            last_hash: self.last.map(|last| last.link.hash),
            fault,
            losses: self.losses,
            remarks: self.remarks,
        }
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
                write!(
                    f,
                    "chain BROKEN after {} good records in {} {files}\n{fault}",
                    self.records, self.parts
                )?;
            }
            (None, Some(first), Some(last), Some(hash)) => {
                write!(
                    f,
                    "chain intact: records {first} to {last} in {} {files}\nhead {last} {hash}",
                    self.parts
                )?;
            }
            (None, ..) => write!(f, "no history yet")?,
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
