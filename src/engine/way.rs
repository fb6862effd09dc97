//! Making way: a rollback must not wait for the operation that it goes back
//! from, also when that runs in another process and waits minutes for
//! evidence. It leaves a mark; the holder of the lock sees it, cancels itself
//! at its next safe point, and the rollback gets the lock.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::action::Action;
use super::files::{remove_if_there, write_atomically};
use super::project::Project;

const MARK: &str = "make-way";

/// Time between two looks for the mark, and between two tries to get the lock.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// How long a rollback waits for the holder to reach a safe point.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// Asks whoever holds the lock to make way. Without the mark (full disk) the
/// rollback only waits longer.
pub(super) fn ask(project: &Project) {
    let _ = write_atomically(&project.state_file(MARK), b"");
}

/// Whether somebody waits for whoever holds the lock to make way.
pub(super) fn is_asked(project: &Project) -> bool {
    project.state_file(MARK).exists()
}

/// Looks for the mark while an operation runs; stops when dropped.
pub(super) struct Lookout(Option<JoinHandle<()>>);

impl Drop for Lookout {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

/// Cancels the operation once it is asked to make way. A rollback makes way
/// for nobody.
pub(super) fn make_when_asked(project: &Project, action: &Action, cancel: &CancellationToken) -> Lookout {
    let mark = project.state_file(MARK);
    // An old mark was meant for somebody else.
    let _ = remove_if_there(&mark);
    if *action == Action::Rollback {
        return Lookout(None);
    }
    let cancel = cancel.clone();
    Lookout(Some(tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK).await;
            if mark.exists() {
                cancel.cancel();
                return;
            }
        }
    })))
}
