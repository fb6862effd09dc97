//! Starting child processes that outlive the app: a process group of their
//! own, so that Ctrl-C and a closing terminal do not reach them, nothing to
//! read, and output appended to a log file. While the app lives it reaps them.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::process::{Child, Command};

use super::os::{self, ProcessId, TOKEN_VARIABLE};

/// A log longer than this is put aside (`NAME.log.1`) before the next start.
pub const LOG_LIMIT: u64 = 10 * 1024 * 1024;

/// How long the exit code of an ended child may take.
const TOLD_WITHIN: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(5);

/// What to start.
pub struct Launch<'a> {
    /// The program and its arguments.
    pub argv: &'a [String],
    /// On top of the app's own environment.
    pub env: &'a BTreeMap<String, String>,
    /// The working directory.
    pub folder: &'a Path,
    /// Where its output goes.
    pub log: &'a Path,
    /// By which it is recognised.
    pub token: &'a str,
}

/// Starts it. An error also when the program does not exist or may not run.
pub fn launch(what: &Launch<'_>) -> io::Result<(Child, ProcessId)> {
    let (program, arguments) =
        what.argv.split_first().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no program"))?;
    let output = open_log(what.log)?;
    let child = Command::new(program)
        .args(arguments)
        .envs(what.env)
        .env(TOKEN_VARIABLE, what.token)
        .current_dir(what.folder)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()?;
    // Nobody reaps it before we wait for it, so the id cannot be anybody else's.
    let id = child.id().and_then(os::identify_child).ok_or_else(|| io::Error::other("it ended at once"))?;
    Ok((child, id))
}

fn open_log(path: &Path) -> io::Result<File> {
    if fs::metadata(path).is_ok_and(|file| file.len() > LOG_LIMIT) {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

/// The children of this app: reaped when they end, with their exit codes.
/// Children of an app that ended before belong to the system, which reaps
/// them; their exit codes are not known.
#[derive(Clone, Default)]
pub struct Children {
    exits: Arc<Mutex<HashMap<ProcessId, i64>>>,
}

impl Children {
    /// Waits for a child in the background.
    pub fn adopt(&self, mut child: Child, id: ProcessId) {
        let exits = Arc::clone(&self.exits);
        tokio::spawn(async move {
            if let Ok(status) = child.wait().await {
                exits.lock().unwrap_or_else(PoisonError::into_inner).insert(id, code(status));
            }
        });
    }

    /// The exit code of a child that ended, where it was ours.
    pub fn exit(&self, id: ProcessId) -> Option<i64> {
        self.exits.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied()
    }

    /// The exit code of a child that is known to have ended: the system tells
    /// it a moment later.
    pub async fn ended(&self, id: ProcessId) -> Option<i64> {
        let told = async {
            loop {
                if let Some(code) = self.exit(id) {
                    return code;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(TOLD_WITHIN, told).await.ok()
    }

    /// Nobody will ask again.
    pub fn forget(&self, id: ProcessId) {
        self.exits.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

/// As shells tell it: a signal counts from 128.
fn code(status: ExitStatus) -> i64 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlong_log_is_put_aside_before_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("app-blue.log");
        File::create(&log).unwrap().set_len(LOG_LIMIT + 1).unwrap();

        open_log(&log).unwrap();

        assert_eq!(fs::metadata(&log).unwrap().len(), 0);
        assert_eq!(fs::metadata(folder.path().join("app-blue.log.1")).unwrap().len(), LOG_LIMIT + 1);
    }

    #[tokio::test]
    async fn a_program_that_does_not_exist_is_an_error_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let argv = [folder.path().join("absent").display().to_string()];
        let launched = launch(&Launch {
            argv: &argv,
            env: &BTreeMap::new(),
            folder: folder.path(),
            log: &folder.path().join("x.log"),
            token: "test.absent",
        });
        assert_eq!(launched.err().map(|error| error.kind()), Some(io::ErrorKind::NotFound));
    }
}
