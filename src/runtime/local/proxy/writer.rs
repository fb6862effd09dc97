//! The thread that writes both logs. What it cannot write it counts, and says so
//! in the log as soon as that takes lines again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use super::account::Progress;
use super::log_file::LogFile;
use crate::clock::SharedClock;
use crate::runtime::failures;

/// Time between two tries while something could not be written.
const RETRY: Duration = Duration::from_secs(1);

/// What there is to write.
pub enum Message {
    /// For the log of all requests.
    Line(String),
    /// For the log of those without an answer.
    Failure(String),
    /// Nothing more.
    Close,
}

/// What was handed over, and what there was no room for.
#[derive(Debug, Default)]
pub struct Backlog {
    /// Of the log of failures.
    pub progress: Progress,
    lines: AtomicU64,
    failures: AtomicU64,
}

impl Backlog {
    /// It is about to be handed over.
    pub fn note(&self, message: &Message) {
        if matches!(message, Message::Failure(_)) {
            self.progress.take();
        }
    }

    /// There was no room for it.
    pub fn lose(&self, message: &Message) {
        let lost = match message {
            Message::Line(_) => &self.lines,
            Message::Failure(_) => &self.failures,
            Message::Close => return,
        };
        lost.fetch_add(1, Ordering::SeqCst);
    }
}

/// Writes both logs.
pub struct Writer {
    file: LogFile,
    failures: LogFile,
    clock: SharedClock,
    backlog: Arc<Backlog>,
    /// Failures that were written or given up.
    handled: u64,
}

impl Writer {
    pub const fn new(file: LogFile, failures: LogFile, clock: SharedClock, backlog: Arc<Backlog>) -> Self {
        Self { file, failures, clock, backlog, handled: 0 }
    }

    pub fn run(mut self, waiting: &Receiver<Message>) {
        loop {
            let message = self.next(waiting);
            self.take_the_lost();
            match message {
                Some(Message::Line(line)) => self.file.write(&line, gap),
                Some(Message::Failure(line)) => {
                    let now = self.clock.wall();
                    self.failures.write(&line, |lost| failures::gap(now, lost));
                    self.handled += 1;
                }
                Some(Message::Close) => {
                    self.file.flush();
                    return self.settle();
                }
                None => {}
            }
            self.settle();
        }
    }

    /// The next message; `None` when it is time to try again what failed.
    fn next(&mut self, waiting: &Receiver<Message>) -> Option<Message> {
        match waiting.try_recv() {
            Ok(message) => Some(message),
            Err(TryRecvError::Disconnected) => Some(Message::Close),
            Err(TryRecvError::Empty) => {
                // Nothing more for now: let readers see what there is.
                self.file.flush();
                if self.failures.is_complete() {
                    return Some(waiting.recv().unwrap_or(Message::Close));
                }
                match waiting.recv_timeout(RETRY) {
                    Ok(message) => Some(message),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => Some(Message::Close),
                }
            }
        }
    }

    fn take_the_lost(&mut self) {
        self.file.lose(self.backlog.lines.swap(0, Ordering::SeqCst));
        let failures = self.backlog.failures.swap(0, Ordering::SeqCst);
        self.failures.lose(failures);
        self.handled += failures;
    }

    /// Whoever counts failures must know at once, not with the next one, what is
    /// in the log; and never before it is there.
    fn settle(&mut self) {
        let now = self.clock.wall();
        self.failures.tell_the_lost(|lost| failures::gap(now, lost));
        self.failures.flush();
        if self.failures.is_complete() {
            self.backlog.progress.settle(self.handled);
        }
    }
}

/// Stands in the access log where lines could not be written.
fn gap(lines: u64) -> String {
    format!("{lines} lines are missing here: the disk was too slow, or full\n")
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::Path;

    use chrono::DateTime;

    use super::*;
    use crate::clock::SystemClock;
    use crate::domain::Slot;

    fn writer(folder: &Path) -> Writer {
        let open = |name| LogFile::open(&folder.join(name)).unwrap();
        Writer::new(open("all.log"), open("failed.log"), SystemClock::shared(), Arc::default())
    }

    fn fail(writer: &mut Writer) {
        writer.backlog.progress.take();
        writer.failures.write("failure\n", |lost| format!("{lost} are missing\n"));
        writer.handled += 1;
        writer.settle();
    }

    #[test]
    fn what_a_full_disk_took_is_settled_when_the_log_tells_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("failed.log");
        let mut writer = writer(folder.path());
        fail(&mut writer);
        assert_eq!(writer.backlog.progress.account().to_string(), "1/1");

        // Nothing can be written to a file that is open for reading.
        writer.failures.write_into(File::open(&path).unwrap(), 8);
        fail(&mut writer);
        writer.backlog.note(&Message::Failure(String::new()));
        writer.backlog.lose(&Message::Failure(String::new()));
        writer.backlog.lose(&Message::Line(String::new()));
        writer.take_the_lost();
        writer.settle();
        assert_eq!(writer.backlog.progress.account().to_string(), "1/3");

        writer.failures.write_into(File::options().append(true).open(&path).unwrap(), 8);
        writer.settle();
        assert_eq!(writer.backlog.progress.account().to_string(), "3/3");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("failure\n") && text.contains(" | lost | - | 2 lines are missing"),
            "{text}"
        );
        assert!(failures::count(&text[8..], true, Slot::Green, DateTime::UNIX_EPOCH).is_err());
    }

    /// A short line finds room in memory; in the log it is not.
    #[test]
    fn what_waits_in_memory_is_not_settled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("failed.log");
        let mut writer = writer(folder.path());
        writer.failures.write_into(File::open(&path).unwrap(), 1000);
        fail(&mut writer);
        assert_eq!(writer.backlog.progress.account().to_string(), "0/1");
    }
}
