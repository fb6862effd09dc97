//! A folder that cannot be written, and a disk that is full.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::untouched::{Untouched, initialised};
use super::world::{BINARY, Ran, World, skipped, until};

/// A project whose folder is mounted otherwise, for the commands of one test
/// only: a mount namespace, kept by a process that waits for its input to end.
struct Mounted<'a> {
    world: &'a World,
    holder: Child,
}

impl<'a> Mounted<'a> {
    /// Mounts with a script that gets the folder as `$1`. `None`, with a note,
    /// where this machine does not let us.
    fn with(world: &'a World, script: &str) -> Option<Self> {
        let script = format!("set -e; {script}; echo mounted; exec cat");
        let root = world.root().canonicalize().unwrap();
        let mut holder = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-c", &script, "sh"])
            .arg(&root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if line.trim() == "mounted" {
            return Some(Self { world, holder });
        }
        let mut why = String::new();
        holder.stderr.take().unwrap().read_to_string(&mut why).unwrap();
        holder.wait().unwrap();
        skipped::note(&format!("mounting is not permitted: {}", why.trim()));
        None
    }

    /// Runs a shell script in the folder as it is mounted.
    fn shell(&self, script: &str, args: &[&str]) -> Ran {
        let namespace = format!("--mount=/proc/{}/ns/mnt", self.holder.id());
        let root = self.world.root().canonicalize().unwrap();
        let inside = format!("cd \"$1\"; shift; {script}");
        let before = [namespace.as_str(), "sh", "-c", &inside, "sh", root.to_str().unwrap()];
        self.world.tool("nsenter", &[&before, args].concat())
    }

    /// Runs a command of ours there.
    fn run(&self, args: &[&str]) -> Ran {
        self.shell("exec \"$@\"", &[&[BINARY], args].concat())
    }

    /// A file as it is seen there.
    fn path(&self, name: &str) -> PathBuf {
        let root = self.world.root().canonicalize().unwrap();
        PathBuf::from(format!("/proc/{}/root{}", self.holder.id(), root.display())).join(name)
    }

    /// Takes all the space that is left.
    fn fill(&self) {
        let script = "dd if=/dev/zero of=fill bs=4k; dd if=/dev/zero of=fill bs=1 oflag=append conv=notrunc";
        self.shell(&format!("{{ {script}; }} 2>&1 | grep 'No space left'"), &[]).ends_with(0);
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        self.shell("rm -f fill", &[]);
        self.run(&["teardown", "--yes"]);
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// A project that deploys also where there is hardly any space: the gate is not
/// what is tested here.
fn without_disk_limit() -> World {
    let world = initialised();
    world.set_limits(
        r#"{"thresholds":{"disk_free_gb":0,"cpu_load":1000,"error_rate":0.01,"p99_latency_ms":500}}"#,
    );
    world
}

/// The project on a small disk of its own.
const SMALL_DISK: &str = "spare=$(mktemp -d); cp -a \"$1/.\" \"$spare\"; \
    mount -t tmpfs -o size=8m,mode=700 tmpfs \"$1\"; cp -a \"$spare/.\" \"$1\"; rm -r \"$spare\"";

#[test]
fn in_a_read_only_folder_nothing_begins() {
    let world = initialised();
    let before = Untouched::of(&world);
    let script = "mount --bind \"$1\" \"$1\"; mount -o remount,ro,bind \"$1\"";
    let Some(mounted) = Mounted::with(&world, script) else { return };
    for command in [&["deploy"][..], &["init"], &["rollback"], &["audit"]] {
        mounted
            .run(command)
            .ends_with(1)
            .says("Read-only file system")
            .says("nothing was changed")
            .says("next:  ");
    }
    // The checks have no effect, so they are made, and tell what cannot be written.
    let checks = mounted.run(&["validate"]).ends_with(1);
    let lines = checks.out.lines().filter(|line| line.starts_with("PASS"));
    assert_eq!(lines.count(), 5, "{}", checks.text());
    checks
        .says("warning: no deploy can begin: the folder ")
        .says("neither history.jsonl nor generated/ nor .swiftdeploy/")
        .says("next:  ");
    drop(mounted);
    before.holds();
}

#[test]
fn on_a_full_disk_no_deployment_begins() {
    let world = without_disk_limit();
    let Some(mounted) = Mounted::with(&world, SMALL_DISK) else { return };
    mounted.fill();
    let ran = mounted.run(&["deploy"]).ends_with(1).says("next:  ").says("nothing was changed");
    let text = ran.text();
    assert!(text.contains("No space left") || text.contains("the disk is full"), "{text}");
    assert_eq!(world.processes(), Vec::<String>::new());
    // With space again it goes on as if nothing had been.
    mounted.shell("rm fill", &[]).ends_with(0);
    mounted.run(&["deploy"]).ends_with(0);
    mounted.run(&["audit", "verify"]).ends_with(0);
}

/// The history alone on a disk of its own, below `full`.
const HISTORY_APART: &str = "folder=\"$1/full\"; mkdir \"$folder\"; \
    mount -t tmpfs -o size=64k tmpfs \"$folder\"; cp -a \"$1/history.jsonl\" \"$folder/\"; \
    mount --bind \"$folder/history.jsonl\" \"$1/history.jsonl\"";

/// Takes all the space that the history could have.
fn fill_history(mounted: &Mounted<'_>) {
    mounted.shell("cat /dev/zero > full/fill", &[]).ends_with(1).says("No space left");
    // A few lines still fit in the last page.
    until("the history is full", Duration::from_secs(30), || {
        let ran = mounted.run(&["init", "--check"]);
        let is_full = ran.text().contains("the disk is full") && ran.text().contains("nothing was changed");
        if is_full { Ok(()) } else { Err(ran.text()) }
    });
}

#[test]
fn what_cannot_be_recorded_does_not_begin() {
    let world = without_disk_limit();
    let Some(mounted) = Mounted::with(&world, HISTORY_APART) else { return };
    fill_history(&mounted);
    let before = std::fs::read(mounted.path("history.jsonl")).unwrap();
    mounted
        .run(&["deploy"])
        .ends_with(1)
        .says("cannot record: the disk is full")
        .says("free space on the disk of")
        .says("nothing was changed");
    assert_eq!(world.processes(), Vec::<String>::new());
    assert!(std::fs::read(mounted.path("history.jsonl")).unwrap() == before, "half a line was left");
    mounted.run(&["audit", "verify"]).ends_with(0);
}

#[test]
fn a_deployment_on_whose_way_the_history_fills_up_says_that_it_is_not_recorded() {
    let world = without_disk_limit();
    world.edit_manifest(|text| text.replace("drain: 1s", "drain: 12s"));
    let Some(mounted) = Mounted::with(&world, HISTORY_APART) else { return };
    mounted.run(&["deploy"]).ends_with(0);
    world.edit_manifest(|text| text.replace("version: \"1.0.0\"", "version: \"2.0.0\""));
    std::thread::scope(|scope| {
        let deploy = scope.spawn(|| mounted.run(&["deploy"]));
        until("the new release serves", Duration::from_secs(40), || {
            let served = world.get("/").json()["version"].to_string();
            if served.contains("2.0.0") { Ok(()) } else { Err(served) }
        });
        fill_history(&mounted);
        let ran = deploy.join().unwrap().ends_with(1);
        ran.says("could not be recorded: cannot record: the disk is full").says("next:  ");
    });
    // What was done is whole, and so is what was recorded of it.
    assert_eq!(world.get("/").json()["version"], "2.0.0");
    mounted.run(&["audit", "verify"]).ends_with(0);
    // With space again everything goes as ever.
    mounted.shell("rm full/fill", &[]).ends_with(0);
    mounted.run(&["rollback"]).ends_with(0);
    assert_eq!(world.get("/").json()["version"], "1.0.0");
    mounted.run(&["audit", "verify"]).ends_with(0);
}

#[test]
fn on_a_full_disk_a_rollback_goes_on() {
    let world = without_disk_limit();
    let Some(mounted) = Mounted::with(&world, SMALL_DISK) else { return };
    mounted.run(&["deploy"]).ends_with(0);
    mounted.run(&["promote", "canary"]).ends_with(0);
    assert_eq!(world.get("/healthz").json()["mode"], "canary");
    mounted.fill();
    let ran = mounted.run(&["rollback"]);
    assert_eq!(world.get("/healthz").json()["mode"], "stable", "{}", ran.text());
    // The space that was kept back for this is enough for its records too.
    ran.ends_with(0);
    mounted.run(&["audit", "verify"]).ends_with(0);
}
