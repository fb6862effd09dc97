//! Reading the log files of our processes, and keeping them short.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;

use super::PROXY;
use super::layout::{Layout, at};
use super::record::Records;
use super::spawn::LOG_LIMIT;
use crate::runtime::{LogLine, LogRequest, RuntimeError};

/// How far back the last lines are looked for.
const TAIL_LIMIT: u64 = 1024 * 1024;

/// A longer line is cut in pieces.
const LINE_LIMIT: usize = 64 * 1024;

/// How often a followed file is looked at.
const POLL: Duration = Duration::from_millis(200);

/// Lines that may wait for a slow reader; reading pauses then.
const WAITING_LINES: usize = 256;

/// Opens a log: the last lines, then the new ones while the reader stays.
/// `nginx` is understood as the proxy, which it is on the other targets.
pub fn open(
    layout: &Layout,
    records: &Records,
    request: &LogRequest,
) -> Result<mpsc::Receiver<LogLine>, RuntimeError> {
    let known = known(layout, records)?;
    let service = if request.service == "nginx" { PROXY } else { &request.service };
    if !known.iter().any(|name| name == service) {
        let known = if known.is_empty() { "none yet".to_owned() } else { known.join(", ") };
        return Err(RuntimeError::UnknownService { service: request.service.clone(), known });
    }
    let mut tail = Tail::new(layout.log(service));
    let follow = request.follow;
    let last = tail.last(request.tail, !follow).map_err(at(&tail.path))?;
    let (lines, reader) = mpsc::channel(WAITING_LINES);
    tokio::spawn(async move {
        for line in last {
            if lines.send(line).await.is_err() {
                return;
            }
        }
        if !follow {
            return;
        }
        loop {
            tokio::select! {
                () = lines.closed() => return,
                () = tokio::time::sleep(POLL) => {}
            }
            // A file that cannot be read now may be there again at the next look.
            for line in tail.more().unwrap_or_default() {
                if lines.send(line).await.is_err() {
                    return;
                }
            }
        }
    });
    Ok(reader)
}

/// The names that have a log: of each service with a record, and of each file.
fn known(layout: &Layout, records: &Records) -> Result<Vec<String>, RuntimeError> {
    let mut known = records.services()?;
    known.extend(files(layout).into_iter().filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())));
    known.sort();
    known.dedup();
    Ok(known)
}

fn files(layout: &Layout) -> Vec<PathBuf> {
    let entries = fs::read_dir(layout.logs()).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "log"))
        .collect()
}

/// The last lines of a log that were written after its byte `from`, for an
/// error message.
pub fn last_words(path: &Path, from: u64, lines: usize) -> String {
    let mut tail = Tail::new(path.to_owned());
    let mut words = tail.after(from).unwrap_or_default();
    words.extend(tail.rest());
    let skip = words.len().saturating_sub(lines);
    words.iter().skip(skip).map(|line| line.text.trim()).collect::<Vec<_>>().join("; ")
}

/// Puts logs aside that have become too long while their service runs:
/// copied to `NAME.log.1`, then emptied, since the service keeps its file
/// open. `except` are written by the caller itself.
pub fn keep_short(layout: &Layout, except: &[&str]) {
    for path in files(layout) {
        let is_own = except.iter().any(|name| path == layout.log(name));
        if !is_own && fs::metadata(&path).is_ok_and(|file| file.len() > LOG_LIMIT) {
            // A log that cannot be shortened now is tried again at the next look.
            let _ = fs::copy(&path, path.with_extension("log.1"))
                .and_then(|_| OpenOptions::new().write(true).open(&path)?.set_len(0));
        }
    }
}

/// A place in a growing file.
struct Tail {
    path: PathBuf,
    position: u64,
    /// A line whose end has not been written yet.
    partial: Vec<u8>,
}

impl Tail {
    const fn new(path: PathBuf) -> Self {
        Self { path, position: 0, partial: Vec::new() }
    }

    /// The last lines; `to_the_end` counts one that is not complete yet.
    fn last(&mut self, count: usize, to_the_end: bool) -> io::Result<Vec<LogLine>> {
        let length = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?.len(),
        };
        let start = length.saturating_sub(TAIL_LIMIT);
        let mut lines = self.after(start)?;
        // The first one began before the part that was read.
        let cut = usize::from(start > 0 && !lines.is_empty());
        if to_the_end {
            lines.extend(self.rest());
        }
        let skip = lines.len().saturating_sub(count).max(cut);
        lines.drain(..skip);
        Ok(lines)
    }

    /// The lines that follow byte `from`.
    fn after(&mut self, from: u64) -> io::Result<Vec<LogLine>> {
        self.position = from;
        let mut lines = Vec::new();
        loop {
            let more = self.more()?;
            if more.is_empty() {
                return Ok(lines);
            }
            lines.extend(more);
        }
    }

    /// What is there beyond the last line end.
    fn rest(&mut self) -> Option<LogLine> {
        (!self.partial.is_empty()).then(|| line(&std::mem::take(&mut self.partial)))
    }

    /// The lines that were completed since the last look; not more at a time
    /// than fits in memory well.
    fn more(&mut self) -> io::Result<Vec<LogLine>> {
        let mut file = File::open(&self.path)?;
        if file.metadata()?.len() < self.position {
            // It was emptied or replaced.
            self.position = 0;
            self.partial.clear();
        }
        file.seek(SeekFrom::Start(self.position))?;
        let mut lines = Vec::new();
        let mut piece = vec![0; LINE_LIMIT];
        while lines.is_empty() {
            let read = file.read(&mut piece)?;
            if read == 0 {
                break;
            }
            self.position += read as u64;
            for byte in &piece[..read] {
                if *byte == b'\n' {
                    lines.push(line(&std::mem::take(&mut self.partial)));
                } else {
                    self.partial.push(*byte);
                }
                if self.partial.len() >= LINE_LIMIT {
                    lines.push(line(&std::mem::take(&mut self.partial)));
                }
            }
        }
        Ok(lines)
    }
}

fn line(bytes: &[u8]) -> LogLine {
    let text = String::from_utf8_lossy(bytes);
    // Both streams go to one file, in the order in which they were written.
    LogLine { is_stderr: false, text: text.trim_end_matches('\r').to_owned() }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::ACCESS_LOG;
    use super::*;

    struct World {
        layout: Layout,
        records: Records,
        _folder: tempfile::TempDir,
    }

    impl World {
        fn new(content: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let layout = Layout::new(folder.path());
            layout.create().unwrap();
            fs::write(layout.log("app-blue"), content).unwrap();
            Self { records: Records::new(layout.clone()), layout, _folder: folder }
        }

        fn open(&self, tail: usize, follow: bool) -> mpsc::Receiver<LogLine> {
            let request = LogRequest { service: "app-blue".into(), tail, follow };
            open(&self.layout, &self.records, &request).unwrap()
        }

        fn append(&self, text: &str) {
            let mut file = OpenOptions::new().append(true).open(self.layout.log("app-blue")).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
    }

    async fn all(mut lines: mpsc::Receiver<LogLine>) -> Vec<String> {
        let mut texts = Vec::new();
        while let Some(line) = lines.recv().await {
            texts.push(line.text);
        }
        texts
    }

    #[tokio::test]
    async fn the_last_lines_come_also_when_the_very_last_is_not_complete() {
        let world = World::new("one\ntwo\r\nthree\nfour");
        assert_eq!(all(world.open(3, false)).await, ["two", "three", "four"]);
        assert_eq!(all(world.open(1, false)).await, ["four"]);
        assert_eq!(all(world.open(0, false)).await, [""; 0]);
    }

    #[tokio::test]
    async fn following_brings_whole_lines_also_after_the_file_was_emptied() {
        let world = World::new("one\ntwo\n");
        let mut lines = world.open(1, true);
        assert_eq!(lines.recv().await.unwrap().text, "two");

        world.append("half");
        world.append(" and half\n");
        assert_eq!(lines.recv().await.unwrap().text, "half and half");

        File::create(world.layout.log("app-blue")).unwrap();
        world.append("new\n");
        assert_eq!(lines.recv().await.unwrap().text, "new");
    }

    #[tokio::test]
    async fn a_long_log_is_read_from_near_its_end() {
        let world = World::new(&"0123456789\n".repeat(200_000));
        let lines = all(world.open(100_000, false)).await;
        assert!(lines.len() > 90_000 && lines.len() < 100_000, "{}", lines.len());
        assert!(lines.iter().all(|line| line == "0123456789"), "no line is cut");
    }

    #[tokio::test]
    async fn an_unknown_name_is_refused_with_the_known_ones() {
        let world = World::new("");
        let request = LogRequest { service: "../secret".into(), tail: 1, follow: false };
        let error = open(&world.layout, &world.records, &request).unwrap_err();
        assert_eq!(error.to_string(), "there is no service ../secret; there is app-blue");
    }

    #[test]
    fn an_overlong_log_of_a_running_service_is_emptied_and_kept_aside() {
        let world = World::new("");
        let path = world.layout.log("app-blue");
        OpenOptions::new().write(true).open(&path).unwrap().set_len(LOG_LIMIT + 1).unwrap();

        keep_short(&world.layout, &[ACCESS_LOG]);
        world.append("after\n");

        assert_eq!(fs::read_to_string(&path).unwrap(), "after\n");
        assert_eq!(fs::metadata(path.with_extension("log.1")).unwrap().len(), LOG_LIMIT + 1);
    }

    #[test]
    fn last_words_are_those_of_this_start() {
        let world = World::new("old\n");
        world.append("new one\nnew two\nnew three");
        assert_eq!(last_words(&world.layout.log("app-blue"), 4, 2), "new two; new three");
    }
}
