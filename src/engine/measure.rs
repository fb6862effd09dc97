//! What the running slots say about themselves: scrapes are taken directly
//! from each instance, kept in memory and on disk (so that a one-shot command
//! can look back over the last window too), and compared over the window.
//!
//! All instances of one mode in a slot are judged together. Invariant: one
//! that cannot be read makes the figures unknown, and one that went away is
//! told; the figures of the others never stand for the whole.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use super::project::Project;
use super::round::{self, LONGEST_WINDOW, Taken};
use super::settled::{Answered, settled};
use super::stage::longest_request;
use crate::clock::Clock;
use crate::domain::stack::Role;
use crate::history::MEASURING;
use crate::manifest::Manifest;
use crate::runtime::Instance;
use crate::telemetry::{
    Archive, Explained, MeasureFault, Measured, Names, ScrapeFault, Scraper, Snapshot, WindowFault, explain,
    lacks_series, measure,
};

/// Scrapes kept in memory over one window; more would not choose better.
const SNAPSHOTS_IN_A_WINDOW: u32 = 100;

/// Scrapes on disk are kept at least so long, for people and their tools.
const ARCHIVE_AGE: Duration = Duration::from_mins(15);

/// How long an instance may take to answer a scrape.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why there are no figures, and of which instance.
#[derive(Debug, Clone)]
pub(super) struct Unmeasured {
    /// The fault.
    pub fault: MeasureFault,
    /// The instance that could not be read, where it is one.
    pub instance: Option<String>,
}

impl From<MeasureFault> for Unmeasured {
    fn from(fault: MeasureFault) -> Self {
        Self { fault, instance: None }
    }
}

/// The scrapes between which a window lies.
struct Ends {
    earlier: Vec<Snapshot>,
    later: Vec<Snapshot>,
}

/// The scrapes of a project.
pub(super) struct Measurements {
    scraper: Scraper,
    folder: PathBuf,
    /// By group.
    recent: Mutex<BTreeMap<String, Known>>,
}

/// What is known of a group, oldest first.
#[derive(Default)]
struct Known {
    /// Both ends of windows.
    snapshots: Vec<Snapshot>,
    /// Longer than these, since of each it is but a number.
    answered: Vec<Answered>,
}

impl Measurements {
    pub(super) fn in_project(project: &Project) -> Self {
        Self {
            scraper: Scraper::new(SCRAPE_TIMEOUT),
            folder: project.state_file("scrapes"),
            recent: Mutex::default(),
        }
    }

    /// Scrapes an instance and keeps what it said, for as long as it matters where a
    /// request takes the `longest` that it may. What could not stand in a window is a
    /// fault at once, and is not kept to spoil the windows after it.
    pub(super) async fn look(
        &self,
        instance: &Instance,
        manifest: &Manifest,
        longest: Duration,
        clock: &dyn Clock,
    ) -> Result<Snapshot, MeasureFault> {
        let path = &manifest.metrics.path;
        let endpoint = instance.endpoint.ok_or_else(|| ScrapeFault::Unreachable {
            url: format!("{}{path}", instance.service),
            reason: "the instance has no address that this machine reaches".into(),
        })?;
        let snapshot = self.scraper.scrape(endpoint, path, &instance.id, clock).await?;
        let life = life(&snapshot, manifest)?;
        if is_whole(&life) {
            self.keep(&group(instance), &snapshot, &life, manifest, look_back(manifest, longest));
        }
        Ok(snapshot)
    }

    fn archive(&self, group: &str) -> Archive {
        Archive::new(self.folder.join(group))
    }

    /// Keeps a scrape, unless the last one of that process had more: a scrape
    /// that was cut short must not begin a window. Should the process really
    /// have fewer series, the last one is soon too old to say so.
    fn keep(
        &self,
        group: &str,
        snapshot: &Snapshot,
        life: &Measured,
        manifest: &Manifest,
        look_back: Duration,
    ) {
        let window = manifest.canary.window;
        let archive = self.archive(group);
        let oldest_used = snapshot.taken_at - age(window * (LONGEST_WINDOW + 1));
        let oldest_counted = snapshot.taken_at - age(look_back);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let known = recent.entry(group.to_owned()).or_insert_with(|| {
            self.prune(snapshot.taken_at - age(ARCHIVE_AGE.max(look_back)));
            Known::from(archive.load(|_| true, oldest_counted).unwrap_or_default(), manifest)
        });
        let last = known.snapshots.iter().rev().find(|seen| seen.instance == snapshot.instance);
        let is_recent = |last: &&Snapshot| last.taken_at >= oldest_used;
        if last.filter(is_recent).is_some_and(|last| lacks_series(last, snapshot, &names(manifest))) {
            return;
        }
        // The archive only lets other processes look back; without it this
        // process still can, so a full disk must not stop the watch here.
        let _ = archive.store(snapshot);
        let spacing = age(window / SNAPSHOTS_IN_A_WINDOW);
        if last.is_none_or(|last| snapshot.taken_at - last.taken_at >= spacing) {
            known.answered.push(answered(snapshot, life));
            known.snapshots.push(snapshot.clone());
        }
        known.snapshots.retain(|seen| seen.taken_at >= oldest_used);
        known.answered.retain(|seen| seen.at >= oldest_counted);
        recent.retain(|_, known| !known.answered.is_empty());
    }

    /// How many requests these instances of one group are known to have answered
    /// in the time of this length that ended at a moment: at least so many.
    pub(super) fn settled(&self, instances: &[Instance], until: DateTime<Utc>, length: Duration) -> u64 {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let known = instances.first().and_then(|first| recent.get(&group(first)));
        let started = instances.iter().map(|instance| (instance.id.as_str(), instance.started_at));
        known.map_or(0, |known| settled(&known.answered, started, until, length))
    }

    /// The last thing that an instance said, as far as this process knows.
    pub(super) fn latest(&self, instance: &Instance) -> Option<Snapshot> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent
            .get(&group(instance))?
            .snapshots
            .iter()
            .rev()
            .find(|seen| seen.instance == instance.id)
            .cloned()
    }

    /// Both ends of the window that ends with these scrapes of a group.
    fn ends(&self, group: &str, now: &[Taken], nominal: Duration) -> Result<Ends, MeasureFault> {
        let known = {
            let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            recent.get(group).map(|known| known.snapshots.clone()).unwrap_or_default()
        };
        let earlier = round::earlier(&known, now, nominal)?;
        let later = now.iter().map(|taken| taken.snapshot.clone()).collect();
        Ok(Ends { earlier, later })
    }

    /// Forgets every scrape, after a teardown.
    pub(super) fn forget(&self, now: DateTime<Utc>) {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.prune(now + age(ARCHIVE_AGE));
    }

    /// Removes the scrapes from before a moment, of every group. What cannot
    /// be removed is tried again another time.
    fn prune(&self, older_than: DateTime<Utc>) {
        let _ = Archive::new(&self.folder).prune(older_than);
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let _ = Archive::new(entry.path()).prune(older_than);
            // Only goes when it is empty.
            let _ = std::fs::remove_dir(entry.path());
        }
    }
}

impl Known {
    fn from(snapshots: Vec<Snapshot>, manifest: &Manifest) -> Self {
        let of_it = |seen: &Snapshot| Some(answered(seen, &life(seen, manifest).ok()?));
        Self { answered: snapshots.iter().filter_map(of_it).collect(), snapshots }
    }
}

/// How far back it must be known what was answered: a window that ended before a
/// request came that may still hang.
fn look_back(manifest: &Manifest, longest: Duration) -> Duration {
    longest + manifest.canary.window * (LONGEST_WINDOW + 1)
}

fn answered(snapshot: &Snapshot, life: &Measured) -> Answered {
    Answered { instance: snapshot.instance.clone(), at: snapshot.taken_at, requests: life.requests }
}

/// What a process did since its start, as if it had done it in one window.
///
/// # Errors
/// What makes its scrape unusable in any window.
fn life(snapshot: &Snapshot, manifest: &Manifest) -> Result<Measured, MeasureFault> {
    let nominal = manifest.canary.window;
    let before =
        Snapshot { taken_at: snapshot.taken_at - age(nominal), body: NOTHING.into(), ..snapshot.clone() };
    measure(&[before], std::slice::from_ref(snapshot), &names(manifest), nominal)
}

/// Whether a window may begin with the scrape of this life. With a histogram that
/// lacks its last bucket it may not: when the bucket is back, it would count in
/// full.
const fn is_whole(life: &Measured) -> bool {
    life.requests == 0 || life.buckets.is_empty() || life.p99.is_some()
}

/// A scrape without anything that counts, in both formats.
const NOTHING: &str = "up 1\n# EOF\n";

/// Which instances are judged together: those of one mode in one slot. Also the
/// name of a folder.
fn group(instance: &Instance) -> String {
    match instance.role {
        Role::App { slot, mode } => format!("{slot}-{mode}"),
        Role::Proxy | Role::Policy => "other".to_owned(),
    }
}

fn age(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

/// Why there are no figures, for people; a window that is still too short is
/// no fault but a matter of time.
pub(super) fn told(fault: &MeasureFault) -> String {
    match fault {
        MeasureFault::Window(WindowFault::TooShort { actual_ms, nominal_ms }) => {
            format!("{MEASURING}{} of {} s", actual_ms / 1000, nominal_ms / 1000)
        }
        fault => fault.to_string(),
    }
}

/// The manifest's names, for the telemetry, and the paths under which the tool
/// itself asks the app.
#[must_use]
pub fn names(manifest: &Manifest) -> Names {
    let metrics = &manifest.metrics;
    Names {
        requests: metrics.requests.clone(),
        duration: metrics.duration.clone(),
        path_label: metrics.path_label.clone(),
        status_label: metrics.status_label.clone(),
        own_paths: vec![manifest.services.health.path.clone(), metrics.path.clone()],
    }
}

/// Scrapes every instance of a group and measures the window that ends now,
/// summed over them.
pub(super) async fn group_window(
    core: &super::core::Core,
    manifest: &Manifest,
    instances: &[Instance],
) -> Result<Measured, Unmeasured> {
    let Ends { earlier, later } = ends(core, manifest, instances).await?;
    Ok(measure(&earlier, &later, &names(manifest), manifest.canary.window)?)
}

/// The same, and how it came about.
pub(super) async fn explained_window(
    core: &super::core::Core,
    manifest: &Manifest,
    instances: &[Instance],
) -> Result<Explained, Unmeasured> {
    let Ends { earlier, later } = ends(core, manifest, instances).await?;
    Ok(explain(&earlier, &later, &names(manifest), manifest.canary.window)?)
}

async fn ends(
    core: &super::core::Core,
    manifest: &Manifest,
    instances: &[Instance],
) -> Result<Ends, Unmeasured> {
    let Some(first) = instances.first() else {
        let absent = WindowFault::Absent { family: manifest.metrics.requests.clone() };
        return Err(MeasureFault::from(absent).into());
    };
    let longest = longest_request(core, manifest);
    let looks = instances.iter().map(|one| core.measurements.look(one, manifest, longest, &*core.clock));
    let mut now = Vec::new();
    for (instance, look) in instances.iter().zip(join_all(looks).await) {
        let snapshot = look.map_err(|fault| Unmeasured { fault, instance: Some(named(instance)) })?;
        now.push(Taken { snapshot, started_at: instance.started_at });
    }
    Ok(core.measurements.ends(&group(first), &now, manifest.canary.window)?)
}

/// An instance by name and address, for people.
pub(super) fn named(instance: &Instance) -> String {
    instance
        .endpoint
        .map_or_else(|| instance.service.clone(), |endpoint| format!("{} at {endpoint}", instance.service))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Document;

    #[test]
    fn a_manifest_that_says_nothing_has_the_usual_names() {
        let document = Document::load(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/starter.yaml")).unwrap();
        let own_paths = ["/healthz", "/metrics"].map(str::to_owned).into();
        assert_eq!(names(document.manifest()), Names { own_paths, ..Names::default() });
    }
}
