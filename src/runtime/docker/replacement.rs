//! Whether a part of the platform that runs is what the stack says and, where it
//! is not, why it has to be made anew: in the manifest's words, since to replace
//! the proxy interrupts the traffic and a person should know before.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bollard::models::ContainerInspectResponse;

use super::DockerRuntime;
use super::client::Client;
use super::containers::{self, Found};
use crate::domain::stack::{ContainerSpec, Role, Stack, label};
use crate::runtime::model::moved;
use crate::runtime::{Replacement, RuntimeError};

/// What of the platform runs and is not what the stack says.
pub async fn all(runtime: &DockerRuntime, stack: &Stack) -> Result<Vec<Replacement>, RuntimeError> {
    let client = &runtime.client;
    let mut all = Vec::new();
    for role in [Role::Proxy, Role::Policy] {
        let Some(spec) = stack.containers.iter().find(|spec| spec.role == role) else { continue };
        let found = containers::in_role(client, role).await?.filter(|found| found.is_running);
        let Some(found) = found else { continue };
        if is_made_from(client, &found, spec).await? {
            continue;
        }
        if let Some(inspected) = containers::inspect(client, &found).await? {
            all.push(why(stack, spec, &found, &inspected));
        }
    }
    Ok(all)
}

/// Whether a container was made from this spec, be it by a version whose hash
/// counted more: only that the rule has changed is no reason to replace it.
pub async fn is_made_from(
    client: &Client,
    found: &Found,
    spec: &ContainerSpec,
) -> Result<bool, RuntimeError> {
    if found.spec() == Some(spec.hash().as_str()) {
        return Ok(true);
    }
    let made_with = grace(client, found).await?;
    Ok(found.spec() == Some(spec.older_hash(made_with).as_str()))
}

/// How long a container was given to stop when it was made.
pub async fn grace(client: &Client, found: &Found) -> Result<Duration, RuntimeError> {
    let inspected = containers::inspect(client, found).await?;
    let seconds = inspected.and_then(|inspected| inspected.config?.stop_timeout);
    Ok(Duration::from_secs(seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0)))
}

fn why(
    stack: &Stack,
    spec: &ContainerSpec,
    found: &Found,
    inspected: &ContainerInspectResponse,
) -> Replacement {
    let is_compose_s = found.spec().is_none();
    let elsewhere = elsewhere(spec, inspected);
    let unreached = unreached(stack, spec, inspected);
    let can_stay = !is_compose_s && elsewhere.is_empty() && unreached.is_none();
    let mut reasons: Vec<String> = Vec::new();
    if is_compose_s {
        reasons.push("Compose started it, with files that SwiftDeploy does not write".to_owned());
    }
    reasons.extend(other_image(spec, found));
    reasons.extend(elsewhere);
    reasons.extend(unreached);
    if reasons.is_empty() {
        reasons.push("another version of SwiftDeploy made it, otherwise than this one does".to_owned());
    }
    Replacement { service: spec.service.clone(), role: spec.role, why: reasons.join(", "), can_stay }
}

fn other_image(spec: &ContainerSpec, found: &Found) -> Option<String> {
    let was = found.labels.get(label::IMAGE)?;
    let key = match spec.role {
        Role::Policy => "policy.image",
        Role::Proxy | Role::App { .. } => "nginx.image",
    };
    (*was != spec.image).then(|| format!("{key} is {} and was {was}", spec.image))
}

/// What is published at another address than the stack says.
fn elsewhere(spec: &ContainerSpec, inspected: &ContainerInspectResponse) -> Vec<String> {
    let Some(port) = spec.ports.first() else { return Vec::new() };
    let wanted = SocketAddr::new(port.bind, port.host);
    let Some(was) = published(inspected) else {
        return vec![format!("it publishes no port, and should {wanted}")];
    };
    match spec.role {
        Role::Policy if was.port() != wanted.port() => {
            vec![format!("policy.port is {} and was {}", wanted.port(), was.port())]
        }
        Role::Policy => Vec::new(),
        Role::Proxy | Role::App { .. } => moved(was, wanted),
    }
}

/// The address at which a container was told to publish its port.
fn published(inspected: &ContainerInspectResponse) -> Option<SocketAddr> {
    let bindings = inspected.host_config.as_ref()?.port_bindings.as_ref()?;
    let binding = bindings.values().flatten().flatten().next()?;
    let port = binding.host_port.as_deref()?.parse().ok()?;
    // Empty is the daemon's word for every address.
    let bind = binding.host_ip.as_deref().filter(|bind| !bind.is_empty());
    let bind = bind.map_or(Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), |bind| bind.parse().ok())?;
    Some(SocketAddr::new(bind, port))
}

/// The stack's networks that the container is not in.
fn unreached(stack: &Stack, spec: &ContainerSpec, inspected: &ContainerInspectResponse) -> Option<String> {
    let networks = inspected.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
    let mut joined: Vec<&str> =
        networks.into_iter().flat_map(|networks| networks.keys()).map(String::as_str).collect();
    joined.sort_unstable();
    let wanted = stack.networks.iter().filter(|network| spec.networks.contains(&network.key));
    let missing: Vec<&str> =
        wanted.map(|network| network.name.as_str()).filter(|name| !joined.contains(name)).collect();
    (!missing.is_empty())
        .then(|| format!("by network.name it joins {} and was in {}", missing.join(", "), joined.join(", ")))
}

#[cfg(test)]
mod tests;
