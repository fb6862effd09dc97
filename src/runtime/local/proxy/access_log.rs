//! The access log: one line for each request once its answer has gone, in the
//! format of the generated nginx configuration:
//! `$time_iso8601 | $status | ${request_time}s | $upstream_addr | $request`.
//!
//! A second log has the requests that a slot was given and did not answer as it
//! should, in the format of [`failures`]: the gate counts them.
//!
//! Lines are written by a thread of their own ([`super::writer`]). When the disk
//! cannot keep up or is full, lines are dropped and counted; requests never wait
//! for it. The logs say so as soon as they can be written again, and until then
//! the account of the second says that it is not complete.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};

use super::account::Account;
use super::log_file::LogFile;
use super::waiting::{Ticket, Waiting};
use super::writer::{Backlog, Message, Writer};
use crate::clock::SharedClock;
use crate::domain::Slot;
use crate::runtime::failures::{self, Failing};

/// Lines that may wait for the disk: a second's worth at full load.
const WAITING_LINES: usize = 16 * 1024;

/// As nginx: the client went away before it was answered.
const CLIENT_CLOSED: u16 = 499;

/// Takes lines.
#[derive(Clone)]
pub struct AccessLog {
    lines: SyncSender<Message>,
    backlog: Arc<Backlog>,
    waiting: Arc<Waiting>,
    under_way: Arc<Waiting>,
    writer: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl AccessLog {
    /// Appends to two files: of all requests, and of those without an answer.
    pub fn write_to(file: LogFile, failures: LogFile, clock: SharedClock) -> io::Result<Self> {
        let (lines, waiting) = sync_channel(WAITING_LINES);
        let backlog = Arc::new(Backlog::default());
        let seen = Arc::clone(&backlog);
        let writer = std::thread::Builder::new()
            .name("access-log".into())
            .spawn(move || Writer::new(file, failures, clock, seen).run(&waiting))?;
        let (waiting, under_way) = (Arc::default(), Arc::default());
        Ok(Self { lines, backlog, waiting, under_way, writer: Arc::new(Mutex::new(Some(writer))) })
    }

    /// Says in the log of failures that the proxy before this one may have known
    /// of more.
    pub fn note_cut_off(&self, now: DateTime<Utc>) {
        self.take(Message::Failure(failures::cut_off(now)));
    }

    /// How far the log of failures has come.
    pub fn account(&self) -> Account {
        self.backlog.progress.account()
    }

    /// Requests whose answers have not begun.
    pub fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// Requests that were given to a slot and are not over: something is still to
    /// come from the client, or from the slot.
    pub fn under_way(&self) -> &Waiting {
        &self.under_way
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
            given: Mutex::new(None),
            failed: Mutex::new(None),
            under_way: Mutex::new(None),
            waits: Mutex::new(None),
            status: AtomicU16::new(CLIENT_CLOSED),
        })
    }

    /// Writes what was taken so far and ends. Whether all failures are written.
    pub async fn close(&self) -> bool {
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
        let Account { taken, settled } = self.account();
        settled == taken
    }

    fn take(&self, message: Message) {
        self.backlog.note(&message);
        if let Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) =
            self.lines.try_send(message)
        {
            self.backlog.lose(&message);
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
    given: Mutex<Option<Given>>,
    failed: Mutex<Option<Failed>>,
    /// As long as this lives, once a slot has it.
    under_way: Mutex<Option<Ticket>>,
    /// While it waits for its answer.
    waits: Mutex<Option<Ticket>>,
    status: AtomicU16,
}

/// Whom the request was given to, and when all of it was there.
#[derive(Debug, Clone, Copy)]
struct Given {
    slot: Slot,
    at: Instant,
}

/// Goes along with what a request carries, and is let go of when the last piece
/// is sent. A client that leaves before that breaks off its request, which is its
/// own fault.
pub struct Sending(pub Arc<Entry>);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.is_sent();
    }
}

/// What a slot failed to do.
#[derive(Debug, Clone, Copy)]
struct Failed {
    slot: Slot,
    tried: Option<SocketAddr>,
    failing: Failing,
}

impl Entry {
    /// The request is for this slot, from now on.
    pub fn is_for(&self, slot: Slot) {
        let at = self.clock.instant();
        *self.given.lock().unwrap_or_else(PoisonError::into_inner) = Some(Given { slot, at });
        let ticket = self.log.under_way.enter(slot, at);
        *self.under_way.lock().unwrap_or_else(PoisonError::into_inner) = Some(ticket);
    }

    /// What the request carries has gone on its way: until now the client was
    /// waited for, and not the slot.
    fn is_sent(&self) {
        let at = self.clock.instant();
        if let Some(given) = self.given.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            given.at = at;
        }
        self.waits();
    }

    /// All of it has gone to the slot: from now on it waits for an answer, unless
    /// that has begun.
    pub fn waits(&self) {
        let Some(Given { slot, at }) = self.given() else { return };
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        if self.status.load(Ordering::SeqCst) == CLIENT_CLOSED {
            *waits = Some(self.log.waiting.enter(slot, at));
        }
    }

    /// The request goes to this upstream.
    pub fn goes_to(&self, address: SocketAddr) {
        *self.upstream.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
    }

    /// The slot that the request was meant for did not answer it, whoever did
    /// in its place.
    pub fn unanswered_by(&self, slot: Slot, tried: Option<SocketAddr>) {
        let failed = Failed { slot, tried, failing: Failing::Unanswered };
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(failed);
    }

    /// The slot's answer says that it failed. Where another slot gave it, the
    /// first one's failure stands.
    pub fn fails(&self, slot: Slot) {
        let tried = *self.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.get_or_insert(Failed { slot, tried, failing: Failing::Error });
    }

    /// The answer ends before it is complete. Where another slot gave it, the
    /// first one's failure stands.
    pub fn breaks_off(&self) {
        let tried = *self.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(slot) = self.given().map(|given| given.slot) else { return };
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_none_or(|failed| failed.failing == Failing::Error) {
            *failed = Some(Failed { slot, tried, failing: Failing::Broken });
        }
    }

    /// It was the client's doing that there was no answer.
    pub fn is_the_clients_fault(&self) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn given(&self) -> Option<Given> {
        *self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is to tell of a slot, once all is over. A client that gives
    /// up before an answer begins outweighs what was tried until then.
    fn failure(&self, status: u16) -> Option<Failed> {
        if status != CLIENT_CLOSED {
            return *self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        }
        let tried = *self.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        self.given().map(|Given { slot, .. }| Failed { slot, tried, failing: Failing::Abandoned })
    }

    /// The answer begins.
    pub fn answered(&self, status: StatusCode) {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        self.status.store(status.as_u16(), Ordering::SeqCst);
        *waits = None;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let upstream = *self.upstream.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, status) = (self.clock.wall(), self.status.load(Ordering::SeqCst));
        if let Some(Failed { slot, tried, failing }) = self.failure(status) {
            let since = self.given().map_or(self.started, |given| given.at);
            let waited = self.clock.instant().saturating_duration_since(since);
            let tried = super::forward::address_text(tried);
            let mut request = plain(&self.request);
            request.truncate(failures::LONGEST_REQUEST);
            let failure = failures::line(now, (status, failing, waited), slot, &tried, &request);
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

#[cfg(test)]
mod tests {
    use std::fs;

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
        let found = failures::count(&failures, true, Slot::Green, DateTime::UNIX_EPOCH).unwrap();
        assert_eq!(found.failed, 1);
    }
}
