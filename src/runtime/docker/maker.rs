//! Which process made a throw-away container: one whose maker has ended is left
//! over, however young it is.

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// The label that holds the mark.
pub const LABEL: &str = "io.swiftdeploy.maker";

/// This process, as others on the machine find it: the namespace of its number, the
/// number, when it was started. `None` where the system does not tell.
pub fn mark() -> Option<String> {
    let pid = std::process::id();
    Some(format!("{}/{pid}/{}", namespace()?, start(pid)?))
}

/// Whether the process of a mark has certainly ended. Of another namespace, or one
/// that cannot be looked at, nothing is certain.
pub fn has_ended(mark: &str) -> bool {
    ended(mark).unwrap_or(false)
}

fn ended(mark: &str) -> Option<bool> {
    let mut parts = mark.split('/');
    let (theirs, pid, began) = (parts.next()?, parts.next()?.parse::<i32>().ok()?, parts.next()?);
    if theirs != namespace()? {
        return None;
    }
    let is_gone = test_kill_process(Pid::from_raw(pid)?) == Err(Errno::SRCH);
    // The number may be somebody else's by now.
    Some(is_gone || start(pid.unsigned_abs())? != began)
}

fn namespace() -> Option<String> {
    Some(std::fs::read_link("/proc/self/ns/pid").ok()?.to_string_lossy().into_owned())
}

/// In the kernel's ticks since the machine was started.
fn start(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_whitespace().nth(19).map(str::to_owned)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_maker_has_ended_when_it_is_gone_or_its_number_is_another_s() {
        let own = mark().unwrap();
        assert!(!has_ended(&own));
        let (place, began) = own.rsplit_once('/').unwrap();
        assert!(has_ended(&format!("{place}/{began}1")));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let theirs = format!("{}/{}/{}", namespace().unwrap(), child.id(), start(child.id()).unwrap());
        assert!(!has_ended(&theirs));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(has_ended(&theirs));
    }

    #[test]
    fn of_what_cannot_be_looked_at_nothing_is_certain() {
        for mark in ["", "nonsense", "pid:[1]/2147483647/1", "pid:[1]/x/1"] {
            assert!(!has_ended(mark), "{mark}");
        }
    }
}
