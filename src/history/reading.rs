//! The history read for something else, its chain checked on the way.
//!
//! A long history is mostly work to parse and to hash. Both are done by
//! [`RawLine::read`], on whatever thread; the lines then go, in their order,
//! past one [`ChainCheck`], which is what [`super::verify`] does too.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::chain;
use super::error::HistoryError;
use super::files::CURRENT;
use super::lines::{Lines, Placed};
use super::record::Record;
use super::verify::{Check, Fault, VerifyReport};

/// A line of the history, not looked into yet.
#[derive(Debug)]
pub struct RawLine(Placed);

/// A line of the history and what it says.
#[derive(Debug)]
pub struct ReadLine {
    pub(super) path: Arc<PathBuf>,
    /// Counted from 1.
    pub(super) number: u64,
    /// What the file's name says about its first record.
    pub(super) named_seq: Option<u64>,
    pub(super) is_whole: bool,
    pub(super) length: usize,
    pub(super) parsed: Result<Record, String>,
    pub(super) hash: String,
}

impl RawLine {
    /// How many bytes it has.
    #[must_use]
    pub fn length(&self) -> usize {
        self.0.line.bytes.len()
    }

    /// Number and kind of its record, without reading the rest; `None` where
    /// it says none.
    #[must_use]
    pub fn seq_and_kind(&self) -> Option<(u64, String)> {
        #[derive(Deserialize)]
        struct Head {
            seq: u64,
            kind: String,
        }
        serde_json::from_slice::<Head>(&self.0.line.bytes).ok().map(|head| (head.seq, head.kind))
    }

    /// Parses and hashes it.
    #[must_use]
    pub fn read(self) -> ReadLine {
        let Placed { path, number, named_seq, line } = self.0;
        ReadLine {
            path,
            number,
            named_seq,
            is_whole: line.is_whole,
            length: line.bytes.len(),
            parsed: chain::parse(&line.bytes),
            hash: chain::hash(&line.bytes),
        }
    }
}

impl ReadLine {
    /// What a crash left of a last line: never a record, and no fault.
    pub(super) fn is_torn_end(&self) -> bool {
        !self.is_whole && self.path.ends_with(CURRENT)
    }

    /// The record; `None` for what a crash left of the last line.
    ///
    /// # Errors
    /// [`HistoryError::BadLine`] when the line is no record.
    #[must_use]
    pub fn record(&self) -> Option<Result<&Record, HistoryError>> {
        (!self.is_torn_end()).then(|| {
            self.parsed.as_ref().map_err(|reason| HistoryError::BadLine {
                path: self.path.as_ref().clone(),
                line: self.number,
                reason: reason.clone(),
            })
        })
    }
}

/// All lines, the oldest first; memory does not grow with the history.
pub struct RawLines(Lines);

impl Iterator for RawLines {
    type Item = Result<RawLine, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|placed| placed.map(RawLine))
    }
}

/// Follows the chain along lines that are read for something else.
pub struct ChainCheck {
    dir: PathBuf,
    check: Check,
    fault: Option<Fault>,
}

impl ChainCheck {
    /// Takes the next line. After the first fault nothing more can be said.
    pub fn follow(&mut self, line: &ReadLine) {
        if self.fault.is_none() {
            self.fault = self.check.line(line).err().map(|fault| *fault);
        }
    }

    /// Whether a fault was found so far.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.fault.is_some()
    }

    /// What was found, once every line went past.
    #[must_use]
    pub fn finish(mut self) -> VerifyReport {
        let fault = self.fault.or_else(|| self.check.end(&self.dir).err().map(|fault| *fault));
        self.check.report(fault)
    }
}

/// Opens all parts at one moment, with the check that belongs to them.
///
/// # Errors
/// When a part cannot be opened.
pub fn read_checked(dir: &Path) -> Result<(RawLines, ChainCheck), HistoryError> {
    let lines = Lines::open(dir)?;
    let check = Check::new(lines.count, lines.head.clone());
    Ok((RawLines(lines), ChainCheck { dir: dir.to_owned(), check, fault: None }))
}
