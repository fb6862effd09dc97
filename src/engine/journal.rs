//! What the tool remembers between its processes, in `.swiftdeploy/`: the
//! operation that is under way (so that a crash is noticed and told), the
//! releases that were good with the manifests they ran under (what `rollback`
//! goes back to), the fault and the violations that are on record as open.
//! What runs now is never read from here: that is asked from the runtime.
//!
//! Everything but the operation belongs to one target: a local release is no
//! destination for a rollback on Docker.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::files::{read_json, read_json_if_there, remove_if_there, write_json};
use super::project::Project;
use crate::domain::{Mode, Release, Target};

const RESERVE: &str = "reserve";
const UNDER_WAY: &str = "operation.json";
const RELEASES: &str = "releases.json";
const DEPLOYED: &str = "deployed.json";
const ROLLBACK: &str = "rollback.json";
const FAULT: &str = "chaos.json";
const VIOLATIONS: &str = "violations.json";
const MODE: &str = "mode.json";
const UNROUTED: &str = "unrouted.json";
const ASKED_TO_STOP: &str = "asked-to-stop.json";

/// A violation on record that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpenViolation {
    /// The instance that is judged, or empty.
    pub about: String,
    /// The codes that are on record.
    pub codes: BTreeSet<String>,
}

/// More good releases than these are not kept: further back than this nobody
/// rolls back blindly.
const RELEASES_KEPT: usize = 20;

/// Bytes that are kept back on the disk for a rollback: its records, its
/// routes and the manifest need a few kilobytes.
const RESERVED: usize = 128 * 1024;

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

/// A release that served well, with the manifest it ran under: its
/// environment, limits and command belong to what a rollback brings back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoodRelease {
    /// What served.
    pub release: Release,
    /// The manifest's text at that time.
    pub manifest: String,
}

/// A rollback that has begun and not yet ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollingBack {
    /// Where it goes.
    pub to: Release,
}

/// A fault that was injected and may still be active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InjectedFault {
    /// `slow` or `error`.
    pub fault: String,
    /// For people, without its time: `error rate 50 %`.
    pub detail: String,
    /// When it ends by itself, where known.
    pub until: Option<DateTime<Utc>>,
    /// The instance that got it.
    pub instance: String,
}

/// The tool's memory of one project on one target.
#[derive(Debug, Clone)]
pub struct Journal {
    project: Project,
    target: Target,
}

impl Journal {
    /// The memory of a project on a target.
    #[must_use]
    pub fn of(project: &Project, target: Target) -> Self {
        Self { project: project.clone(), target }
    }

    /// A file of this target's.
    fn file(&self, name: &str) -> PathBuf {
        self.project.state_file(&format!("{}-{name}", self.target))
    }

    /// Keeps space back, so that a rollback can write when the disk is full.
    pub fn reserve(&self) -> io::Result<()> {
        let path = self.project.state_file(RESERVE);
        if std::fs::metadata(&path).is_ok_and(|kept| kept.len() == RESERVED as u64) {
            return Ok(());
        }
        super::files::write_atomically(&path, &vec![0xFF; RESERVED])
    }

    /// Gives the space that was kept back.
    pub fn use_reserve(&self) -> io::Result<()> {
        remove_if_there(&self.project.state_file(RESERVE))
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
    ///
    /// # Errors
    /// The list cannot be read: nothing else tells what was good, so it is no empty
    /// one, and is not written over.
    fn releases(&self) -> io::Result<Vec<GoodRelease>> {
        let path = self.file(RELEASES);
        let read = read_json_if_there(&path).map(Option::unwrap_or_default);
        read.map_err(|cause| {
            io::Error::new(
                cause.kind(),
                format!(
                    "{} lists the releases to go back to and cannot be read: {cause}; bring it back as it was, or \
                     remove it to begin a new list",
                    path.display()
                ),
            )
        })
    }

    /// Notes a release that serves well now, and the manifest it runs under.
    pub fn release_is_good(&self, release: &Release, manifest: &str) -> io::Result<()> {
        let good = GoodRelease { release: release.clone(), manifest: manifest.to_owned() };
        let mut releases = self.releases()?;
        if releases.last() != Some(&good) {
            releases.push(good);
        }
        let surplus = releases.len().saturating_sub(RELEASES_KEPT);
        releases.drain(..surplus);
        write_json(&self.file(RELEASES), &releases)
    }

    /// Takes back a release that turned out bad: a rollback left it. Only its
    /// newest entry goes, since the same content may have been good under an
    /// earlier manifest.
    pub fn release_is_bad(&self, release: &Release) -> io::Result<()> {
        let mut releases = self.releases()?;
        if let Some(newest) = releases.iter().rposition(|good| good.release == *release) {
            releases.remove(newest);
        }
        write_json(&self.file(RELEASES), &releases)
    }

    /// The stable release to go back to from `current`: from a stable release
    /// the good one before its newest entry, from a canary the newest good one.
    ///
    /// # Errors
    /// The list of good releases cannot be read.
    pub fn last_good(&self, current: Option<&Release>) -> io::Result<Option<GoodRelease>> {
        let releases = self.releases()?;
        let end = match current {
            Some(current) if current.mode == Mode::Stable => {
                releases.iter().rposition(|good| good.release == *current).unwrap_or(releases.len())
            }
            _ => releases.len(),
        };
        Ok(releases[..end].iter().rev().find(|good| good.release.mode == Mode::Stable).cloned())
    }

    /// The manifest under which the stack was last changed successfully: what
    /// a rollback works by, whatever was edited since.
    #[must_use]
    pub fn deployed_manifest(&self) -> Option<String> {
        read_json(&self.file(DEPLOYED))
    }

    /// The manifests under which what runs may have come to its requests: those
    /// of the last change and of the two newest good releases, since a canary's
    /// slot and the one beside it may differ.
    #[must_use]
    pub fn served_under(&self) -> Vec<String> {
        let releases =
            self.releases().unwrap_or_default().into_iter().rev().take(2).map(|good| good.manifest);
        self.deployed_manifest().into_iter().chain(releases).collect()
    }

    /// Notes the manifest under which the stack was changed.
    pub fn set_deployed_manifest(&self, text: &str) -> io::Result<()> {
        write_json(&self.file(DEPLOYED), &text)
    }

    /// The rollback that was cut off, if one was.
    #[must_use]
    pub fn rolling_back(&self) -> Option<RollingBack> {
        read_json(&self.file(ROLLBACK))
    }

    /// Notes a rollback that begins, or that none is open.
    pub fn set_rolling_back(&self, rollback: Option<&RollingBack>) -> io::Result<()> {
        self.set(ROLLBACK, rollback)
    }

    /// The fault that was injected last and not yet recorded as ended.
    #[must_use]
    pub fn fault(&self) -> Option<InjectedFault> {
        read_json(&self.file(FAULT))
    }

    /// Notes an injected fault, or that none is active.
    pub fn set_fault(&self, fault: Option<&InjectedFault>) -> io::Result<()> {
        self.set(FAULT, fault)
    }

    /// The violations on record as open, by policy.
    #[must_use]
    pub fn violations(&self) -> BTreeMap<String, OpenViolation> {
        read_json(&self.file(VIOLATIONS)).unwrap_or_default()
    }

    /// Notes the open violations.
    pub fn set_violations(&self, violations: &BTreeMap<String, OpenViolation>) -> io::Result<()> {
        write_json(&self.file(VIOLATIONS), violations)
    }

    /// The mode that the history's last change led to.
    #[must_use]
    pub fn recorded_mode(&self) -> Option<Mode> {
        read_json(&self.file(MODE))
    }

    /// Notes the mode that was recorded.
    pub fn set_recorded_mode(&self, mode: Mode) -> io::Result<()> {
        write_json(&self.file(MODE), &mode)
    }

    /// The instance that was started last, unless it was to get traffic since.
    #[must_use]
    pub fn unrouted(&self) -> Option<String> {
        read_json(&self.file(UNROUTED))
    }

    /// Notes an instance that no route has led to, or that routes change.
    pub fn set_unrouted(&self, instance: Option<&String>) -> io::Result<()> {
        self.set(UNROUTED, instance)
    }

    /// The instance that was asked last to stop, to make room in its slot.
    #[must_use]
    pub fn asked_to_stop(&self) -> Option<String> {
        read_json(&self.file(ASKED_TO_STOP))
    }

    /// Notes an instance that is asked to stop: until it has ended, its own
    /// health check may still call it well.
    pub fn set_asked_to_stop(&self, instance: &str) -> io::Result<()> {
        write_json(&self.file(ASKED_TO_STOP), &instance)
    }

    fn set<T: Serialize>(&self, name: &str, value: Option<&T>) -> io::Result<()> {
        match value {
            Some(value) => write_json(&self.file(name), value),
            None => remove_if_there(&self.file(name)),
        }
    }

    /// Forgets everything of this target, after a teardown.
    pub fn forget(&self) -> io::Result<()> {
        [RELEASES, DEPLOYED, ROLLBACK, FAULT, VIOLATIONS, MODE, UNROUTED, ASKED_TO_STOP]
            .iter()
            .try_for_each(|name| remove_if_there(&self.file(name)))
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
        (folder, Journal::of(&project, Target::Local))
    }

    fn good(journal: &Journal, version: &str) {
        journal.release_is_good(&release(version, Mode::Stable), &format!("manifest of {version}")).unwrap();
    }

    #[test]
    fn goes_back_to_the_good_release_before() {
        let (_folder, journal) = journal();
        for version in ["1", "2", "3"] {
            good(&journal, version);
        }
        let current = release("3", Mode::Stable);
        assert_eq!(journal.last_good(Some(&current)).unwrap().unwrap().manifest, "manifest of 2");
        journal.release_is_bad(&current).unwrap();
        assert_eq!(
            journal.last_good(Some(&release("2", Mode::Stable))).unwrap().unwrap().release.version,
            "1"
        );
    }

    #[test]
    fn goes_back_to_the_same_content_under_an_earlier_manifest() {
        let (_folder, journal) = journal();
        let same = release("1", Mode::Stable);
        journal.release_is_good(&same, "env: a").unwrap();
        journal.release_is_good(&same, "env: b").unwrap();
        assert_eq!(journal.last_good(Some(&same)).unwrap().unwrap().manifest, "env: a");
    }

    #[test]
    fn goes_back_from_a_canary_to_the_newest_stable_release_even_of_the_same_content() {
        let (_folder, journal) = journal();
        good(&journal, "1");
        assert_eq!(
            journal.last_good(Some(&release("1", Mode::Canary))).unwrap().unwrap().release.version,
            "1"
        );
    }

    #[test]
    fn requests_may_be_under_way_under_the_manifest_before_a_canary_s() {
        let (_folder, journal) = journal();
        for version in ["1", "2", "3"] {
            good(&journal, version);
        }
        journal.set_deployed_manifest("manifest of a canary").unwrap();
        assert_eq!(journal.served_under(), ["manifest of a canary", "manifest of 3", "manifest of 2"]);
    }

    #[test]
    fn knows_nothing_to_go_back_to_after_a_first_deploy() {
        let (_folder, journal) = journal();
        good(&journal, "1");
        assert_eq!(journal.last_good(Some(&release("1", Mode::Stable))).unwrap(), None);
    }

    #[test]
    fn a_release_of_one_target_is_none_of_another() {
        let (_folder, journal) = journal();
        good(&journal, "1");
        let other = Journal { target: Target::Docker, ..journal };
        assert_eq!(other.last_good(None).unwrap(), None);
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
