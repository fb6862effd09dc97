//! What the gates see of the running slots, down to the single series, and
//! what makes their figures worse than they could be.

use std::net::SocketAddr;

use super::core::Core;
use super::evidence::{Group, groups};
use super::measure::{Unmeasured, explained_window, names};
use super::obstacle::Obstacle;
use super::stage::longest_request;
use crate::domain::{Mode, Slot};
use crate::manifest::Manifest;
use crate::policy::PolicyBundle;
use crate::runtime::{Instance, Observed};
use crate::telemetry::{Explained, MeasureFault, Misfit, WindowFault, durations_mix_paths, edges};

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

pub(super) async fn look(core: &Core) -> Result<Vec<GroupMetrics>, Obstacle> {
    let document = core.document()?;
    let manifest = document.manifest();
    let session = core.session(manifest).await?;
    let observed = session.runtime.observe().await?;
    let mut found = Vec::new();
    for Group { slot, release, instances } in groups(&observed) {
        let window = explained_window(core, manifest, &instances).await.map_err(NoWindow::from);
        let mut warnings = own_paths(manifest);
        warnings.extend(of_durations(core, manifest, &instances));
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

/// What makes figures worse than they could be, one line each: whatever runs,
/// and of the histogram of what runs. Where nothing answers or has a histogram
/// there is nothing to say of it.
pub(super) async fn warnings(core: &Core, manifest: &Manifest, observed: Option<&Observed>) -> Vec<String> {
    let mut lines = own_paths(manifest);
    let longest = longest_request(core, manifest);
    for Group { release, instances, .. } in observed.into_iter().flat_map(groups) {
        for instance in &instances {
            // That one does not answer is no matter of its histogram.
            let _ = core.measurements.look(instance, manifest, longest, &*core.clock).await;
        }
        let of_it = of_durations(core, manifest, &instances);
        let named = |line| format!("{} of the {}: {line}", manifest.metrics.duration, release.mode);
        lines.extend(of_it.into_iter().map(named));
    }
    lines
}

/// Keys of the manifest by which traffic does not count: where the tool itself
/// asks the app for what clients ask for too.
fn own_paths(manifest: &Manifest) -> Vec<String> {
    let own = [
        ("services.health.path", &manifest.services.health.path, "health checks"),
        ("metrics.path", &manifest.metrics.path, "scrapes"),
    ];
    let of_clients = own.into_iter().filter(|(_, path, _)| path.as_str() == "/");
    let line = |(key, path, what): (&str, &String, &str)| {
        format!(
            "{key} is {path}: requests for it count as {what} and not as traffic, so the gates do not see those of \
             clients; give the app another path for it"
        )
    };
    of_clients.map(line).collect()
}

/// Instances of one group run the same image, so the first that was read tells.
fn of_durations(core: &Core, manifest: &Manifest, instances: &[Instance]) -> Vec<String> {
    let latest = instances.iter().find_map(|instance| core.measurements.latest(instance));
    let Some(snapshot) = latest else { return Vec::new() };
    let names = names(manifest);
    let misfit = p99_limit(core).and_then(|limit| Misfit::of(&edges(&snapshot, &names), limit));
    let mixed = durations_mix_paths(&snapshot, &names).then(|| {
        format!(
            "it has no label {}, so the durations of health checks and scrapes are among those of traffic, and \
             make the P99 look better; give it that label",
            names.path_label
        )
    });
    misfit.as_ref().map(Misfit::to_string).into_iter().chain(mixed).collect()
}

/// The limit as the policies on disk have it; none when there is none that
/// they could use, which they say themselves.
pub(super) fn p99_limit(core: &Core) -> Option<f64> {
    let bundle = PolicyBundle::load(&core.project.policies()).ok()?;
    bundle.thresholds()["p99_latency_ms"].as_f64()
}
