//! What runs beside the commands of a story: the dashboard, and traffic.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helpers of tests: clippy knows only test functions as tests, and waiting needs the machine's clock"
)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::world::World;

/// A command that runs until it is told to stop.
struct Running(Child);

impl Running {
    /// Interrupts it, as Ctrl-C does, and tells how it ended.
    fn stop(mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.0), Signal::INT).unwrap();
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The dashboard of `status --json`, which goes on by itself.
pub struct Dashboard {
    running: Running,
    lines: Receiver<String>,
}

impl Dashboard {
    /// Opens it.
    pub fn open(world: &World) -> Self {
        let mut command = world.command(&["status", "--json", "--interval", "1s"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = sync_channel(1024);
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { running: Running(child), lines }
    }

    /// Waits for a line that shows what is wanted.
    #[track_caller]
    pub fn shows(&self, what: &str, within: Duration, is_so: impl Fn(&Value) -> bool) {
        let deadline = Instant::now() + within;
        let mut last = String::from("nothing");
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("{what}: not within {within:?}; last: {last}");
            };
            last = line;
            if is_so(&serde_json::from_str(&last).unwrap()) {
                return;
            }
        }
    }

    /// Closes it; that is no error.
    #[track_caller]
    pub fn close(self) {
        assert_eq!(self.running.stop(), Some(0));
    }
}

/// Probe traffic beside other commands.
pub struct Load(Running);

impl Load {
    /// Begins to send so many requests per second.
    pub fn begin(world: &World, per_second: u32) -> Self {
        let mut command = world.command(&["load", "--rps", &per_second.to_string(), "--for", "3m"]);
        Self(Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()))
    }

    /// Ends it before its time.
    #[track_caller]
    pub fn end(self) {
        assert_eq!(self.0.stop(), Some(130));
    }
}
