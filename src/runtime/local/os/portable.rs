//! Everywhere else: what `sysinfo` tells. Who listens on a port stays unknown.

use std::io;

use rustix::process::Signal;
use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

use super::{Listener, ProcessId, carries, signal_by_id};

pub fn boot() -> String {
    System::boot_time().map_or_else(|_| "unknown".into(), |seconds| seconds.to_string())
}

pub fn identify(pid: u32) -> Option<ProcessId> {
    let system = look(ProcessesToUpdate::Some(&[Pid::from_u32(pid)]), ProcessRefreshKind::nothing())?;
    let process = system.process(Pid::from_u32(pid))?;
    is_living(process.status()).then(|| ProcessId { pid, start: process.start_time() })
}

pub fn identify_child(pid: u32) -> Option<ProcessId> {
    let system = look(ProcessesToUpdate::Some(&[Pid::from_u32(pid)]), ProcessRefreshKind::nothing())?;
    Some(ProcessId { pid, start: system.process(Pid::from_u32(pid))?.start_time() })
}

pub fn signal(id: ProcessId, signal: Signal) -> io::Result<bool> {
    signal_by_id(identify(id.pid), id, signal)
}

pub fn family(token: &str, leader: Option<ProcessId>) -> Vec<ProcessId> {
    let own = std::process::id();
    let kind = ProcessRefreshKind::nothing().with_environ(UpdateKind::Always);
    let Some(system) = look(ProcessesToUpdate::All, kind) else { return Vec::new() };
    system
        .processes()
        .values()
        .filter(|process| is_living(process.status()) && process.thread_kind().is_none())
        .map(|process| (process, ProcessId { pid: process.pid().as_u32(), start: process.start_time() }))
        .filter(|(process, id)| {
            let has_token = process.environ().iter().any(|entry| carries(entry.as_encoded_bytes(), token));
            id.pid != own && (has_token || leader == Some(*id))
        })
        .map(|(_, id)| id)
        .collect()
}

pub fn listeners(_port: u16) -> Vec<Listener> {
    Vec::new()
}

fn look(which: ProcessesToUpdate<'_>, kind: ProcessRefreshKind) -> Option<System> {
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(which, true, kind);
    Some(system)
}

fn is_living(status: ProcessStatus) -> bool {
    !matches!(status, ProcessStatus::Zombie | ProcessStatus::Dead)
}
