//! What the system tells the process.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Time in which the system has surely stopped all threads.
const STOP_GRACE: Duration = Duration::from_millis(100);

/// What the system tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// To end.
    End,
    /// That it goes on after it was stopped.
    Continue,
}

/// The signals that matter to a full-screen app.
pub struct Signals {
    terminate: Signal,
    hang_up: Signal,
    interrupt: Signal,
    go_on: Signal,
}

impl Signals {
    /// Begins to listen.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            go_on: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::End,
            _ = self.hang_up.recv() => Told::End,
            _ = self.interrupt.recv() => Told::End,
            _ = self.go_on.recv() => Told::Continue,
        }
    }
}

/// Stops this process and its group, as Ctrl-Z does outside raw mode, and
/// returns when it goes on. Where there is no shell to return to (the leader
/// of an orphaned group) the system ignores the signal and it goes on at once.
pub fn stop() {
    let _refused = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
    // The signal stops all threads together, but not before this one has gone on for a moment.
    std::thread::sleep(STOP_GRACE);
}
