//! Two at once, and one that is told to stop.
#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy knows only test functions as tests")]

use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::untouched::{Untouched, initialised};
use super::world::{World, until};

/// A deployment under way; killed if a test ends before it does.
struct UnderWay(Child);

impl UnderWay {
    /// Begins a deployment that waits for a service which never becomes
    /// healthy, and returns when it waits.
    fn begin(world: &World) -> Self {
        world.edit_manifest(|text| {
            text.replace(
                "  version: \"1.0.0\"\n",
                "  version: \"1.0.0\"\n  command: [\"sleep\", \"600\"]\n  health:\n    wait: 20s\n",
            )
        });
        world.run(&["init"]).ends_with(0);
        let mut command = world.command(&["deploy"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let under_way = Self(child);
        until("the service runs", Duration::from_secs(20), || {
            let all = world.processes();
            if all.iter().any(|command| command.contains("sleep 600")) {
                Ok(())
            } else {
                Err(format!("{all:?}"))
            }
        });
        under_way
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    fn exit_code(&mut self) -> Option<i32> {
        until("the deployment ends", Duration::from_secs(15), || {
            self.0.try_wait().unwrap().ok_or_else(|| "it runs".to_owned())
        })
        .code()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_second_operation_is_told_who_works_and_the_first_can_be_cancelled() {
    let world = initialised();
    let mut first = UnderWay::begin(&world);
    let before = Untouched::of(&world);
    let pid = first.0.id();
    let user = world.tool("id", &["-un"]).ends_with(0).out;
    for command in [&["deploy"][..], &["promote", "canary"], &["teardown", "--yes"]] {
        world
            .run(command)
            .ends_with(4)
            .says("busy: deploy is running since")
            .says(&format!("({}@", user.trim()))
            .says(&format!("pid {pid})"));
    }
    let refused = world.run(&["deploy", "--json"]).ends_with(4).json().pop().unwrap();
    assert_eq!((&refused["event"], &refused["busy"]), (&"refused".into(), &true.into()), "{refused}");
    // Looking is allowed meanwhile.
    world.run(&["status", "--once"]).ends_with(0);
    before.holds();

    first.signal(Signal::INT);
    assert_eq!(first.exit_code(), Some(130));
    assert_eq!(world.processes(), Vec::<String>::new(), "nothing of the cancelled deployment runs");
    world.run(&["audit", "verify"]).ends_with(0);
    // The lock went with its holder.
    world.edit_manifest(|text| text.replace("  command: [\"sleep\", \"600\"]\n", ""));
    world.run(&["deploy"]).ends_with(0);
}

#[test]
fn a_terminated_deployment_leaves_what_served() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    let mut second = UnderWay::begin(&world);
    second.signal(Signal::TERM);
    assert_eq!(second.exit_code(), Some(130));
    assert!(
        !world.processes().iter().any(|command| command.contains("sleep 600")),
        "{:?}",
        world.processes()
    );
    assert_eq!(world.get("/").json()["mode"], "stable");
}
