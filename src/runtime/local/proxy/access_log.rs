//! The access log: one line for each request once its answer has gone, in the
//! format of the generated nginx configuration:
//! `$time_iso8601 | $status | ${request_time}s | $upstream_addr | $request`.
//!
//! A second log has the requests that a slot was given and did not answer, in
//! the format of [`failures`]: the gate counts them.
//!
//! Lines are written by a thread of their own. When the disk cannot keep up or
//! is full, lines are dropped and counted; requests never wait for it. The logs
//! then say so, which makes the second unusable for a while: not every failure
//! is known.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};

use crate::clock::SharedClock;
use crate::domain::Slot;
use crate::runtime::failures;
use crate::runtime::local::spawn::LOG_LIMIT;

/// Lines that may wait for the disk: a second's worth at full load.
const WAITING_LINES: usize = 16 * 1024;

/// As nginx: the client went away before it was answered.
const CLIENT_CLOSED: u16 = 499;

enum Message {
    Line(String),
    Failure(String),
    Close,
}

/// Takes lines.
#[derive(Clone)]
pub struct AccessLog {
    lines: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
    writer: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl AccessLog {
    /// Appends to two files: of all requests, and of those without an answer.
    pub fn write_to(file: LogFile, failures: LogFile, clock: SharedClock) -> io::Result<Self> {
        let (lines, waiting) = sync_channel(WAITING_LINES);
        let dropped = Arc::new(AtomicU64::new(0));
        let missing = Arc::clone(&dropped);
        let writer = std::thread::Builder::new()
            .name("access-log".into())
            .spawn(move || Writer { file, failures, clock }.run(&waiting, &missing))?;
        Ok(Self { lines, dropped, writer: Arc::new(Mutex::new(Some(writer))) })
    }

    /// Begins the entry of a request.
    pub fn enter(&self, request: &Request, clock: &SharedClock) -> Arc<Entry> {
        let path = request.uri().path_and_query().map_or("", |path| path.as_str());
        Arc::new(Entry {
            log: self.clone(),
            clock: Arc::clone(clock),
            started: clock.instant(),
            request: format!("{} {path} {:?}", request.method(), request.version()),
            upstream: Mutex::new(None),
            unanswered: Mutex::new(None),
            status: AtomicU16::new(CLIENT_CLOSED),
        })
    }

    /// Writes what was taken so far and ends.
    pub async fn close(&self) {
        let log = self.clone();
        let closing = tokio::task::spawn_blocking(move || {
            let writer = log.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
            if log.lines.send(Message::Close).is_ok()
                && let Some(writer) = writer
            {
                let _ = writer.join();
            }
        });
        let _ = closing.await;
    }

    fn take(&self, message: Message) {
        if self.lines.try_send(message).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A request that is being answered. Its line is written when the last holder
/// lets go of it: the handler, or the body of the answer.
pub struct Entry {
    log: AccessLog,
    clock: SharedClock,
    started: Instant,
    request: String,
    upstream: Mutex<Option<SocketAddr>>,
    unanswered: Mutex<Option<(Slot, Option<SocketAddr>)>>,
    status: AtomicU16,
}

impl Entry {
    /// The request goes to this upstream.
    pub fn goes_to(&self, address: SocketAddr) {
        *self.upstream.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
    }

    /// The slot that the request was meant for did not answer it, whoever did
    /// in its place.
    pub fn unanswered_by(&self, slot: Slot, tried: Option<SocketAddr>) {
        *self.unanswered.lock().unwrap_or_else(PoisonError::into_inner) = Some((slot, tried));
    }

    /// It was the client's doing that there was no answer.
    pub fn is_the_clients_fault(&self) {
        *self.unanswered.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The answer begins.
    pub fn answered(&self, status: StatusCode) {
        self.status.store(status.as_u16(), Ordering::Relaxed);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let upstream = *self.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        let unanswered = *self.unanswered.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, status) = (self.clock.wall(), self.status.load(Ordering::Relaxed));
        // What the client gave up says nothing about the slot.
        if let Some((slot, tried)) = unanswered.filter(|_| status != CLIENT_CLOSED) {
            let tried = super::forward::address_text(tried);
            let mut request = plain(&self.request);
            request.truncate(failures::LONGEST_REQUEST);
            let failure = failures::line(now, status, slot, &tried, &request);
            self.log.take(Message::Failure(failure));
        }
        let took = self.clock.instant().duration_since(self.started);
        self.log.take(Message::Line(line(now, status, took, upstream, &self.request)));
    }
}

fn line(
    now: DateTime<Utc>,
    status: u16,
    took: Duration,
    upstream: Option<SocketAddr>,
    request: &str,
) -> String {
    format!(
        "{} | {status} | {:.3}s | {} | {}\n",
        now.to_rfc3339_opts(SecondsFormat::Secs, false),
        took.as_secs_f64(),
        super::forward::address_text(upstream),
        plain(request)
    )
}

/// As nginx writes it: whatever is not printable ASCII as `\xHH`.
fn plain(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut plain, byte| {
        match byte {
            b' '..=b'~' if byte != b'\\' && byte != b'"' => plain.push(byte.into()),
            _ => {
                let _ = write!(plain, "\\x{byte:02X}");
            }
        }
        plain
    })
}

/// Writes both logs, in a thread of its own.
struct Writer {
    file: LogFile,
    failures: LogFile,
    clock: SharedClock,
}

impl Writer {
    fn run(mut self, waiting: &Receiver<Message>, dropped: &AtomicU64) {
        loop {
            let message = match waiting.try_recv() {
                Err(TryRecvError::Empty) => {
                    // Nothing more for now: let readers see what there is.
                    self.flush();
                    waiting.recv().unwrap_or(Message::Close)
                }
                Err(TryRecvError::Disconnected) => Message::Close,
                Ok(message) => message,
            };
            let missing = dropped.swap(0, Ordering::Relaxed);
            self.file.lost += missing;
            self.failures.lost += missing;
            let clock = Arc::clone(&self.clock);
            let gap_of_failures = |lost| failures::gap(clock.wall(), lost);
            // Whoever counts failures must know at once, not with the next one.
            self.failures.tell_the_lost(gap_of_failures);
            match message {
                Message::Line(line) => self.file.write(&line, gap),
                Message::Failure(line) => self.failures.write(&line, gap_of_failures),
                Message::Close => return self.flush(),
            }
        }
    }

    fn flush(&mut self) {
        self.file.flush();
        self.failures.flush();
    }
}

/// Stands in the access log where lines could not be written.
fn gap(lines: u64) -> String {
    format!("{lines} lines are missing here: the disk was too slow, or full\n")
}

/// A file to append to, which is put aside (`.1`) each time it is full.
pub struct LogFile {
    path: PathBuf,
    file: BufWriter<File>,
    length: u64,
    /// Lines that are missing, and that the file does not tell of yet.
    lost: u64,
}

impl LogFile {
    /// Opens the file, or makes it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file), length, lost: 0 })
    }

    /// A full disk costs lines, never requests. As soon as it takes lines again
    /// the first says how many are missing, in the words of `gap`.
    fn write(&mut self, line: &str, gap: impl FnOnce(u64) -> String) {
        self.put_aside_when_full();
        if !self.tell_the_lost(gap) || !self.append(line) {
            self.lost += 1;
        }
    }

    /// Whether the file tells of every line that is missing in it.
    fn tell_the_lost(&mut self, gap: impl FnOnce(u64) -> String) -> bool {
        if self.lost > 0 && self.append(&gap(self.lost)) {
            self.lost = 0;
        }
        self.lost == 0
    }

    fn append(&mut self, line: &str) -> bool {
        let is_written = self.file.write_all(line.as_bytes()).is_ok();
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

    fn flush(&mut self) {
        let _ = self.file.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_format_of_the_generated_nginx() {
        let now = DateTime::parse_from_rfc3339("2026-11-23T14:29:27Z").unwrap().to_utc();
        let upstream = Some("127.0.0.1:3000".parse().unwrap());
        let took = Duration::from_millis(12);
        assert_eq!(
            line(now, 200, took, upstream, "GET /a?b=1 HTTP/1.1"),
            "2026-11-23T14:29:27+00:00 | 200 | 0.012s | 127.0.0.1:3000 | GET /a?b=1 HTTP/1.1\n"
        );
        assert!(line(now, 503, took, None, "GET / HTTP/1.1").contains(" | 503 | 0.012s | - | "));
    }

    #[test]
    fn nothing_in_a_request_can_forge_a_line_or_steer_a_terminal() {
        assert_eq!(
            plain("GET /\r\nx\u{1b}[2J\u{e9}\\ HTTP/1.1"),
            r"GET /\x0D\x0Ax\x1B[2J\xC3\xA9\x5C HTTP/1.1"
        );
    }

    #[test]
    fn a_full_log_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proxy-access.log");
        File::create(&path).unwrap().set_len(LOG_LIMIT + 1).unwrap();
        let mut file = LogFile::open(&path).unwrap();

        file.write("after\n", gap);
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
        log.file = BufWriter::with_capacity(1, File::open(&path).unwrap());
        let at = DateTime::from_timestamp(1_764_061_000, 0).unwrap();
        let failure = failures::line(at, 502, Slot::Green, "-", "GET / HTTP/1.1");
        let gap = |lost| failures::gap(at, lost);
        log.write(&failure, gap);
        log.write(&failure, gap);

        log.file = LogFile::open(&path).unwrap().file;
        log.write(&failure, gap);
        log.write(&failure, gap);
        log.flush();

        let lost = failures::gap(at, 2);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{lost}{failure}{failure}"));
        assert!(failures::count(&lost, true, Slot::Green, at).is_err());
    }

    #[tokio::test]
    async fn a_long_request_is_cut_in_the_log_of_failures() {
        let folder = tempfile::tempdir().unwrap();
        let (all, failed) = (folder.path().join("all.log"), folder.path().join("failed.log"));
        let clock: SharedClock = Arc::new(crate::clock::SystemClock);
        let open = |path| LogFile::open(path).unwrap();
        let log = AccessLog::write_to(open(&all), open(&failed), Arc::clone(&clock)).unwrap();
        let path = format!("/{}", "a".repeat(5000));
        let entry = log.enter(&Request::get(&path).body(axum::body::Body::empty()).unwrap(), &clock);
        entry.unanswered_by(Slot::Green, None);
        entry.answered(StatusCode::BAD_GATEWAY);
        drop(entry);
        log.close().await;

        assert!(fs::read_to_string(&all).unwrap().contains(&path));
        let failures = fs::read_to_string(&failed).unwrap();
        assert!(failures.len() < failures::LONGEST_REQUEST + 100, "{}", failures.len());
        assert_eq!(failures::count(&failures, true, Slot::Green, DateTime::UNIX_EPOCH), Ok(1));
    }
}
