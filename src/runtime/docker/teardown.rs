//! The end of a project: what carries its label goes, nothing else.

use std::time::Duration;

use bollard::query_parameters::{ListNetworksOptionsBuilder, ListVolumesOptionsBuilder, RemoveVolumeOptions};
use futures_util::{StreamExt, stream};

use super::client::{Client, or_absent};
use super::containers::{self, Found};
use super::labels;
use crate::domain::stack::Role;
use crate::runtime::RuntimeError;

/// Containers that are stopped at the same time.
const AT_ONCE: usize = 8;
/// How long a container may take to stop here: nobody is served any more.
const GRACE: Duration = Duration::from_secs(10);

/// All that carries the project's label.
struct Belongings {
    containers: Vec<Found>,
    networks: Vec<String>,
    volumes: Vec<String>,
}

impl Belongings {
    async fn find(client: &Client) -> Result<Self, RuntimeError> {
        let filter = labels::filter(&client.project);
        let networks = ListNetworksOptionsBuilder::new().filters(&filter).build();
        let volumes = ListVolumesOptionsBuilder::new().filters(&filter).build();
        let (containers, networks, volumes) = tokio::try_join!(
            containers::list(client),
            async {
                let call = client.docker.list_networks(Some(networks));
                Ok(client.read("listing the project's networks", call).await?)
            },
            async {
                let call = client.docker.list_volumes(Some(volumes));
                Ok(client.read("listing the project's volumes", call).await?)
            },
        )?;
        let mut networks: Vec<String> = networks.into_iter().filter_map(|network| network.name).collect();
        let mut volumes: Vec<String> =
            volumes.volumes.unwrap_or_default().into_iter().map(|volume| volume.name).collect();
        networks.sort();
        volumes.sort();
        Ok(Self { containers, networks, volumes })
    }
}

/// What a teardown would remove.
pub async fn belongings(client: &Client) -> Result<Vec<String>, RuntimeError> {
    let found = Belongings::find(client).await?;
    let containers = found.containers.iter().map(|container| format!("container {}", container.name));
    let networks = found.networks.iter().map(|name| format!("network {name}"));
    let volumes = found.volumes.iter().map(|name| format!("volume {name}"));
    Ok(containers.chain(networks).chain(volumes).collect())
}

/// Removes everything of the project. The proxy goes first, so that clients
/// are refused instead of being answered by a stack that is half there. What
/// cannot be removed does not keep the rest.
pub async fn teardown(client: &Client) -> Result<Vec<String>, RuntimeError> {
    let found = Belongings::find(client).await?;
    let mut removed = Vec::new();
    let mut left = Vec::new();
    let (proxy, others): (Vec<Found>, Vec<Found>) =
        found.containers.into_iter().partition(|container| container.role == Some(Role::Proxy));
    for group in [proxy, others] {
        let ends = group.into_iter().map(|container| async move {
            let end = end(client, &container).await;
            (container, end)
        });
        let mut ends = stream::iter(ends).buffered(AT_ONCE);
        while let Some((container, end)) = ends.next().await {
            note(&mut removed, &mut left, format!("container {}", container.name), end);
        }
    }
    for network in &found.networks {
        let call =
            client.change(format!("removing network {network}"), client.docker.remove_network(network));
        note(&mut removed, &mut left, format!("network {network}"), or_absent(call.await).map(|_| ()));
    }
    for volume in &found.volumes {
        let call = client.docker.remove_volume(volume, None::<RemoveVolumeOptions>);
        let call = client.change(format!("removing volume {volume}"), call);
        note(&mut removed, &mut left, format!("volume {volume}"), or_absent(call.await).map(|_| ()));
    }
    if left.is_empty() {
        return Ok(removed);
    }
    let gone = if removed.is_empty() { "nothing".to_owned() } else { removed.join(", ") };
    Err(RuntimeError::Engine {
        doing: format!("removing the project {}", client.project),
        reason: format!("left: {}; removed: {gone}", left.join("; ")),
    })
}

async fn end(client: &Client, container: &Found) -> Result<(), RuntimeError> {
    if container.is_running && container.role.is_some() {
        // Should it not stop, the removal below kills it.
        let _ = containers::stop(client, &container.id, Some(GRACE)).await;
    }
    containers::remove(client, &container.id).await
}

fn note(removed: &mut Vec<String>, left: &mut Vec<String>, name: String, outcome: Result<(), RuntimeError>) {
    match outcome {
        Ok(()) => removed.push(name),
        Err(error) => left.push(format!("{name} ({error})")),
    }
}
