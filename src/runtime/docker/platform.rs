//! What a stack stands on: networks and volumes.

use bollard::models::{NetworkCreateRequest, VolumeCreateRequest};
use bollard::query_parameters::ListNetworksOptions;

use super::client::{Client, or_absent};
use super::{DockerRuntime, containers};
use crate::domain::stack::{MountSource, NetworkSpec, Stack, compose_label, label};
use crate::runtime::RuntimeError;

/// A throw-away container so old belongs to a process that has ended.
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
        if found.role.is_none() && now - found.created > LEFT_OVER_SECONDS {
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

async fn ensure_network(client: &Client, stack: &Stack, spec: &NetworkSpec) -> Result<(), RuntimeError> {
    let call = client.docker.list_networks(None::<ListNetworksOptions>);
    let known = client.read("listing networks", call).await?;
    for network in &known {
        let labels = network.labels.as_ref();
        let has = |key: &str, value: &str| {
            labels.is_some_and(|labels| labels.get(key).is_some_and(|found| found == value))
        };
        let is_ours = has(label::PROJECT, &stack.project);
        let is_named = network.name.as_deref() == Some(spec.name.as_str());
        if is_named && is_ours {
            return Ok(());
        }
        if is_named {
            return Err(foreign("network", &spec.name, "change network.name in the manifest"));
        }
        if is_ours && has(compose_label::NETWORK, &spec.key) {
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
    let call = client.docker.inspect_volume(&name);
    if let Some(found) = or_absent(client.read(format!("inspecting volume {name}"), call).await)? {
        let is_ours = found.labels.get(label::PROJECT) == Some(&stack.project);
        return if is_ours {
            Ok(())
        } else {
            Err(foreign("volume", &name, "change project in the manifest"))
        };
    }
    let request = VolumeCreateRequest {
        name: Some(name.clone()),
        labels: Some(stack.volume_labels(volume).into_iter().collect()),
        ..VolumeCreateRequest::default()
    };
    client.change(format!("creating volume {name}"), client.docker.create_volume(request)).await?;
    Ok(())
}

/// What carries no label of this project is never used, changed or removed.
fn foreign(kind: &str, name: &str, remedy: &str) -> RuntimeError {
    RuntimeError::Engine {
        doing: format!("creating {kind} {name}"),
        reason: format!("there is a {kind} of this name that is not this project's; remove it or {remedy}"),
    }
}
