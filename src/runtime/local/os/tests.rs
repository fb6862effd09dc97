//! What the operating system tells about processes.

use std::process::{Child, Command, Stdio};

use rstest::rstest;
use rustix::process::Signal;

use super::*;

/// What each operating system's part offers.
struct Part {
    identify: fn(u32) -> Option<ProcessId>,
    identify_child: fn(u32) -> Option<ProcessId>,
    signal: fn(ProcessId, Signal) -> io::Result<bool>,
    family: fn(&str, Option<ProcessId>) -> Vec<ProcessId>,
    boot: fn() -> String,
    listeners: fn(u16) -> Vec<Listener>,
}

fn native() -> Part {
    Part {
        identify: imp::identify,
        identify_child: imp::identify_child,
        signal: imp::signal,
        family: imp::family,
        boot: imp::boot,
        listeners: imp::listeners,
    }
}

fn portable() -> Part {
    Part {
        identify: portable::identify,
        identify_child: portable::identify_child,
        signal: portable::signal,
        family: portable::family,
        boot: portable::boot,
        listeners: portable::listeners,
    }
}

/// A child that ends with the test, however that ends.
struct Sleeper(Child);

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn sleeper(token: &str) -> Sleeper {
    let mut command = Command::new("sleep");
    command.arg("600").env(TOKEN_VARIABLE, token);
    Sleeper(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[rstest]
#[case::native(native())]
#[case::portable(portable())]
fn a_living_process_is_known_a_zombie_lives_no_more(#[case] part: Part) {
    let mut child = sleeper("test.identify");
    let id = (part.identify)(child.0.id()).expect("it lives");

    child.0.kill().unwrap();
    // Not reaped yet: it is a zombie once the kernel has ended it.
    while (part.identify)(child.0.id()).is_some() {
        std::thread::yield_now();
    }
    assert_eq!((part.identify_child)(child.0.id()), Some(id), "its parent still finds it");

    child.0.wait().unwrap();
    assert_eq!((part.identify_child)(id.pid), None);
}

#[rstest]
#[case::native(native())]
#[case::portable(portable())]
fn a_signal_needs_the_right_start_time(#[case] part: Part) {
    let mut child = sleeper("test.signal");
    let id = (part.identify)(child.0.id()).unwrap();
    let forged = ProcessId { start: id.start + 1, ..id };

    assert!(!(part.signal)(forged, Signal::KILL).unwrap(), "somebody else's id");
    assert_eq!((part.identify)(id.pid), Some(id), "it still lives");

    assert!((part.signal)(id, Signal::KILL).unwrap());
    child.0.wait().unwrap();
    assert!(!(part.signal)(id, Signal::KILL).unwrap(), "nobody is left");
}

#[rstest]
#[case::native(native(), "test.family-native")]
#[case::portable(portable(), "test.family-portable")]
fn a_family_is_found_by_its_token_only(#[case] part: Part, #[case] token: &str) {
    let ours = sleeper(&format!("{token}.app-blue.1"));
    let _other = sleeper("test.bystander");

    // Between fork and exec the child still has its parent's environment.
    let mut found = Vec::new();
    while found.is_empty() {
        found = (part.family)(&format!("{token}.app-blue."), None);
    }
    assert_eq!(found.iter().map(|id| id.pid).collect::<Vec<_>>(), [ours.0.id()]);
    assert_eq!((part.family)(&format!("{token}.app-green."), None), []);
}

#[rstest]
#[case::native(native())]
#[case::portable(portable())]
fn a_run_of_the_machine_has_one_name(#[case] part: Part) {
    assert_eq!((part.boot)(), (part.boot)());
    assert_ne!((part.boot)(), "unknown");
}

#[cfg(target_os = "linux")]
#[rstest]
#[case::native(native(), vec![Some(std::process::id())])]
#[case::portable_does_not_know(portable(), vec![])]
fn the_listener_on_a_port_is_this_process(#[case] part: Part, #[case] expected: Vec<Option<u32>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let found = (part.listeners)(listener.local_addr().unwrap().port());
    assert_eq!(found.iter().map(|owner| owner.pid).collect::<Vec<_>>(), expected);
}
