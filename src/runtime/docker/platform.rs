//! What a stack stands on: networks and volumes.

use std::collections::HashMap;

use bollard::models::{Network, NetworkCreateRequest, Volume, VolumeCreateRequest};
use bollard::query_parameters::ListNetworksOptions;

use super::client::{Client, or_absent};
use super::{DockerRuntime, containers, maker};
use crate::domain::stack::{MountSource, NetworkSpec, Stack, compose_label, label};
use crate::runtime::RuntimeError;

/// A throw-away container so old belongs to a process that has ended, where nothing
/// more is known of it.
const LEFT_OVER_SECONDS: i64 = 600;

/// Creates the networks and volumes that do not exist yet.
pub async fn ensure(runtime: &DockerRuntime, stack: &Stack) -> Result<(), RuntimeError> {
    let client = &runtime.client;
    runtime.reach.refuse_out_of_reach(client).await?;
    sweep(runtime).await?;
    for network in &stack.networks {
        ensure_network(client, stack, network).await?;
    }
    for volume in volumes(stack) {
        ensure_volume(client, stack, volume).await?;
    }
    Ok(())
}

/// Removes throw-away containers that a process left when it was ended.
pub async fn sweep(runtime: &DockerRuntime) -> Result<(), RuntimeError> {
    let now = runtime.clock.wall().timestamp();
    for found in containers::list(&runtime.client).await? {
        let is_ended = || found.labels.get(maker::LABEL).is_some_and(|mark| maker::has_ended(mark));
        if found.role.is_none() && (now - found.created > LEFT_OVER_SECONDS || is_ended()) {
            containers::remove(&runtime.client, &found.id).await?;
        }
    }
    Ok(())
}

/// All volumes that the stack's containers mount, each once.
fn volumes(stack: &Stack) -> Vec<&str> {
    let mounted = stack.containers.iter().flat_map(|spec| &spec.mounts).map(|mount| match mount.source {
        MountSource::Volume(volume) => volume,
        MountSource::Files(set) => set.volume(),
    });
    let mut names: Vec<&str> = stack.volumes.iter().map(String::as_str).chain(mounted).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The names of the stack's networks and volumes that others have.
pub async fn taken_names(client: &Client, stack: &Stack) -> Result<Vec<RuntimeError>, RuntimeError> {
    let known = networks(client).await?;
    let mut taken: Vec<RuntimeError> =
        stack.networks.iter().filter_map(|spec| taken_network(&known, stack, spec)).collect();
    for volume in volumes(stack) {
        if let Some(found) = existing_volume(client, &stack.volume_name(volume)).await? {
            taken.extend(taken_volume(&found, stack));
        }
    }
    Ok(taken)
}

async fn networks(client: &Client) -> Result<Vec<Network>, RuntimeError> {
    let call = client.docker.list_networks(None::<ListNetworksOptions>);
    Ok(client.read("listing networks", call).await?)
}

async fn existing_volume(client: &Client, name: &str) -> Result<Option<Volume>, RuntimeError> {
    or_absent(client.read(format!("inspecting volume {name}"), client.docker.inspect_volume(name)).await)
}

fn is_ours(network: &Network, stack: &Stack) -> bool {
    has(network.labels.as_ref(), label::PROJECT, &stack.project)
}

fn has(labels: Option<&HashMap<String, String>>, key: &str, value: &str) -> bool {
    labels.is_some_and(|labels| labels.get(key).is_some_and(|found| found == value))
}

/// What carries no label of this project is never used, changed or removed.
fn taken_network(known: &[Network], stack: &Stack, spec: &NetworkSpec) -> Option<RuntimeError> {
    let mut named = known.iter().filter(|network| network.name.as_deref() == Some(spec.name.as_str()));
    let stranger =
        named.next().filter(|first| !is_ours(first, stack) && !named.any(|other| is_ours(other, stack)))?;
    Some(RuntimeError::NameTaken {
        kind: "network",
        name: spec.name.clone(),
        owner: whose(stranger.labels.as_ref()),
        key: "network.name",
    })
}

/// The same of a volume.
fn taken_volume(found: &Volume, stack: &Stack) -> Option<RuntimeError> {
    let labels = Some(&found.labels);
    (!has(labels, label::PROJECT, &stack.project)).then(|| RuntimeError::NameTaken {
        kind: "volume",
        name: found.name.clone(),
        owner: whose(labels),
        key: "project",
    })
}

/// Whose something is, by its labels.
fn whose(labels: Option<&HashMap<String, String>>) -> String {
    let project = |key: &str| labels.and_then(|labels| labels.get(key));
    match (project(label::PROJECT), project(compose_label::PROJECT)) {
        (Some(project), _) => format!("project {project}'s"),
        (None, Some(project)) => format!("Compose project {project}'s"),
        (None, None) => "somebody else's".to_owned(),
    }
}

async fn ensure_network(client: &Client, stack: &Stack, spec: &NetworkSpec) -> Result<(), RuntimeError> {
    let known = networks(client).await?;
    if let Some(taken) = taken_network(&known, stack, spec) {
        return Err(taken);
    }
    for network in known.iter().filter(|network| is_ours(network, stack)) {
        if network.name.as_deref() == Some(spec.name.as_str()) {
            return Ok(());
        }
        if has(network.labels.as_ref(), compose_label::NETWORK, &spec.key) {
            // The manifest named it otherwise before: two networks of one key
            // would leave it open which one a container joins.
            let old = network.name.as_deref().unwrap_or_default();
            let call = client.docker.remove_network(old);
            client.change(format!("removing network {old}, which is {} now", spec.name), call).await?;
        }
    }
    let request = NetworkCreateRequest {
        name: spec.name.clone(),
        driver: Some(spec.driver.clone()),
        labels: Some(spec.labels(&stack.project).into_iter().collect()),
        ..NetworkCreateRequest::default()
    };
    client.change(format!("creating network {}", spec.name), client.docker.create_network(request)).await?;
    Ok(())
}

/// Creates a volume of the stack if it is not there.
pub async fn ensure_volume(client: &Client, stack: &Stack, volume: &str) -> Result<(), RuntimeError> {
    let name = stack.volume_name(volume);
    if let Some(found) = existing_volume(client, &name).await? {
        return taken_volume(&found, stack).map_or(Ok(()), Err);
    }
    let request = VolumeCreateRequest {
        name: Some(name.clone()),
        labels: Some(stack.volume_labels(volume).into_iter().collect()),
        ..VolumeCreateRequest::default()
    };
    client.change(format!("creating volume {name}"), client.docker.create_volume(request)).await?;
    Ok(())
}
