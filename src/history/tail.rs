//! The end of a part, read from behind: an append costs the same whatever
//! the length of the history.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::files::MAX_LINE;

/// The end of a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// The last whole line, without its line feed.
    pub(super) line: Option<Vec<u8>>,
    /// How many bytes the whole lines have together.
    pub(super) whole: u64,
    /// What stands behind them: a line whose writing a crash cut off.
    pub(super) torn: Vec<u8>,
}

/// Bytes read first; most lines are far shorter.
const FIRST_WINDOW: u64 = 8 * 1024;

/// Bytes that hold at least one whole line and a torn one.
const LAST_WINDOW: u64 = 2 * (MAX_LINE as u64 + 1);

/// Reads the end of a part.
pub(super) fn read(file: &mut File) -> io::Result<Tail> {
    let length = file.metadata()?.len();
    let mut window = FIRST_WINDOW.min(length);
    loop {
        let start = length - window;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = vec![0; usize::try_from(window).unwrap_or(usize::MAX)];
        file.read_exact(&mut bytes)?;
        match split(&bytes, start) {
            Some(tail) => return Ok(tail),
            None if window >= LAST_WINDOW => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the last line is longer than any record",
                ));
            }
            None => window = (window * 8).min(length).min(LAST_WINDOW),
        }
    }
}

/// The end, if the bytes reach back far enough to hold the last whole line.
fn split(bytes: &[u8], start: u64) -> Option<Tail> {
    let is_all = start == 0;
    let line_feed = |bytes: &[u8]| bytes.iter().rposition(|byte| *byte == b'\n');
    let Some(end) = line_feed(bytes) else {
        return is_all.then(|| Tail { line: None, whole: 0, torn: bytes.to_vec() });
    };
    let begin = match line_feed(&bytes[..end]) {
        Some(before) => before + 1,
        None if is_all => 0,
        None => return None,
    };
    Some(Tail {
        line: Some(bytes[begin..end].to_vec()),
        whole: start + end as u64 + 1,
        torn: bytes[end + 1..].to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use rstest::rstest;

    use super::*;

    fn tail_of(content: &[u8]) -> io::Result<Tail> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        read(&mut file)
    }

    #[rstest]
    #[case::empty(b"", None, 0, b"")]
    #[case::one_line(b"a\n", Some(b"a".as_slice()), 2, b"")]
    #[case::two_lines(b"a\nbc\n", Some(b"bc".as_slice()), 5, b"")]
    #[case::torn(b"a\nbc", Some(b"a".as_slice()), 2, b"bc")]
    #[case::only_torn(b"bc", None, 0, b"bc")]
    #[case::empty_line(b"a\n\n", Some(b"".as_slice()), 3, b"")]
    fn ends(#[case] content: &[u8], #[case] line: Option<&[u8]>, #[case] whole: u64, #[case] torn: &[u8]) {
        let expected = Tail { line: line.map(<[u8]>::to_vec), whole, torn: torn.to_vec() };
        assert_eq!(tail_of(content).unwrap(), expected);
    }

    #[test]
    fn long_lines_are_found_across_windows_and_endless_ones_are_refused() {
        let long = [vec![b'x'; 5_000], vec![b'\n'], vec![b'y'; MAX_LINE], vec![b'\n']].concat();
        assert_eq!(tail_of(&long).unwrap().line.unwrap().len(), MAX_LINE);
        let torn = [vec![b'x'; MAX_LINE], vec![b'\n'], vec![b'y'; MAX_LINE]].concat();
        assert_eq!(tail_of(&torn).unwrap().torn.len(), MAX_LINE);
        assert!(tail_of(&vec![b'x'; 3 * MAX_LINE]).is_err());
    }
}
