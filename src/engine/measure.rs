//! What the running slots say about themselves: scrapes are taken directly
//! from each instance, kept in memory and on disk (so that a one-shot command
//! can look back over the last window too), and compared over the window.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;

use super::project::Project;
use crate::clock::Clock;
use crate::manifest::Manifest;
use crate::runtime::Instance;
use crate::telemetry::{
    Archive, MeasureFault, Measured, Names, ScrapeFault, Scraper, Snapshot, WindowFault, choose, measure,
};

/// A window may be this many times the nominal length before it no longer
/// counts as "the last 30 s".
const LONGEST_WINDOW: u32 = 2;

/// Scrapes kept per instance in memory; at the usual interval of 2 s this is
/// far more than the longest window.
const SNAPSHOTS_KEPT: usize = 256;

/// Scrapes on disk older than this serve no window.
const ARCHIVE_AGE: Duration = Duration::from_mins(15);

/// How long an instance may take to answer a scrape.
const SCRAPE_TIMEOUT: Duration = Duration::from_secs(2);

/// The scrapes of a project.
pub(super) struct Measurements {
    scraper: Scraper,
    archive: Archive,
    recent: Mutex<BTreeMap<String, VecDeque<Snapshot>>>,
}

impl Measurements {
    pub(super) fn in_project(project: &Project) -> Self {
        Self {
            scraper: Scraper::new(SCRAPE_TIMEOUT),
            archive: Archive::new(project.state_file("scrapes")),
            recent: Mutex::default(),
        }
    }

    /// Scrapes an instance and keeps what it said.
    pub(super) async fn look(
        &self,
        instance: &Instance,
        manifest: &Manifest,
        clock: &dyn Clock,
    ) -> Result<Snapshot, MeasureFault> {
        let path = &manifest.metrics.path;
        let endpoint = instance.endpoint.ok_or_else(|| ScrapeFault::Unreachable {
            url: format!("{}{path}", instance.service),
            reason: "the instance has no address that this machine reaches".into(),
        })?;
        let snapshot = self.scraper.scrape(endpoint, path, &instance.id, clock).await?;
        self.keep(&snapshot);
        Ok(snapshot)
    }

    fn keep(&self, snapshot: &Snapshot) {
        // The archive only lets other processes look back; without it this
        // process still can, so a full disk must not stop the watch here.
        let _ = self.archive.store(snapshot);
        let limit = snapshot.taken_at - age(ARCHIVE_AGE);
        let _ = self.archive.prune(limit);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let known = recent.entry(snapshot.instance.clone()).or_insert_with(|| {
            let seen_by_others = self.archive.load(|instance| instance == snapshot.instance, limit);
            seen_by_others.unwrap_or_default().into_iter().filter(|old| old != snapshot).collect()
        });
        known.push_back(snapshot.clone());
        while known.len() > SNAPSHOTS_KEPT {
            known.pop_front();
        }
        recent.retain(|_, kept| kept.back().is_some_and(|last| last.taken_at >= limit));
    }

    /// What happened in the window that ends with `now`.
    pub(super) fn window(&self, now: &Snapshot, manifest: &Manifest) -> Result<Measured, MeasureFault> {
        let nominal = manifest.canary.window;
        let known: Vec<Snapshot> = {
            let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            recent.get(&now.instance).map(|kept| kept.iter().cloned().collect()).unwrap_or_default()
        };
        let earliest = known.first().map_or(now.taken_at, |first| first.taken_at);
        match choose(&known, now, nominal, nominal * LONGEST_WINDOW) {
            Some(before) => {
                measure(std::slice::from_ref(before), std::slice::from_ref(now), &names(manifest), nominal)
            }
            None => Err(too_short(now.taken_at.signed_duration_since(earliest), nominal)),
        }
    }

    /// Forgets every scrape, after a teardown.
    pub(super) fn forget(&self, now: chrono::DateTime<chrono::Utc>) {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let _ = self.archive.prune(now + age(ARCHIVE_AGE));
    }
}

fn age(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

fn too_short(actual: TimeDelta, nominal: Duration) -> MeasureFault {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    MeasureFault::from(WindowFault::TooShort {
        actual_ms: millis(actual.to_std().unwrap_or_default()),
        nominal_ms: millis(nominal),
    })
}

/// Why there are no figures, for people; a window that is still too short is
/// no fault but a matter of time.
pub(super) fn told(fault: &MeasureFault) -> String {
    match fault {
        MeasureFault::Window(WindowFault::TooShort { actual_ms, nominal_ms }) => {
            format!("measuring: {} of {} s", actual_ms / 1000, nominal_ms / 1000)
        }
        fault => fault.to_string(),
    }
}

/// The manifest's names, for the telemetry.
pub(super) fn names(manifest: &Manifest) -> Names {
    let metrics = &manifest.metrics;
    Names {
        requests: metrics.requests.clone(),
        duration: metrics.duration.clone(),
        path_label: metrics.path_label.clone(),
        status_label: metrics.status_label.clone(),
    }
}

/// Scrapes an instance and measures the window that ends now.
pub(super) async fn slot_window(
    core: &super::core::Core,
    manifest: &Manifest,
    instance: &Instance,
) -> Result<Measured, MeasureFault> {
    let now = core.measurements.look(instance, manifest, &*core.clock).await?;
    core.measurements.window(&now, manifest)
}
