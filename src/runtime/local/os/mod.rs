//! The few things that differ between operating systems: who a process is,
//! which processes belong together, who listens on a port.
//!
//! A process is always named by its id and its start time: an id alone is
//! given to somebody else sooner or later, and a signal to the wrong process
//! cannot be taken back.

use std::ffi::OsString;
use std::fmt;
use std::io;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as imp;

// Tests run the portable part on Linux too, so that it cannot rot.
#[cfg(any(not(target_os = "linux"), test))]
mod portable;
#[cfg(not(target_os = "linux"))]
use portable as imp;

/// The environment variable by which a process, and everything it starts, is
/// recognised as ours even when no record of it was written.
pub const TOKEN_VARIABLE: &str = "SWIFTDEPLOY_TOKEN";

/// One process and no other, for as long as the machine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessId {
    /// The process id.
    pub pid: u32,
    /// When it started, in the unit of the operating system (Linux: clock
    /// ticks since boot, others: seconds since 1970). Only ever compared.
    pub start: u64,
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.pid, self.start)
    }
}

/// Somebody who listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The process, where it may be looked at.
    pub pid: Option<u32>,
    /// The program's name, where it may be looked at.
    pub name: Option<String>,
    /// Its arguments, where they may be looked at; the program comes first.
    pub arguments: Vec<OsString>,
    /// The owner's user id, where known.
    pub uid: Option<u32>,
}

/// A name for this run of the machine: records of an earlier run are void.
pub fn boot() -> String {
    imp::boot()
}

/// The process that lives under this id now. A zombie lives no more.
pub fn identify(pid: u32) -> Option<ProcessId> {
    imp::identify(pid)
}

/// A child that the caller has not reaped yet, dead or alive.
pub fn identify_child(pid: u32) -> Option<ProcessId> {
    imp::identify_child(pid)
}

/// Whether this very process still lives.
pub fn is_alive(id: ProcessId) -> bool {
    identify(id.pid) == Some(id)
}

/// Sends a signal to this very process. `false`: it lives no more, nobody got
/// the signal.
pub fn signal(id: ProcessId, signal: Signal) -> io::Result<bool> {
    imp::signal(id, signal)
}

/// Every living process, except the caller, that carries a token starting
/// with `token` or is in the group that the living `leader` leads.
pub fn family(token: &str, leader: Option<ProcessId>) -> Vec<ProcessId> {
    imp::family(token, leader.filter(|leader| is_alive(*leader)))
}

/// Who listens on a TCP port, on any address.
pub fn listeners(port: u16) -> Vec<Listener> {
    imp::listeners(port)
}

/// Checks and then signals by id: what is left where the operating system has
/// no handles on processes. Between the two the process may end; its id is not
/// given away again that fast.
fn signal_by_id(living: Option<ProcessId>, id: ProcessId, signal: Signal) -> io::Result<bool> {
    if living != Some(id) {
        return Ok(false);
    }
    let Some(pid) = raw(id.pid) else { return Ok(false) };
    match rustix::process::kill_process(pid, signal) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::SRCH) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn raw(pid: u32) -> Option<rustix::process::Pid> {
    i32::try_from(pid).ok().filter(|pid| *pid > 0).and_then(rustix::process::Pid::from_raw)
}

/// Whether a block of `NAME=value\0` carries a token that starts with `token`.
fn carries(environment: &[u8], token: &str) -> bool {
    environment.split(|byte| *byte == 0).any(|entry| {
        entry
            .strip_prefix(TOKEN_VARIABLE.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"="))
            .is_some_and(|value| value.starts_with(token.as_bytes()))
    })
}

#[cfg(test)]
mod tests;
