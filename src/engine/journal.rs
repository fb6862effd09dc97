//! What the tool remembers between its processes, in `.swiftdeploy/`:
//! the operation that is under way (so that a crash is noticed and told), the
//! releases that were good (what `rollback` goes back to) and the fault that
//! was injected (so that its end is recorded). What runs now is never read
//! from here: that is asked from the runtime.

use std::io;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::files::{read_json, remove_if_there, write_json};
use super::project::Project;
use crate::domain::{Mode, Release};

const UNDER_WAY: &str = "operation.json";
const RELEASES: &str = "releases.json";
const FAULT: &str = "chaos.json";

/// More good releases than these are not kept: further back than this nobody
/// rolls back blindly.
const RELEASES_KEPT: usize = 20;

/// The operation under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderWay {
    /// Its id in the history.
    pub operation_id: String,
    /// `deploy`, …
    pub operation: String,
    /// The step that was begun last.
    pub step: String,
}

/// A fault that was injected and may still be active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InjectedFault {
    /// `slow` or `error`.
    pub fault: String,
    /// For people.
    pub detail: String,
    /// When it ends by itself, where known.
    pub until: Option<DateTime<Utc>>,
    /// The instance that got it.
    pub instance: String,
}

/// The tool's memory of one project.
#[derive(Debug, Clone)]
pub struct Journal {
    project: Project,
}

impl Journal {
    /// The memory of a project.
    #[must_use]
    pub fn of(project: &Project) -> Self {
        Self { project: project.clone() }
    }

    /// Notes which step begins; on disk before its effect.
    pub fn begin(&self, under_way: &UnderWay) -> io::Result<()> {
        write_json(&self.project.state_file(UNDER_WAY), under_way)
    }

    /// Notes that nothing is under way.
    pub fn end(&self) -> io::Result<()> {
        remove_if_there(&self.project.state_file(UNDER_WAY))
    }

    /// What a process left unfinished. Only meaningful to the holder of the
    /// lock.
    #[must_use]
    pub fn unfinished(&self) -> Option<UnderWay> {
        read_json(&self.project.state_file(UNDER_WAY))
    }

    /// The good releases, the newest last.
    #[must_use]
    pub fn releases(&self) -> Vec<Release> {
        read_json(&self.project.state_file(RELEASES)).unwrap_or_default()
    }

    /// Notes a release that serves well now.
    pub fn release_is_good(&self, release: &Release) -> io::Result<()> {
        let mut releases = self.releases();
        if releases.last() != Some(release) {
            releases.push(release.clone());
        }
        let surplus = releases.len().saturating_sub(RELEASES_KEPT);
        releases.drain(..surplus);
        write_json(&self.project.state_file(RELEASES), &releases)
    }

    /// Takes back a release that turned out bad: a rollback left it.
    pub fn release_is_bad(&self, release: &Release) -> io::Result<()> {
        let mut releases = self.releases();
        releases.retain(|kept| kept != release);
        write_json(&self.project.state_file(RELEASES), &releases)
    }

    /// The stable release to go back to from `current`: the newest good one
    /// with other content, else the newest good one at all.
    #[must_use]
    pub fn last_good(&self, current: Option<&Release>) -> Option<Release> {
        let releases = self.releases();
        let stable = || releases.iter().rev().filter(|release| release.mode == Mode::Stable);
        match current {
            Some(current) if current.mode == Mode::Stable => {
                stable().find(|release| !release.same_content(current)).cloned()
            }
            _ => stable().next().cloned(),
        }
    }

    /// The fault that was injected last and not yet recorded as ended.
    #[must_use]
    pub fn fault(&self) -> Option<InjectedFault> {
        read_json(&self.project.state_file(FAULT))
    }

    /// Notes an injected fault, or that none is active.
    pub fn set_fault(&self, fault: Option<&InjectedFault>) -> io::Result<()> {
        let path = self.project.state_file(FAULT);
        match fault {
            Some(fault) => write_json(&path, fault),
            None => remove_if_there(&path),
        }
    }

    /// Forgets everything, after a teardown.
    pub fn forget(&self) -> io::Result<()> {
        [UNDER_WAY, RELEASES, FAULT]
            .iter()
            .try_for_each(|name| remove_if_there(&self.project.state_file(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(version: &str, mode: Mode) -> Release {
        Release {
            image: "shop".into(),
            image_id: Some(format!("sha256:{version}")),
            version: version.into(),
            mode,
        }
    }

    fn journal() -> (tempfile::TempDir, Journal) {
        let folder = tempfile::tempdir().unwrap();
        let project = Project::of(&folder.path().join("manifest.yaml")).unwrap();
        (folder, Journal::of(&project))
    }

    #[test]
    fn goes_back_to_the_newest_other_stable_release() {
        let (_folder, journal) = journal();
        for version in ["1", "2", "3"] {
            journal.release_is_good(&release(version, Mode::Stable)).unwrap();
        }
        let current = release("3", Mode::Stable);
        assert_eq!(journal.last_good(Some(&current)).unwrap().version, "2");
        journal.release_is_bad(&current).unwrap();
        assert_eq!(journal.last_good(Some(&release("2", Mode::Stable))).unwrap().version, "1");
    }

    #[test]
    fn goes_back_from_a_canary_to_the_newest_stable_release_even_of_the_same_content() {
        let (_folder, journal) = journal();
        journal.release_is_good(&release("1", Mode::Stable)).unwrap();
        assert_eq!(journal.last_good(Some(&release("1", Mode::Canary))).unwrap().version, "1");
    }

    #[test]
    fn knows_nothing_to_go_back_to_after_a_first_deploy() {
        let (_folder, journal) = journal();
        journal.release_is_good(&release("1", Mode::Stable)).unwrap();
        assert_eq!(journal.last_good(Some(&release("1", Mode::Stable))), None);
    }

    #[test]
    fn remembers_an_unfinished_operation_until_it_ends() {
        let (_folder, journal) = journal();
        let under_way =
            UnderWay { operation_id: "op-1".into(), operation: "deploy".into(), step: "route".into() };
        journal.begin(&under_way).unwrap();
        assert_eq!(journal.unfinished(), Some(under_way));
        journal.end().unwrap();
        assert_eq!(journal.unfinished(), None);
    }
}
