//! Facts about this machine, and what a process uses of it.

use std::path::{Path, PathBuf};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use super::os::ProcessId;
use crate::runtime::{HostFacts, RuntimeError, Usage};

/// The machine's name, for people.
pub fn name() -> String {
    System::host_name().unwrap_or_else(|_| "localhost".into())
}

/// Free space where the state lies, load and processors of the whole machine.
pub fn facts(state_dir: &Path) -> Result<HostFacts, RuntimeError> {
    let failed = |doing: String| move |reason: String| RuntimeError::Engine { doing, reason };
    let data_root = nearest_existing(state_dir);
    let disk = rustix::fs::statvfs(&data_root)
        .map_err(|error| error.to_string())
        // Pseudo file systems have no size; their "0 bytes free" says nothing.
        .and_then(|disk| if disk.f_blocks == 0 { Err("it has no size".into()) } else { Ok(disk) })
        .map_err(failed(format!("reading the free space of {}", data_root.display())))?;
    let load = System::load_average()
        .map_err(|error| error.to_string())
        .map_err(failed("reading the load average".into()))?;
    Ok(HostFacts {
        disk_free_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
        data_root,
        load1: load.one,
        cpus: processors(),
    })
}

fn processors() -> u32 {
    let mut system = System::new().ok();
    let all = system.as_mut().map_or(0, |system| {
        system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
        system.cpus().len()
    });
    let usable = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(if all == 0 { usable } else { all }).unwrap_or(u32::MAX)
}

/// Before the first deploy the state directory does not exist yet.
fn nearest_existing(path: &Path) -> PathBuf {
    path.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/")).to_owned()
}

/// Measures what processes use. Processor time is what was used since the
/// look before, so the first look finds none.
pub struct Meter {
    system: Option<System>,
}

impl Meter {
    pub fn new() -> Self {
        Self { system: System::new().ok() }
    }

    /// What each process uses now; `None` where it cannot be told.
    pub fn look(&mut self, processes: &[ProcessId]) -> Vec<Option<Usage>> {
        let Some(system) = &mut self.system else { return vec![None; processes.len()] };
        let pids: Vec<Pid> = processes.iter().map(|id| Pid::from_u32(id.pid)).collect();
        system.refresh_processes_specifics(
            ProcessesToUpdate::Some(&pids),
            true,
            ProcessRefreshKind::nothing().with_memory().with_cpu().without_tasks(),
        );
        pids.iter()
            .map(|pid| {
                let process = system.process(*pid)?;
                Some(Usage { memory: process.memory(), cpu_percent: process.cpu_usage().into() })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_this_machine_also_before_the_state_directory_exists() {
        let folder = tempfile::tempdir().unwrap();
        let facts = facts(&folder.path().join("not/yet")).unwrap();
        assert_eq!(facts.data_root, folder.path());
        assert!(facts.disk_free_bytes > 0);
        assert!(facts.cpus >= 1);
        assert!(facts.load1 >= 0.0);
    }

    #[test]
    fn a_file_system_without_a_size_is_an_error_not_zero_bytes() {
        assert!(facts(Path::new("/proc/self")).unwrap_err().to_string().contains("no size"));
    }

    #[test]
    fn this_process_uses_memory() {
        let me = super::super::os::identify(std::process::id()).unwrap();
        assert!(Meter::new().look(&[me])[0].unwrap().memory > 0);
    }
}
