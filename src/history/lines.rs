//! All lines of a history, in order, a line at a time.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Take};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::chain::Link;
use super::error::HistoryError;
use super::files::{self, CURRENT, MAX_LINE};
use super::head;

/// A line of a file.
#[derive(Debug)]
pub(super) struct Line {
    /// Its bytes without line feed; cut where it is longer than any record.
    pub(super) bytes: Vec<u8>,
    /// Whether a line feed ends it.
    pub(super) is_whole: bool,
}

/// Reads a line; of one that is longer than any record, its beginning.
pub(super) fn read_line(reader: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut bytes = Vec::new();
    let most = MAX_LINE as u64 + 1;
    reader.by_ref().take(most).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        return Ok(Some(Line { bytes, is_whole: true }));
    }
    let is_whole = bytes.len() > MAX_LINE && reader.skip_until(b'\n')? > 0;
    Ok(Some(Line { bytes, is_whole }))
}

/// A line and where it stands.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) path: Arc<PathBuf>,
    /// Counted from 1.
    pub(super) number: u64,
    /// What the file's name says about its first record.
    pub(super) named_seq: Option<u64>,
    pub(super) line: Line,
}

struct Part {
    path: Arc<PathBuf>,
    named_seq: Option<u64>,
    reader: BufReader<Take<File>>,
    lines: u64,
}

/// The lines of all parts, as they were when [`Lines::open`] was called: what
/// is appended or rotated meanwhile does not disturb the reading.
pub(super) struct Lines {
    parts: std::vec::IntoIter<Part>,
    current: Option<Part>,
    /// How many parts there are.
    pub(super) count: usize,
    /// The head, as it belongs to these lines.
    pub(super) head: Option<Link>,
}

impl Lines {
    /// Opens all parts at once, while nobody writes.
    pub(super) fn open(dir: &Path) -> Result<Self, HistoryError> {
        let lock = files::lock_for_reading(dir)?;
        let mut parts = Vec::new();
        for part in files::old_parts(dir)? {
            parts.push(open_part(part.path, Some(part.first_seq))?);
        }
        let current = dir.join(CURRENT);
        if current.exists() {
            parts.push(open_part(current, None)?);
        }
        let head = head::read(dir);
        drop(lock);
        Ok(Self { head, count: parts.len(), parts: parts.into_iter(), current: None })
    }
}

fn open_part(path: PathBuf, named_seq: Option<u64>) -> Result<Part, HistoryError> {
    let failed = |source| HistoryError::reading(&path, source);
    let file = File::open(&path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let reader = BufReader::with_capacity(64 * 1024, file.take(length));
    Ok(Part { path: Arc::new(path), named_seq, reader, lines: 0 })
}

impl Iterator for Lines {
    type Item = Result<Placed, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.current.is_none() {
                self.current = self.parts.next();
            }
            let part = self.current.as_mut()?;
            match read_line(&mut part.reader) {
                Ok(Some(line)) => {
                    part.lines += 1;
                    return Some(Ok(Placed {
                        path: Arc::clone(&part.path),
                        number: part.lines,
                        named_seq: part.named_seq,
                        line,
                    }));
                }
                Ok(None) => self.current = None,
                Err(source) => {
                    let error = HistoryError::reading(&part.path, source);
                    self.current = None;
                    return Some(Err(error));
                }
            }
        }
    }
}
