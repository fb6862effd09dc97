//! What the proxy serves. Three answers, which must not be mixed up: the routes
//! in force, no proxy that runs, and "it runs and cannot be asked". The last
//! makes a look an error, since whoever took it for "nothing is served" would
//! replace the release that gets the traffic. It is also what shows that a
//! proxy is not well, whatever its own health check said last.

use std::time::Duration;

use bollard::models::ContainerInspectResponse;

use super::containers::{self, Found};
use super::create::volume_name;
use super::files::FileTree;
use super::{DockerRuntime, helper, marker, observe, proxy};
use crate::domain::Routes;
use crate::domain::stack::FileSet;
use crate::runtime::{Health, Instance, RuntimeError};

/// Longest wait for a running proxy to tell what it serves: one that has just
/// started, is paused for a moment or is busy is asked again.
const ASKED: Duration = Duration::from_secs(5);
/// Time between two questions.
const PAUSE: Duration = Duration::from_millis(100);

/// What a look at a container says about the routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// It is the proxy, runs and serves this.
    Now(Routes),
    /// It is the proxy, does not run and served this last, where known.
    Last(Option<Routes>),
    /// It is the proxy, runs and does not tell; why, for people.
    Silent(String),
    /// It is something else.
    NoProxy,
}

/// One question that brought no answer.
enum Fault {
    /// The container went away.
    Gone,
    /// The next question may be answered; in words for people.
    Unclear(String),
}

/// The proxy's instance with what it serves; `None` when the container went
/// away meanwhile. Its state is read anew for each question: a proxy that ends
/// while it is asked is no proxy that cannot be asked.
pub async fn find(runtime: &DockerRuntime, found: &Found, instance: Instance) -> Option<(Instance, Served)> {
    let mut reason = format!("it gives no answer within {ASKED:?}");
    let mut latest = instance;
    let asking = async {
        loop {
            match ask(runtime, found, &mut latest).await {
                Ok(served) => return Some(served),
                Err(Fault::Gone) => return None,
                Err(Fault::Unclear(said)) => reason = said,
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let Ok(served) = tokio::time::timeout(ASKED, asking).await else {
        latest.health = Health::Unhealthy(reason.clone());
        return Some((latest, Served::Silent(reason)));
    };
    served.map(|served| (latest, served))
}

async fn ask(runtime: &DockerRuntime, found: &Found, latest: &mut Instance) -> Result<Served, Fault> {
    let unclear = |error: RuntimeError| Fault::Unclear(error.to_string());
    let inspected = containers::inspect(&runtime.client, found).await.map_err(unclear)?.ok_or(Fault::Gone)?;
    if let Some(now) = observe::instance(found, &inspected, runtime.reach, runtime.service_port) {
        let usage = latest.usage;
        *latest = Instance { usage, ..now };
    }
    if matches!(latest.health, Health::Exited(_)) {
        return Ok(Served::Last(last(runtime, found, &inspected).await?));
    }
    if let Some(true) = inspected.state.as_ref().and_then(|state| state.paused) {
        return Err(Fault::Unclear("it is paused".to_owned()));
    }
    let address = latest.endpoint.ok_or_else(|| Fault::Unclear("it publishes no port".to_owned()))?;
    let said = |said: String| Fault::Unclear(format!("at {address} it answers {said}"));
    let (generation, written) =
        tokio::join!(marker::served(&runtime.http, address), written(runtime, found, &inspected));
    let generation = generation.map_err(said)?;
    let known = written?.map(|files| proxy::states(&files)).unwrap_or_default();
    if let Some(routes) = known.into_iter().find(|routes| routes.generation == generation) {
        return Ok(Served::Now(routes));
    }
    // Compose serves the declared file, beside which no state is kept.
    if generation == Routes::DECLARED {
        return Ok(Served::Now(Routes::declared()));
    }
    Err(Fault::Unclear(format!("it serves generation {generation}, which is written down nowhere")))
}

/// What a proxy that does not run has loaded last, or would load if it started
/// now: the newest state.
async fn last(
    runtime: &DockerRuntime,
    found: &Found,
    inspected: &ContainerInspectResponse,
) -> Result<Option<Routes>, Fault> {
    if found.spec().is_none() {
        // Compose's proxy has the declared file and no other.
        return Ok(Some(Routes::declared()));
    }
    let files = written(runtime, found, inspected).await?;
    Ok(files.and_then(|files| proxy::states(&files).into_iter().next()))
}

/// The files beside the proxy's configuration; `None` where it has no volume
/// for them.
async fn written(
    runtime: &DockerRuntime,
    found: &Found,
    inspected: &ContainerInspectResponse,
) -> Result<Option<FileTree>, Fault> {
    let volume = volume_name(&runtime.client.project, FileSet::ProxyConfig.volume());
    let mut mounts = inspected.mounts.iter().flatten();
    let mount = mounts.find(|mount| mount.name.as_deref() == Some(volume.as_str()));
    let Some(folder) = mount.and_then(|mount| mount.destination.as_deref()) else { return Ok(None) };
    let files = helper::download(&runtime.client, &found.id, folder).await;
    files.map(Some).map_err(|error| Fault::Unclear(error.to_string()))
}
