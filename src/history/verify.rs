//! Whether the history is what was written.
//!
//! What is found: a line that was edited (by the hash in the line after it,
//! the last line by the head; without one the report says that it is not proven), that is missing, moved or repeated (by the
//! numbers), a part that is missing, and a tail that was cut off (by the head
//! in `.swiftdeploy/head`, which is kept apart).
//!
//! What is not promised: who can write the project's folder can rewrite the
//! whole history together with the head. Against that only a copy of the head
//! elsewhere helps: the report prints it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

mod finding;

pub use finding::{Fault, FaultKind, Loss, Unproven, VerifyReport};

use super::chain::Link;
use super::error::HistoryError;
use super::files::CURRENT;
use super::reading::{ReadLine, read_checked};
use super::record::{Entry, Record};
use super::rotate::REMOVAL;
use super::store::{LOSS, UNPROVEN};

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
    unproven: Option<Unproven>,
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
            unproven: None,
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
            if detail.starts_with(UNPROVEN) {
                self.remarks.push(format!("record {} tells: {detail}", here.link.seq));
            }
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
            self.unproven = (last_seq > 0).then_some(Unproven { seq: last_seq, head: None });
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
            self.unproven = Some(Unproven { seq: last_seq, head: Some(head.seq) });
        }
        Ok(())
    }

    pub(super) fn report(self, fault: Option<Fault>) -> VerifyReport {
        let first_seq = self.first.map(|(first, _)| first.link.seq);
        // Who is to blame shows only in later records, which were read as well.
        let before = fault.as_ref().and_then(|fault| fault.kind.first_bad()).zip(first_seq);
        let records = before.map_or(self.records, |(bad, first)| bad.saturating_sub(first).min(self.records));
        VerifyReport {
            records,
            parts: self.parts,
            first_seq,
            last_seq: first_seq.filter(|_| records > 0).map(|first| first + records - 1),
            last_hash: self.last.filter(|_| fault.is_none()).map(|last| last.link.hash),
            unproven: self.unproven.filter(|_| fault.is_none()),
            fault,
            losses: self.losses,
            remarks: self.remarks,
        }
    }
}
