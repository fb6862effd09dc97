//! Which releases have passed a health check: they are not starting any more,
//! however young they are. Lies beside the record of each, since another
//! process may be the one that asks next.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::layout::{Layout, read_json, write_json};
use super::os::{self, ProcessId};

/// One process and no other; what was noted of an earlier one says nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Mark {
    process: ProcessId,
    boot: String,
}

/// Remembers.
pub struct BeenHealthy {
    layout: Layout,
    /// What this process knows, by service.
    known: Mutex<BTreeMap<String, Mark>>,
}

impl BeenHealthy {
    pub const fn new(layout: Layout) -> Self {
        Self { layout, known: Mutex::new(BTreeMap::new()) }
    }

    /// Whether this process of a service has been healthy before.
    pub fn has(&self, service: &str, process: ProcessId) -> bool {
        let mark = Mark { process, boot: os::boot() };
        if self.known.lock().unwrap_or_else(PoisonError::into_inner).get(service) == Some(&mark) {
            return true;
        }
        // One that cannot be read is as good as none: what is known is less then.
        let noted = read_json(&self.layout.been_healthy(service)).ok().flatten();
        noted.as_ref() == Some(&mark) && {
            self.know(service, mark);
            true
        }
    }

    /// It is healthy now.
    pub fn note(&self, service: &str, process: ProcessId) {
        if self.has(service, process) {
            return;
        }
        let mark = Mark { process, boot: os::boot() };
        // Looking must also work where nothing can be written.
        let _ = write_json(&self.layout.been_healthy(service), &mark);
        self.know(service, mark);
    }

    fn know(&self, service: &str, mark: Mark) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(service.into(), mark);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::record::Records;
    use super::*;

    const ONE: ProcessId = ProcessId { pid: 100, start: 7 };
    /// The same number, given again.
    const NEXT: ProcessId = ProcessId { pid: 100, start: 8 };

    fn layout(folder: &tempfile::TempDir) -> Layout {
        let layout = Layout::new(folder.path());
        layout.create().unwrap();
        layout
    }

    #[test]
    fn it_is_remembered_of_one_process_and_by_others_who_look() {
        let folder = tempfile::tempdir().unwrap();
        let layout = layout(&folder);
        let first = BeenHealthy::new(layout.clone());
        assert!(!first.has("app-blue", ONE));
        first.note("app-blue", ONE);

        for looks in [&first, &BeenHealthy::new(layout)] {
            assert!(looks.has("app-blue", ONE));
            assert!(!looks.has("app-blue", NEXT), "it has yet to show it");
            assert!(!looks.has("app-green", ONE));
        }
    }

    #[test]
    fn it_goes_with_the_record_and_is_no_record_itself() {
        let folder = tempfile::tempdir().unwrap();
        let layout = layout(&folder);
        BeenHealthy::new(layout.clone()).note("app-blue", ONE);
        let records = Records::new(layout.clone());
        assert!(records.services().unwrap().is_empty());

        records.remove("app-blue").unwrap();

        assert!(!BeenHealthy::new(layout.clone()).has("app-blue", ONE));
        assert_eq!(fs::read_dir(layout.records()).unwrap().count(), 0);
    }

    #[test]
    fn where_nothing_can_be_written_the_process_itself_remembers() {
        let folder = tempfile::tempdir().unwrap();
        // There is no folder for it.
        let looks = BeenHealthy::new(Layout::new(&folder.path().join("absent")));
        looks.note("app-blue", ONE);
        assert!(looks.has("app-blue", ONE));
    }

    #[test]
    fn a_damaged_note_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let layout = layout(&folder);
        fs::write(layout.been_healthy("app-blue"), "{ half").unwrap();
        let looks = BeenHealthy::new(layout.clone());
        assert!(!looks.has("app-blue", ONE));
        looks.note("app-blue", ONE);
        assert!(BeenHealthy::new(layout).has("app-blue", ONE));
    }
}
