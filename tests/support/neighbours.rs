//! What lies and runs beside a project on this machine: processes and files
//! that are none of its business.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::world::{self, World, skipped};

/// Says inside of a namespace that this is one.
const INSIDE: &str = "SWIFTDEPLOY_TEST_OWN_PROCESSES";

/// Runs a test in a process namespace of its own, in which nothing runs but what
/// the test starts, so that the listing of all processes is exact: starts this
/// program again in it, for this one test. Where the machine does not permit
/// that, the test runs as it is and compares only its own bystanders.
#[track_caller]
pub fn with_own_processes(body: impl FnOnce()) {
    let is_permitted = || {
        let mut probe = unshare();
        probe.args(["true"]).stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    };
    if is_inside() {
        return body();
    }
    if !is_permitted() {
        skipped::note("no process namespace is permitted, so only bystanders of the test's own are compared");
        return body();
    }
    let name = std::thread::current().name().unwrap().to_owned();
    // The shell is what adopts and reaps; left as the namespace's first process.
    let output = unshare()
        .args(["sh", "-c", "\"$0\" \"$@\"; exit $?"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(INSIDE, "yes")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("1 passed"), "{}", text(&output.stdout));
}

fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    if !rustix::process::getuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
    command
}

/// A process: when it started, in the kernel's ticks, and what it is.
type Process = (u64, String);

/// Everything beside a project: processes by pid, files by path.
#[derive(Debug, PartialEq, Eq)]
pub struct Listing {
    processes: BTreeMap<u32, Process>,
    files: BTreeMap<PathBuf, File>,
}

/// A file: mode, inode, when it was changed, its bytes.
#[derive(PartialEq, Eq)]
struct File {
    mode: u32,
    inode: u64,
    changed: (i64, i64),
    bytes: Vec<u8>,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:o} inode {} changed {:?}, {} bytes",
            self.mode,
            self.inode,
            self.changed,
            self.bytes.len()
        )
    }
}

/// Others beside a project: another project's whole stack in the folder beside,
/// a process that works in the project's own folder without being of it, and
/// one that names that folder. They end with the test.
pub struct Neighbours<'a> {
    world: &'a World,
    other: World,
    idle: Vec<Child>,
}

impl<'a> Neighbours<'a> {
    /// Starts them.
    pub fn of(world: &'a World) -> Self {
        let other = world.neighbour();
        other.run(&["deploy"]).ends_with(0);
        std::fs::write(world.outside().join("notes.txt"), "not of any project").unwrap();
        let similar = format!("{}-3.txt", world.root().display());
        std::fs::write(&similar, "nothing comes").unwrap();
        let idle = |program: &str, args: &[&str]| {
            let mut command = Command::new(program);
            command.args(args).current_dir(world.root()).env_remove("PWD").env_remove("OLDPWD");
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let idle = vec![idle("sleep", &["900"]), idle("tail", &["-f", &similar])];
        // The kernel shows what a program was called with a moment after it runs.
        for child in &idle {
            let cmdline = format!("/proc/{}/cmdline", child.id());
            world::until("a bystander has its name", Duration::from_secs(20), || {
                let name = std::fs::read(&cmdline).unwrap();
                if name.is_empty() { Err("none yet".to_owned()) } else { Ok(()) }
            });
        }
        Self { world, other, idle }
    }

    /// Everything beside the project now: in a namespace of the test's own all
    /// processes but those of the project, else those that were started here.
    pub fn listing(&self) -> Listing {
        let mut files = BTreeMap::new();
        list(self.world.outside(), self.world.root(), &mut files);
        let ours = |pid: u32| {
            self.idle.iter().any(|child| child.id() == pid)
                || world::has_to_do_with(pid, &self.other.root().display().to_string())
        };
        let mut processes = all_processes();
        if is_inside() {
            let root = self.world.root().display().to_string();
            processes.retain(|pid, _| !world::has_to_do_with(*pid, &root));
        } else {
            processes.retain(|pid, _| ours(*pid));
        }
        // Two idle ones; of the other project at least its service and its proxy.
        assert!(processes.keys().filter(|pid| ours(**pid)).count() >= 4, "{processes:?}");
        Listing { processes, files }
    }

    /// The other project serves as before.
    #[track_caller]
    pub fn still_serve(&self) {
        assert_eq!(self.other.get("/").json()["mode"], "stable");
    }
}

impl Drop for Neighbours<'_> {
    fn drop(&mut self) {
        for child in &mut self.idle {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Every process of this machine, or of this namespace.
fn all_processes() -> BTreeMap<u32, Process> {
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    pids.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name in brackets may hold anything; what follows does not.
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let command = std::fs::read(entry.path().join("cmdline")).ok()?;
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        Some((pid, (fields.get(19)?.parse().ok()?, command)))
    })
    .collect()
}

/// Every file and folder below one, but for a project's.
fn list(folder: &Path, but: &Path, all: &mut BTreeMap<PathBuf, File>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.canonicalize().is_ok_and(|path| path == but) {
            continue;
        }
        let about = std::fs::symlink_metadata(&path).unwrap();
        let bytes = if about.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
        let changed = (about.mtime(), about.mtime_nsec());
        let file = File { mode: about.permissions().mode(), inode: about.ino(), changed, bytes };
        if about.is_dir() {
            list(&path, but, all);
        }
        all.insert(path, file);
    }
}
