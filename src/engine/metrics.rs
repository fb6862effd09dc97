//! What the gates see of the running slots, down to the single series, and
//! where the app's buckets fit the limit of the P99 badly.

use std::net::SocketAddr;

use super::core::Core;
use super::evidence::{Group, groups};
use super::measure::{Unmeasured, explained_window, names};
use crate::domain::{Mode, Slot};
use crate::manifest::Manifest;
use crate::policy::PolicyBundle;
use crate::runtime::{Instance, Observed};
use crate::telemetry::{Explained, MeasureFault, Misfit, WindowFault, edges};

/// The instances that are judged together, and what they did in the window.
#[derive(Debug, Clone)]
pub struct GroupMetrics {
    /// Where they run.
    pub slot: Slot,
    /// In which mode.
    pub mode: Mode,
    /// Which version.
    pub version: String,
    /// Each of them.
    pub instances: Vec<Seen>,
    /// The window that ends now.
    pub window: Result<Explained, NoWindow>,
    /// What is not wrong, but makes figures worse than they could be.
    pub warnings: Vec<String>,
}

/// An instance as the runtime knows it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its id, as in [`crate::telemetry::InstanceDetail`].
    pub id: String,
    /// Its service.
    pub service: String,
    /// Where it was scraped.
    pub endpoint: Option<SocketAddr>,
}

/// Why there is no window.
#[derive(Debug, Clone)]
pub struct NoWindow {
    /// The stable word for machines.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// What to do.
    pub next: &'static str,
    /// Which instance could not be read, where it is one.
    pub instance: Option<String>,
    /// Whether time alone will bring a window.
    pub is_too_short: bool,
}

impl From<Unmeasured> for NoWindow {
    fn from(Unmeasured { fault, instance }: Unmeasured) -> Self {
        Self {
            code: fault.code(),
            message: fault.to_string(),
            next: fault.next_step(),
            instance,
            is_too_short: matches!(fault, MeasureFault::Window(WindowFault::TooShort { .. })),
        }
    }
}

pub(super) async fn look(core: &Core) -> Result<Vec<GroupMetrics>, String> {
    let document = core.document().map_err(|error| error.to_string())?;
    let manifest = document.manifest();
    let told = |error: crate::runtime::RuntimeError| format!("{error}; {}", error.next_step());
    let session = core.session(manifest).await.map_err(told)?;
    let observed = session.runtime.observe().await.map_err(told)?;
    let mut found = Vec::new();
    for Group { slot, release, instances } in groups(&observed) {
        let window = explained_window(core, manifest, &instances).await.map_err(NoWindow::from);
        let warnings = misfit(core, manifest, &instances).iter().map(Misfit::to_string).collect();
        let instances = instances.into_iter().map(seen).collect();
        found.push(GroupMetrics {
            slot,
            mode: release.mode,
            version: release.version,
            instances,
            window,
            warnings,
        });
    }
    Ok(found)
}

fn seen(Instance { id, service, endpoint, .. }: Instance) -> Seen {
    Seen { id, service, endpoint }
}

/// How the buckets of what runs fit the limit badly, one line for each group.
/// Where nothing runs, answers, or has a histogram there is nothing to say.
pub(super) async fn misfits(core: &Core, manifest: &Manifest, observed: &Observed) -> Vec<String> {
    let mut lines = Vec::new();
    for Group { release, instances, .. } in groups(observed) {
        for instance in &instances {
            // That one does not answer is no matter of its buckets.
            let _ = core.measurements.look(instance, manifest, &*core.clock).await;
        }
        if let Some(misfit) = misfit(core, manifest, &instances) {
            lines.push(format!("{} of the {}: {misfit}", manifest.metrics.duration, release.mode));
        }
    }
    lines
}

/// Instances of one group run the same image, so the first that was read tells.
fn misfit(core: &Core, manifest: &Manifest, instances: &[Instance]) -> Option<Misfit> {
    let limit = p99_limit(core)?;
    let snapshot = instances.iter().find_map(|instance| core.measurements.latest(instance))?;
    Misfit::of(&edges(&snapshot, &names(manifest)), limit)
}

/// The limit as the policies on disk have it; none when there is none that
/// they could use, which they say themselves.
fn p99_limit(core: &Core) -> Option<f64> {
    let bundle = PolicyBundle::load(&core.project.policies()).ok()?;
    bundle.thresholds()["p99_latency_ms"].as_f64()
}
