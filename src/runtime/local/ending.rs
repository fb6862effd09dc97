//! Ending processes: the one that was started and everything that it started.
//! Every signal goes to a process whose start time was checked.

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use rustix::process::Signal;

use super::os::{self, ProcessId};

/// How often is looked whether a process has ended.
const POLL: Duration = Duration::from_millis(20);

/// How long a killed process may take to go; only one stuck in the kernel
/// takes that long.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// A shorter token names nobody; one in a damaged record could be empty.
const TOKEN_MINIMUM: usize = 12;

/// Processes that belong together.
pub struct Family<'a> {
    /// What their tokens begin with.
    pub token: &'a str,
    /// The process that was started, if it still lives: finds members that
    /// have changed their environment, by its process group.
    pub leader: Option<ProcessId>,
}

impl Family<'_> {
    fn members(&self) -> BTreeSet<ProcessId> {
        let leader = self.leader.filter(|leader| os::is_alive(*leader));
        if self.token.len() < TOKEN_MINIMUM {
            // The beginning of too many: of processes that are not ours.
            return leader.into_iter().collect();
        }
        os::family(self.token, leader).into_iter().chain(leader).collect()
    }

    /// Asks all to stop, waits up to `grace`, then kills what is left.
    pub async fn stop(&self, grace: Duration) -> io::Result<()> {
        let mut members = self.members();
        send(&members, Signal::TERM)?;
        let ended = async {
            while !members.is_empty() {
                tokio::time::sleep(POLL).await;
                members.retain(|id| os::is_alive(*id));
                if members.is_empty() {
                    // One that was started in the meantime is asked as well.
                    members = self.members();
                    send(&members, Signal::TERM)?;
                }
            }
            Ok(())
        };
        match tokio::time::timeout(grace, ended).await {
            Ok(result) => result,
            Err(_) => self.kill().await,
        }
    }

    /// Ends all at once.
    pub async fn kill(&self) -> io::Result<()> {
        let ended = async {
            loop {
                let members = self.members();
                if members.is_empty() {
                    return Ok(());
                }
                send(&members, Signal::KILL)?;
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(KILL_LIMIT, ended)
            .await
            .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "it does not end, even killed")))
    }
}

fn send(members: &BTreeSet<ProcessId>, signal: Signal) -> io::Result<()> {
    for id in members {
        os::signal(*id, signal)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A shell that starts a grandchild; `trap` says what it does on SIGTERM.
    fn shell(token: &str, trap: &str) -> Child {
        let mut child = Command::new("sh")
            .args(["-c", &format!("{trap}; sleep 600 & echo up; while :; do sleep 0.02; done")])
            .env(os::TOKEN_VARIABLE, token)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut up = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut up)
            .unwrap();
        assert_eq!(up, "up\n");
        child
    }

    #[tokio::test]
    async fn stopping_also_ends_what_the_process_had_started() {
        let mut child = shell("test.ending-stop", "trap 'exit 0' TERM");
        let family = Family { token: "test.ending-stop", leader: os::identify(child.id()) };
        assert!(family.members().len() >= 2);

        family.stop(Duration::from_secs(20)).await.unwrap();

        assert!(family.members().is_empty());
        assert_eq!(child.wait().unwrap().code(), Some(0), "it was asked, not killed");
    }

    #[tokio::test]
    async fn what_does_not_stop_in_time_is_killed() {
        let mut child = shell("test.ending-kill", "trap '' TERM");
        let family = Family { token: "test.ending-kill", leader: os::identify(child.id()) };

        family.stop(Duration::from_millis(100)).await.unwrap();

        assert!(family.members().is_empty());
        assert_eq!(child.wait().unwrap().code(), None, "it was killed");
    }

    #[tokio::test]
    async fn a_damaged_token_names_nobody() {
        let mut child = shell("test.ending-damaged", ":");
        Family { token: "", leader: None }.kill().await.unwrap();
        assert!(os::identify(child.id()).is_some(), "a bystander with a token of its own lives on");
        Family { token: "test.ending-damaged", leader: None }.kill().await.unwrap();
        child.wait().unwrap();
    }

    #[tokio::test]
    async fn an_empty_family_is_fine() {
        Family { token: "test.ending-nobody", leader: None }.stop(Duration::ZERO).await.unwrap();
    }
}
