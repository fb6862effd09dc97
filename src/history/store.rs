//! Appending: one line at a time, chained, on disk before it counts.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::chain::Link;
use super::error::HistoryError;
use super::files::{self, CURRENT, MAX_LINE};
use super::record::{Actor, Entry};
use super::{head, rotate, tail};

/// How large the history may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes after which a part is full; default 16 MiB.
    pub part: u64,
    /// Bytes of all parts together, after which the oldest is removed (and
    /// its removal recorded); default 1 GiB.
    pub total: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { part: 16 << 20, total: 1 << 30 }
    }
}

/// The history of one project, ready to be appended to. Cheap to clone; any
/// number of threads and processes may append.
#[derive(Debug, Clone)]
pub struct History {
    dir: PathBuf,
    actor: Actor,
    limits: Limits,
}

impl History {
    /// The history in a project's folder. Creates nothing but the lock's
    /// file, which proves that the folder can be written.
    pub fn open(dir: impl Into<PathBuf>, actor: Actor) -> Result<Self, HistoryError> {
        let dir = dir.into();
        files::lock_for_writing(&dir)?;
        Ok(Self { dir, actor, limits: Limits::default() })
    }

    /// The same history with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Writes a line caused by the actor of this history and returns its
    /// number. Blocks until the line is on disk: call it where blocking is
    /// allowed.
    pub fn append(&self, at: DateTime<Utc>, entry: Entry) -> Result<u64, HistoryError> {
        self.append_as(&self.actor, at, entry)
    }

    /// Writes a line caused by somebody else, as [`Actor::tool`].
    #[expect(clippy::needless_pass_by_value, reason = "an entry is written once and not used again")]
    pub fn append_as(&self, actor: &Actor, at: DateTime<Utc>, entry: Entry) -> Result<u64, HistoryError> {
        let _lock = files::lock_for_writing(&self.dir)?;
        let (mut end, notes) = End::open(&self.dir, self.limits)?;
        for detail in notes {
            end.write(at, &Actor::tool(), &Entry::Note { detail })?;
        }
        end.write(at, actor, &entry)?;
        head::write(&self.dir, &end.link);
        Ok(end.link.seq)
    }
}

/// The end of the history, under the lock.
struct End<'a> {
    dir: &'a Path,
    path: PathBuf,
    file: File,
    length: u64,
    link: Link,
    limits: Limits,
}

impl<'a> End<'a> {
    /// Finds the end. What a crash or somebody's hand did to it is put right
    /// where it can be, and told in notes that belong into the history.
    fn open(dir: &'a Path, limits: Limits) -> Result<(Self, Vec<String>), HistoryError> {
        let path = dir.join(CURRENT);
        let mut file = open_current(&path)?;
        let end = tail::read(&mut file).map_err(|source| failed_tail(&path, source))?;
        let link = match end.line.as_deref() {
            Some(line) => link_of(&path, line)?,
            None => last_of_old_parts(dir)?,
        };
        let mut notes = Vec::new();
        if !end.torn.is_empty() {
            let aside = rotate::set_aside(dir, link.seq + 1, &end.torn)?;
            file.set_len(end.whole)
                .and_then(|()| file.sync_data())
                .map_err(|source| HistoryError::writing(&path, source))?;
            notes.push(format!(
                "a crash cut off the writing of record {}; its {} bytes were set aside in {aside}",
                link.seq + 1,
                end.torn.len(),
            ));
        }
        match head::read(dir) {
            Some(head) if head.seq > link.seq || (head.seq == link.seq && head.hash != link.hash) => {
                notes.push(loss_note(&link, &head));
            }
            // The next record would seem to vouch for it.
            None if link.seq > 0 => notes.push(format!(
                "{UNPROVEN}record {} was the last one, hash {}, and there was no .swiftdeploy/head",
                link.seq, link.hash
            )),
            _ => {}
        }
        Ok((Self { dir, path, file, length: end.whole, link, limits }, notes))
    }

    /// Writes one line, into a new part where the current one is full.
    fn write(&mut self, at: DateTime<Utc>, actor: &Actor, entry: &Entry) -> Result<(), HistoryError> {
        let (bytes, _) = self.encode(at, actor, entry)?;
        let is_full = self.length > 0 && self.length + bytes.len() as u64 + 1 > self.limits.part;
        if is_full {
            let detail = self.rotate()?;
            self.put(at, &Actor::tool(), &Entry::Note { detail })?;
            for part in rotate::too_old(self.dir, self.limits) {
                let detail = part.note();
                self.put(at, &Actor::tool(), &Entry::Note { detail })?;
                part.remove();
            }
        }
        self.put(at, actor, entry)
    }

    /// The line that says an entry, and what the next one chains to.
    fn encode(
        &self,
        at: DateTime<Utc>,
        actor: &Actor,
        entry: &Entry,
    ) -> Result<(Vec<u8>, Link), HistoryError> {
        let too_large = |size| HistoryError::TooLarge { size, limit: MAX_LINE };
        self.link.next(at, actor, entry).map_err(too_large)
    }

    fn put(&mut self, at: DateTime<Utc>, actor: &Actor, entry: &Entry) -> Result<(), HistoryError> {
        let (mut bytes, link) = self.encode(at, actor, entry)?;
        bytes.push(b'\n');
        write_or_restore(&self.file, self.length, &bytes, |mut file, bytes| file.write_all(bytes))
            .map_err(|source| HistoryError::writing(&self.path, source))?;
        if self.length == 0 {
            files::sync_folder(self.dir);
        }
        self.length += bytes.len() as u64;
        self.link = link;
        Ok(())
    }

    /// Gives the full part its final name and begins a new one.
    fn rotate(&mut self) -> Result<String, HistoryError> {
        let name = rotate::retire(self.dir, &self.path)?;
        self.file = open_current(&self.path)?;
        self.length = 0;
        files::sync_folder(self.dir);
        Ok(format!("{CURRENT} was full; its records up to {} are in {name}", self.link.seq))
    }
}

/// Begins the note that tells of records that are gone.
pub(super) const LOSS: &str = "records are missing: ";

/// Begins the note that tells that nothing proved the record before it.
pub(super) const UNPROVEN: &str = "not proven: ";

fn loss_note(link: &Link, head: &Link) -> String {
    let found = match link.seq {
        0 => "no record is here".to_owned(),
        seq => format!("the history ends with record {seq}, hash {}", link.hash),
    };
    format!("{LOSS}record {} was written before, hash {}, but {found}", head.seq, head.hash)
}

fn open_current(path: &Path) -> Result<File, HistoryError> {
    OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .open(path)
        .map_err(|source| HistoryError::writing(path, source))
}

fn failed_tail(path: &Path, source: io::Error) -> HistoryError {
    match source.kind() {
        io::ErrorKind::InvalidData => {
            HistoryError::Damaged { path: path.to_owned(), reason: source.to_string() }
        }
        _ => HistoryError::reading(path, source),
    }
}

fn link_of(path: &Path, line: &[u8]) -> Result<Link, HistoryError> {
    Link::of(line).map_err(|reason| HistoryError::Damaged { path: path.to_owned(), reason })
}

/// The newest record of the full parts; the current part is empty.
fn last_of_old_parts(dir: &Path) -> Result<Link, HistoryError> {
    let Some(part) = files::old_parts(dir)?.pop() else { return Ok(Link::start()) };
    let mut file = File::open(&part.path).map_err(|source| HistoryError::reading(&part.path, source))?;
    let end = tail::read(&mut file).map_err(|source| failed_tail(&part.path, source))?;
    match end.line.as_deref() {
        Some(line) => link_of(&part.path, line),
        None => Err(HistoryError::Damaged { path: part.path, reason: "the part is empty".to_owned() }),
    }
}

/// Appends and syncs, or leaves the file as long as it was: half a line would
/// look like a crash.
fn write_or_restore(
    file: &File,
    length: u64,
    bytes: &[u8],
    write: impl FnOnce(&File, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    write(file, bytes).and_then(|()| file.sync_data()).inspect_err(|_| {
        // If even this fails, the next append finds a torn line and sets it aside.
        let _ = file.set_len(length).and_then(|()| file.sync_data());
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_fills_up_in_mid_line_leaves_the_file_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(CURRENT);
        std::fs::write(&path, "before\n").unwrap();
        let file = open_current(&path).unwrap();
        let error = write_or_restore(&file, 7, b"a line that does not fit\n", |mut file, bytes| {
            file.write_all(&bytes[..10])?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        })
        .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "before\n");
    }
}
