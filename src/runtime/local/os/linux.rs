//! Linux: everything from `/proc`; signals through process handles, so that
//! there is no moment between the check and the signal.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;

use rustix::io::Errno;
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::{Listener, ProcessId, carries, raw, signal_by_id};

pub fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| "unknown".into(), |id| id.trim().to_owned())
}

pub fn identify(pid: u32) -> Option<ProcessId> {
    let stat = Stat::read(pid)?;
    (!stat.is_dead()).then_some(ProcessId { pid, start: stat.start })
}

pub fn identify_child(pid: u32) -> Option<ProcessId> {
    Some(ProcessId { pid, start: Stat::read(pid)?.start })
}

pub fn signal(id: ProcessId, signal: Signal) -> io::Result<bool> {
    let Some(pid) = raw(id.pid) else { return Ok(false) };
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(Errno::SRCH) => return Ok(false),
        // Kernels before 5.3 and some sandboxes have no process handles.
        Err(_) => return signal_by_id(identify(id.pid), id, signal),
    };
    // The handle stays with whoever had the id when it was opened: if that is
    // the process we mean, nobody else can get the signal any more.
    if identify(id.pid) != Some(id) {
        return Ok(false);
    }
    match pidfd_send_signal(&handle, signal) {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub fn family(token: &str, leader: Option<ProcessId>) -> Vec<ProcessId> {
    let own = std::process::id();
    all_pids()
        .filter(|pid| *pid != own)
        .filter_map(|pid| {
            let stat = Stat::read(pid).filter(|stat| !stat.is_dead())?;
            let in_group = leader.is_some_and(|leader| stat.group == leader.pid);
            // Unreadable means somebody else's process, which is not ours.
            let is_ours = in_group
                || fs::read(format!("/proc/{pid}/environ"))
                    .is_ok_and(|environment| carries(&environment, token));
            is_ours.then_some(ProcessId { pid, start: stat.start })
        })
        .collect()
}

pub fn listeners(port: u16) -> Vec<Listener> {
    let sockets: Vec<Socket> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening(&table, port))
        .collect();
    if sockets.is_empty() {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for pid in all_pids() {
        for inode in socket_inodes(pid) {
            if let Some(socket) = sockets.iter().find(|socket| socket.inode == inode)
                && seen.insert((inode, pid))
            {
                found.push(Listener {
                    pid: Some(pid),
                    name: name(pid),
                    arguments: arguments(pid),
                    uid: Some(socket.uid),
                });
            }
        }
    }
    let named: HashSet<u64> = seen.into_iter().map(|(inode, _)| inode).collect();
    found.extend(sockets.iter().filter(|socket| !named.contains(&socket.inode)).map(|socket| Listener {
        pid: None,
        name: None,
        arguments: Vec::new(),
        uid: Some(socket.uid),
    }));
    found
}

/// The fields of `/proc/PID/stat` that matter here.
struct Stat {
    state: u8,
    group: u32,
    threads: u32,
    start: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The program's name is in parentheses and may itself hold spaces and
        // parentheses: the fields start after the last one.
        let (_, rest) = text.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let group = fields.nth(1)?.parse().ok()?; // field 5
        let threads = fields.nth(14)?.parse().ok()?; // field 20
        let start = fields.nth(1)?.parse().ok()?; // field 22
        Some(Self { state, group, threads, start })
    }

    /// The state is that of the first thread: while others live, the process
    /// runs, and holds its ports.
    const fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x') && self.threads <= 1
    }
}

struct Socket {
    inode: u64,
    uid: u32,
}

/// The sockets of a `/proc/net/tcp` table that listen on a port.
fn listening(table: &str, port: u16) -> Vec<Socket> {
    const LISTEN: &str = "0A";
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let (_, local) = fields.get(1)?.rsplit_once(':')?;
            let is_wanted = u16::from_str_radix(local, 16).ok()? == port && *fields.get(3)? == LISTEN;
            is_wanted.then(|| {
                Some(Socket { uid: fields.get(7)?.parse().ok()?, inode: fields.get(9)?.parse().ok()? })
            })?
        })
        .collect()
}

fn all_pids() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn socket_inodes(pid: u32) -> impl Iterator<Item = u64> {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter_map(|link| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
}

fn name(pid: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|name| name.trim_end().to_owned())
}

fn arguments(pid: u32) -> Vec<OsString> {
    let text = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    // Each ends with a zero byte.
    let text = text.strip_suffix(&[0]).unwrap_or(&text);
    text.split(|byte| *byte == 0).map(|argument| OsStr::from_bytes(argument).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_program_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let text = "17 (a) b (c)) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 1";
        let stat = Stat::parse(text).unwrap();
        assert_eq!((stat.state, stat.group, stat.threads, stat.start), (b'S', 42, 1, 98765));
    }

    #[rstest]
    #[case::running("S", 3, false)]
    #[case::ended("Z", 1, true)]
    #[case::its_other_threads_still_run("Z", 2, false)]
    fn a_process_has_ended_when_its_last_thread_has(
        #[case] state: &str,
        #[case] threads: u32,
        #[case] is_dead: bool,
    ) {
        let text = format!("17 (a) {state} 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 {threads} 0 98765 1 1");
        assert_eq!(Stat::parse(&text).unwrap().is_dead(), is_dead);
    }

    #[test]
    fn only_listening_sockets_of_the_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 111 1 0 100 0 0 10 0\n\
            1: 0100007F:1F90 0100007F:D2F0 01 00000000:00000000 00:00000000 00000000  1000        0 222 1 0 100 0 0 10 0\n\
            2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 333 1 0 100 0 0 10 0\n";
        let found = listening(table, 8080);
        assert_eq!(found.iter().map(|socket| (socket.inode, socket.uid)).collect::<Vec<_>>(), [(111, 1000)]);
    }
}
