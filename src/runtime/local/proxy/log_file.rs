//! A log file of the proxy's own: a full disk costs lines, never requests.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::runtime::local::spawn::LOG_LIMIT;

/// A file to append to, which is put aside (`.1`) each time it is full.
pub struct LogFile {
    path: PathBuf,
    file: BufWriter<File>,
    length: u64,
    /// Lines that are missing, and that the file does not tell of yet.
    lost: u64,
    /// Whether some lines wait in memory only.
    waits: bool,
}

impl LogFile {
    /// Opens the file, or makes it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        let length = file.metadata()?.len();
        let mut log =
            Self { path: path.to_owned(), file: BufWriter::new(file), length, lost: 0, waits: false };
        if ends_in_mid_line(path, length)? {
            // What follows must not be taken for the end of a line that a process
            // could not finish.
            log.append("\n");
        }
        Ok(log)
    }

    /// A full disk costs lines, never requests. As soon as it takes lines again
    /// the first says how many are missing, in the words of `gap`.
    pub fn write(&mut self, line: &str, gap: impl FnOnce(u64) -> String) {
        self.put_aside_when_full();
        if !self.tell_the_lost(gap) || !self.append(line) {
            self.lost += 1;
        }
    }

    /// So many lines more are missing.
    pub const fn lose(&mut self, lines: u64) {
        self.lost += lines;
    }

    /// Whether the file has every line, or tells that it is missing.
    pub const fn is_complete(&self) -> bool {
        self.lost == 0 && !self.waits
    }

    /// Writes, if it can be written, how many lines are missing. Whether none is
    /// left to tell of.
    pub fn tell_the_lost(&mut self, gap: impl FnOnce(u64) -> String) -> bool {
        if self.lost > 0 && self.append(&gap(self.lost)) {
            self.lost = 0;
        }
        self.lost == 0
    }

    fn append(&mut self, line: &str) -> bool {
        let is_written = self.file.write_all(line.as_bytes()).is_ok();
        self.waits = true;
        self.length += if is_written { line.len() as u64 } else { 0 };
        is_written
    }

    /// What still waits to be written goes into the old file or keeps it open.
    fn put_aside_when_full(&mut self) {
        if self.length <= LOG_LIMIT || self.file.flush().is_err() {
            return;
        }
        let moved = fs::rename(&self.path, self.path.with_extension("log.1"));
        // It was moved before, and no new one could be made then.
        let was_moved = moved.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        if (moved.is_ok() || was_moved)
            && let Ok(fresh) = Self::open(&self.path)
        {
            *self = Self { lost: self.lost, ..fresh };
        }
    }

    /// Makes readers see what was written; as much of it as the disk takes.
    pub fn flush(&mut self) {
        self.waits = self.file.flush().is_err();
    }

    /// From now on into this file, with so much room in memory.
    #[cfg(test)]
    pub fn write_into(&mut self, file: File, room: usize) {
        let _ = std::mem::replace(&mut self.file, BufWriter::with_capacity(room, file)).into_parts();
        self.waits = false;
    }
}

fn ends_in_mid_line(path: &Path, length: u64) -> io::Result<bool> {
    let Some(last) = length.checked_sub(1) else { return Ok(false) };
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(last))?;
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    Ok(byte != *b"\n")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::Slot;
    use crate::runtime::failures::{self, Failing};

    const REFUSED: (u16, Failing, std::time::Duration) =
        (502, Failing::Unanswered, std::time::Duration::ZERO);

    #[test]
    fn half_a_line_of_an_earlier_process_does_not_swallow_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy-failures.log");
        let at = DateTime::from_timestamp(1_764_061_000, 0).unwrap();
        let failure = failures::line(at, REFUSED, Slot::Green, "-", "GET / HTTP/1.1");
        fs::write(&path, format!("{failure}{}", &failure[..40])).unwrap();

        let mut log = LogFile::open(&path).unwrap();
        log.write(&failures::cut_off(at), |lost| lost.to_string());
        log.flush();

        let text = fs::read_to_string(&path).unwrap();
        let reason = failures::count(&text, true, Slot::Green, at).unwrap_err();
        assert!(reason.contains("the proxy was ended"), "{reason}");
    }

    #[test]
    fn a_full_log_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy-access.log");
        File::create(&path).unwrap().set_len(LOG_LIMIT + 1).unwrap();
        let mut file = LogFile::open(&path).unwrap();

        file.write("after\n", |lost| lost.to_string());
        file.flush();

        assert_eq!(fs::read_to_string(&path).unwrap(), "after\n");
        assert!(fs::metadata(folder.path().join("proxy-access.log.1")).unwrap().len() > LOG_LIMIT);
    }

    #[test]
    fn what_a_full_disk_took_is_told_as_soon_as_it_takes_lines_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy-failures.log");
        let mut log = LogFile::open(&path).unwrap();
        // Nothing can be written to a file that is open for reading.
        log.write_into(File::open(&path).unwrap(), 1);
        let at = DateTime::from_timestamp(1_764_061_000, 0).unwrap();
        let failure = failures::line(at, REFUSED, Slot::Green, "-", "GET / HTTP/1.1");
        let gap = |lost| failures::gap(at, lost);
        log.write(&failure, gap);
        log.write(&failure, gap);

        log.write_into(File::options().append(true).open(&path).unwrap(), 1);
        log.write(&failure, gap);
        log.write(&failure, gap);
        log.flush();

        let lost = failures::gap(at, 2);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{lost}{failure}{failure}"));
        assert!(failures::count(&lost, true, Slot::Green, at).is_err());
    }
}
