//! Chaos beside a promotion that waits for evidence: what a canary does when it is
//! broken is what the wait is for, and a fault must be ended at any time. While the
//! promotion waits nothing of the stack changes, so it leaves a mark that it lets
//! others in; before it goes on it takes the mark away, under a lock that whoever
//! came in holds. The journal stays the promotion's.

use std::time::Duration;

use super::context::Context;
use super::files::{remove_if_there, write_atomically};
use super::lock::{Holder, LockError, OperationLock};
use super::project::Project;

/// There while the holder of the operation lock lets chaos in.
const MARK: &str = "lets-chaos-in";

/// Held by whoever came in.
const LOCK: &str = "chaos-lock";

/// Time between two tries to close.
const LOOK: Duration = Duration::from_millis(20);

/// A fault is sent in a moment; who takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(15);

/// Lets chaos in from now on. Without the mark (full disk) it is refused as busy.
pub(super) fn open(project: &Project) {
    let _ = write_atomically(&project.state_file(MARK), b"");
}

/// Lets nobody in any more, and waits for who is in.
pub(super) async fn close(context: &Context) {
    let project = &context.core.project;
    if !project.state_file(MARK).exists() {
        return;
    }
    let began = context.core.clock.instant();
    let holder = context.core.holder(&context.action);
    let mut lock = OperationLock::acquire(&project.state_file(LOCK), &holder);
    // A promotion that was cancelled changes nothing any more.
    while matches!(lock, Err(LockError::Busy(_)))
        && !context.cancel.is_cancelled()
        && context.core.clock.instant().saturating_duration_since(began) < PATIENCE
    {
        tokio::time::sleep(LOOK).await;
        lock = OperationLock::acquire(&project.state_file(LOCK), &holder);
    }
    clear(project);
}

/// Takes away the mark of an operation that was cut off. For the holder of the
/// operation lock.
pub(super) fn clear(project: &Project) {
    let _ = remove_if_there(&project.state_file(MARK));
}

/// Comes in, where the holder of the operation lock allows it; `busy` tells who that
/// is.
pub(super) fn enter(project: &Project, holder: &Holder, busy: LockError) -> Result<OperationLock, LockError> {
    let lock = OperationLock::acquire(&project.state_file(LOCK), holder)?;
    // Under the lock: from now on the mark is not taken away.
    if project.state_file(MARK).exists() { Ok(lock) } else { Err(busy) }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn only_who_is_let_in_comes_in_and_only_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::of(&folder.path().join("manifest.yaml")).unwrap();
        let since = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let holder = Holder { pid: 7, actor: "ann@host".into(), operation: "chaos slow".into(), since };
        let enter = || enter(&project, &holder, LockError::Busy("promote stable".into()));
        assert_eq!(enter().unwrap_err().to_string(), "busy: promote stable");
        open(&project);
        let first = enter().unwrap();
        assert!(enter().unwrap_err().to_string().contains("chaos slow is running"));
        drop(first);
        clear(&project);
        assert_eq!(enter().unwrap_err().to_string(), "busy: promote stable");
    }
}
