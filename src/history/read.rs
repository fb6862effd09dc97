//! All records of a history, in order, a record at a time.

use std::path::Path;

use super::chain;
use super::error::HistoryError;
use super::files::CURRENT;
use super::lines::Lines;
use super::record::Record;

/// The records of all parts, the oldest first; see [`read_all`].
pub struct Records {
    lines: Lines,
}

/// Reads all records, streaming: memory does not grow with the history. A
/// line that is no record is an error of its own, after which reading may go
/// on; what a crash left of a last line was never a record and is passed
/// over. The chain is not checked, see [`super::verify`].
pub fn read_all(dir: &Path) -> Result<Records, HistoryError> {
    Ok(Records { lines: Lines::open(dir)? })
}

impl Iterator for Records {
    type Item = Result<Record, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let placed = match self.lines.next()? {
                Ok(placed) => placed,
                Err(error) => return Some(Err(error)),
            };
            if !placed.line.is_whole && placed.path.ends_with(CURRENT) {
                continue;
            }
            return Some(chain::parse(&placed.line.bytes).map_err(|reason| HistoryError::BadLine {
                path: placed.path.as_ref().clone(),
                line: placed.number,
                reason,
            }));
        }
    }
}
