//! The proxy's configuration: checked by the real nginx, loaded, and believed
//! only when the new generation is served. The old one keeps serving until
//! then and after any failure.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig};

use super::abilities::Version;
use super::client::Client;
use super::containers::{self, Found};
use super::create::{anonymous_mount, confined};
use super::files::FileTree;
use super::helper::Helper;
use super::nginx::{self, CANDIDATE, CONFIG};
use super::{DockerRuntime, exec, farewell, marker, replacement, servers};
use crate::domain::Routes;
use crate::domain::stack::{ContainerSpec, FileSet, PublishedPort, Role, Stack};
use crate::runtime::{Check, CheckStatus, RuntimeError, SlotServers, StackFiles};

/// The routing states that the configuration may be serving, newest first:
/// the one last written and the one before. Which of them is in force only the
/// proxy itself can tell, since a process may end between writing and loading.
const ROUTES: &str = "routes.json";
/// Longest wait for a loaded configuration to be served.
pub(super) const SERVED: Duration = Duration::from_secs(15);
/// Longest wait for what should be serving already.
const RESTORED: Duration = Duration::from_secs(5);

/// A configuration and the routing states beside it.
pub fn files(text: String, routes: &Routes, before: Option<&Routes>) -> Result<FileTree, RuntimeError> {
    let states: Vec<&Routes> = std::iter::once(routes).chain(before).collect();
    let json = serde_json::to_vec_pretty(&states).map_err(|error| RuntimeError::Engine {
        doing: "writing the routing state".to_owned(),
        reason: error.to_string(),
    })?;
    Ok(FileTree([(CONFIG.to_owned(), text.into_bytes()), (ROUTES.to_owned(), json)].into()))
}

/// The routing states in a folder of the proxy; none if they make no sense,
/// since the next routing writes them anew.
pub fn states(files: &FileTree) -> Vec<Routes> {
    files.text(ROUTES).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// The proxy's public address, as this machine reaches it.
pub fn public_address(runtime: &DockerRuntime, spec: &ContainerSpec) -> Result<SocketAddr, RuntimeError> {
    let port = published_port(spec)?;
    Ok(SocketAddr::new(runtime.reach.published(port.bind), port.host))
}

/// The generation that is served now; `None` without a running proxy.
pub async fn generation(runtime: &DockerRuntime, stack: &Stack) -> Result<Option<String>, RuntimeError> {
    let (spec, _) = nginx::proxy(stack)?;
    let found = containers::in_role(&runtime.client, Role::Proxy).await?;
    if !found.is_some_and(|found| found.is_running) {
        return Ok(None);
    }
    let address = public_address(runtime, spec)?;
    match marker::served(&runtime.http, address).await {
        Ok(generation) => Ok(Some(generation)),
        Err(said) => Err(RuntimeError::Engine {
            doing: format!("asking the proxy at {address} for its generation"),
            reason: format!("it answers {said}"),
        }),
    }
}

/// Checks a configuration in a throw-away container of the proxy's image,
/// confined as the proxy is, without a network; the app's names resolve.
pub async fn check(
    runtime: &DockerRuntime,
    stack: &Stack,
    files: &StackFiles,
    routes: &Routes,
) -> Result<Check, RuntimeError> {
    let (spec, _) = nginx::proxy(stack)?;
    let version = runtime.nginx.find(&runtime.client, spec, &spec.image).await?;
    let servers = servers::running(runtime).await?;
    let abilities = version.abilities(runtime.reach.shows_client_addresses);
    let text = match files.proxy.text(routes, abilities, &servers) {
        Ok(text) => text,
        Err(RuntimeError::ProxyRefused { reason }) => {
            return Ok(Check { status: CheckStatus::Fail, detail: reason });
        }
        Err(other) => return Err(other),
    };
    check_text(&runtime.client, stack, &servers, text, version).await
}

async fn check_text(
    client: &Client,
    stack: &Stack,
    servers: &SlotServers,
    text: String,
    version: Version,
) -> Result<Check, RuntimeError> {
    let (spec, folder) = nginx::proxy(stack)?;
    let mut command = nginx::command(spec, &format!("{folder}/{CONFIG}"), &["-t"]);
    let program = command.remove(0);
    let body = ContainerCreateBody {
        image: Some(spec.image.clone()),
        user: Some(spec.user.clone()),
        entrypoint: Some(vec![program]),
        cmd: Some(command),
        host_config: Some(HostConfig {
            // New volumes in the place of the named ones: the check writes
            // into nobody's logs.
            mounts: Some(spec.mounts.iter().map(anonymous_mount).collect()),
            extra_hosts: Some(
                nginx::app_names(stack)
                    .into_iter()
                    .chain(servers.values().map(|server| server.service.clone()))
                    .map(|name| format!("{name}:127.0.0.1"))
                    .collect(),
            ),
            ..confined(spec)
        }),
        ..ContainerCreateBody::default()
    };
    let helper = Helper::create(client, "check", body).await?;
    let output = async {
        helper.upload(folder, &FileTree([(CONFIG.to_owned(), text.into_bytes())].into())).await?;
        helper.run().await
    }
    .await;
    helper.remove().await?;
    let output = output?;
    Ok(if output.code == 0 {
        let cuts = if version.abilities(true).keepalive_min_timeout {
            ""
        } else {
            "; before 1.27.4 its reload may cut a client's request on an idle connection"
        };
        Check {
            status: CheckStatus::Pass,
            detail: format!("nginx {version} accepts the configuration{cuts}"),
        }
    } else {
        Check { status: CheckStatus::Fail, detail: nginx::complaint(&output.text) }
    })
}

/// Makes the running proxy serve `routes`.
pub async fn route(
    runtime: &DockerRuntime,
    stack: &Stack,
    files: &StackFiles,
    routes: &Routes,
) -> Result<(), RuntimeError> {
    let (spec, folder) = nginx::proxy(stack)?;
    let client = &runtime.client;
    let proxy = containers::in_role(client, Role::Proxy).await?.filter(|found| found.is_running);
    let proxy = proxy.ok_or_else(|| RuntimeError::Engine {
        doing: "routing".to_owned(),
        reason: "the proxy does not run; `swiftdeploy deploy` starts it".to_owned(),
    })?;
    if proxy.spec().is_none() {
        return Err(RuntimeError::Engine {
            doing: "routing".to_owned(),
            reason: "Compose started the proxy with files of its own; `swiftdeploy deploy` takes it over"
                .to_owned(),
        });
    }
    let image = image_of(client, &proxy).await?;
    let version = runtime.nginx.find(client, spec, &image).await?;
    let servers = servers::running(runtime).await?;
    let text = files.proxy.text(routes, version.abilities(runtime.reach.shows_client_addresses), &servers)?;
    let address = public_address(runtime, spec)?;
    let carrier = Helper::holding(client, &image, &[FileSet::ProxyConfig]).await?;
    let load = Load { runtime, spec, folder, address, proxy: &proxy, carrier: &carrier };
    let outcome = load.replace(text, routes).await;
    // The routing has been decided by now; a helper that stays is swept later.
    let _ = carrier.remove().await;
    outcome
}

async fn image_of(client: &Client, found: &Found) -> Result<String, RuntimeError> {
    let call = client.docker.inspect_container(&found.id, None);
    let inspected = client.read(format!("inspecting {}", found.name), call).await?;
    inspected.image.ok_or_else(|| RuntimeError::Engine {
        doing: format!("inspecting {}", found.name),
        reason: "the daemon does not tell its image".to_owned(),
    })
}

/// One replacement of the configuration of a running proxy.
pub(super) struct Load<'a> {
    pub(super) runtime: &'a DockerRuntime,
    pub(super) spec: &'a ContainerSpec,
    pub(super) folder: &'a str,
    pub(super) address: SocketAddr,
    pub(super) proxy: &'a Found,
    pub(super) carrier: &'a Helper,
}

impl Load<'_> {
    async fn replace(&self, text: String, routes: &Routes) -> Result<(), RuntimeError> {
        let shared = Helper::folder(FileSet::ProxyConfig);
        let old = self.carrier.download(&shared).await?;
        let serving = marker::served(&self.runtime.http, self.address).await.ok();
        let known = states(&old);
        let before = known.iter().find(|state| Some(&state.generation) == serving.as_ref());

        // Inside the running proxy, since there the names resolve as they will
        // when it loads the file: a slot that is gone is found here.
        let candidate = FileTree([(CANDIDATE.to_owned(), text.clone().into_bytes())].into());
        self.carrier.upload(&shared, &candidate).await?;
        self.nginx(CANDIDATE, &["-t"]).await?;

        self.carrier.upload(&shared, &files(text, routes, before)?).await?;
        if let Err(error) = self.load(&routes.generation, SERVED).await {
            self.put_back(&shared, &old, serving.as_deref()).await;
            return Err(error);
        }
        Ok(())
    }

    /// Runs nginx inside the proxy's container. Not `docker kill -s HUP` for a
    /// reload: the daemon takes any signal that it sends for the operator's
    /// wish and would not restart an `unless-stopped` proxy that dies later.
    async fn nginx(&self, config: &str, more: &[&str]) -> Result<(), RuntimeError> {
        let command = nginx::command(self.spec, &format!("{}/{config}", self.folder), more);
        let output = exec::run(&self.runtime.client, &self.proxy.id, command).await?;
        if output.code == 0 {
            return Ok(());
        }
        // A person knows the file by its own name only.
        let reason = nginx::complaint(&output.text).replace(CANDIDATE, CONFIG);
        Err(RuntimeError::ProxyRefused { reason })
    }

    pub(super) async fn load(&self, generation: &str, limit: Duration) -> Result<(), RuntimeError> {
        self.nginx(CONFIG, &["-s", "reload"]).await?;
        let DockerRuntime { http, clock, .. } = self.runtime;
        marker::await_generation(http, clock, self.address, generation, marker::SETTLED, limit).await.map_err(
            |(served, waited)| RuntimeError::NotServed { wanted: generation.to_owned(), served, waited },
        )
    }

    /// Best effort: the failure that led here is the one to tell.
    async fn put_back(&self, shared: &str, old: &FileTree, serving: Option<&str>) {
        if self.carrier.upload(shared, old).await.is_ok()
            && let Some(serving) = serving
        {
            let _ = self.load(serving, RESTORED).await;
        }
    }
}

/// Brings up the proxy, unless the right one runs: a proxy whose own container
/// changes (see [`replacement`]) is the one change that interrupts service, from
/// the moment in which the old one is asked to finish until the new one serves.
pub async fn ensure(
    runtime: &DockerRuntime,
    stack: &Stack,
    files: &StackFiles,
    routes: &Routes,
) -> Result<(), RuntimeError> {
    let (spec, folder) = nginx::proxy(stack)?;
    let client = &runtime.client;
    let address = public_address(runtime, spec)?;
    let found = containers::in_role(client, Role::Proxy).await?;
    if let Some(found) = &found
        && found.is_running
        && replacement::is_made_from(client, found, spec).await?
        && marker::answers(&runtime.http, &runtime.clock, address, RESTORED).await
    {
        return Ok(());
    }

    // Everything that can fail comes before the old one goes.
    let version = runtime.nginx.find(client, spec, &spec.image).await?;
    let servers = servers::running(runtime).await?;
    let text = files.proxy.text(routes, version.abilities(runtime.reach.shows_client_addresses), &servers)?;
    let check = check_text(client, stack, &servers, text.clone(), version).await?;
    if check.status == CheckStatus::Fail {
        return Err(RuntimeError::ProxyRefused { reason: check.detail });
    }
    // Known from here on: the traffic is not to wait for it.
    runtime.runnable_check(spec).await?;
    for port in &spec.ports {
        runtime.refuse_taken_port(port.bind, port.host).await?;
    }
    let carrier = Helper::holding(client, &spec.image, &[FileSet::ProxyConfig]).await?;
    if let Some(proxy) = found.as_ref().filter(|found| found.is_running && found.spec().is_some()) {
        // Only shortens the interruption, so that what fails here is no reason to stop.
        let _ = farewell::say(&Load { runtime, spec, folder, address, proxy, carrier: &carrier }).await;
    }
    let copied =
        carrier.upload(&Helper::folder(FileSet::ProxyConfig), &self::files(text, routes, None)?).await;
    carrier.remove().await?;
    copied?;
    if let Some(found) = found {
        // The manifest's grace of now. What runs in the old one may have begun by
        // what it was made with: whichever is longer.
        let grace = spec.stop_grace.max(replacement::grace(client, &found).await?);
        containers::stop(client, &found.id, Some(grace)).await?;
        containers::remove(client, &found.id).await?;
    }
    let id = runtime.bring_up(spec).await?;
    await_first(runtime, spec, &id, address, &routes.generation).await
}

/// Waits until a new proxy serves, with its own words if it dies instead.
async fn await_first(
    runtime: &DockerRuntime,
    spec: &ContainerSpec,
    id: &str,
    address: SocketAddr,
    generation: &str,
) -> Result<(), RuntimeError> {
    let DockerRuntime { http, clock, client, .. } = runtime;
    let first_answer = marker::await_generation(http, clock, address, generation, 1, SERVED);
    let death = async {
        loop {
            if let Err(error) = containers::still_runs(client, id, &spec.service).await {
                return error;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::select! {
        served = first_answer => served.map_err(|(served, waited)| RuntimeError::NotServed {
            wanted: generation.to_owned(),
            served,
            waited,
        }),
        error = death => Err(error),
    }
}

/// The bind address and port of the proxy, for the question who owns them.
pub fn published(stack: &Stack) -> Result<(IpAddr, u16), RuntimeError> {
    let port = published_port(nginx::proxy(stack)?.0)?;
    Ok((port.bind, port.host))
}

fn published_port(spec: &ContainerSpec) -> Result<&PublishedPort, RuntimeError> {
    spec.ports.first().ok_or_else(|| RuntimeError::Engine {
        doing: "reading the stack".to_owned(),
        reason: format!("{} publishes no port", spec.service),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Slot;

    #[test]
    fn the_state_before_stays_beside_the_new_one() {
        let new = Routes::all_to(Slot::Green, "g2");
        let old = Routes::all_to(Slot::Blue, "g1");
        let files = files("events {}".into(), &new, Some(&old)).unwrap();
        assert_eq!(states(&files), [new, old]);
        assert_eq!(files.text(CONFIG), Some("events {}"));
    }

    #[test]
    fn a_state_that_makes_no_sense_is_none() {
        assert_eq!(states(&FileTree::of([(ROUTES, "{")])), []);
        assert_eq!(states(&FileTree::default()), []);
    }
}
