//! Everything of the project in one look: labels say what a container is for,
//! the daemon how it is, the proxy itself what it serves. A proxy that does not
//! tell makes the look an error, which carries what was seen all the same.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use bollard::models::{ContainerInspectResponse, ContainerState};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};

use super::DockerRuntime;
use super::containers::{self, Found};
use super::health;
use super::info::{Apps, Reach};
use super::served::{self, Served};
use crate::domain::Release;
use crate::domain::stack::{Role, label};
use crate::runtime::{Health, Instance, Observed, RuntimeError};

/// Containers that are looked at in parallel: a whole stack.
const AT_ONCE: usize = 8;

/// One look at the project.
pub async fn observe(runtime: &DockerRuntime) -> Result<Observed, RuntimeError> {
    let found: Vec<Found> =
        containers::list(&runtime.client).await?.into_iter().filter(|found| found.role.is_some()).collect();
    let looks = found.into_iter().map(|found| async move { look(runtime, &found).await });
    let mut observed = Observed::default();
    let mut silence = None;
    let mut looks = stream::iter(looks).buffer_unordered(AT_ONCE);
    while let Some(look) = looks.next().await {
        let Some(look) = look? else { continue };
        match look.served {
            Served::Now(routes) => observed.routes = Some(routes),
            Served::Last(routes) => observed.last_routes = routes,
            Served::Silent(reason) => silence = Some(reason),
            Served::NoProxy => {}
        }
        observed.instances.push(look.instance);
    }
    // Of several containers in a slot one that runs comes first, and each look
    // finds the same one.
    observed.instances.sort_by_key(|instance: &Instance| {
        let has_ended = matches!(instance.health, Health::Exited(_));
        (order(instance.role), instance.service.clone(), has_ended, instance.id.clone())
    });
    match silence {
        Some(reason) => Err(RuntimeError::ProxySilent { reason, seen: observed.instances }),
        None => Ok(observed),
    }
}

struct Look {
    instance: Instance,
    served: Served,
}

/// `None` when the container went away meanwhile.
async fn look(runtime: &DockerRuntime, found: &Found) -> Result<Option<Look>, RuntimeError> {
    let Some(inspected) = containers::inspect(&runtime.client, found).await? else { return Ok(None) };
    let Some(mut instance) = instance(found, &inspected, runtime.reach, runtime.service_port) else {
        return Ok(None);
    };
    if found.is_running {
        instance.usage = runtime.usage.latest(&runtime.client, &found.id, instance.started_at);
    }
    match instance.role {
        Role::Proxy => {
            let found = served::find(runtime, found, instance).await;
            return Ok(found.map(|(instance, served)| Look { instance, served }));
        }
        Role::Policy => instance.health = health::confirmed_policy(runtime, &instance).await,
        Role::App { .. } => {}
    }
    Ok(Some(Look { instance, served: Served::NoProxy }))
}

fn order(role: Role) -> u8 {
    match role {
        Role::App { slot: crate::domain::Slot::Blue, .. } => 0,
        Role::App { slot: crate::domain::Slot::Green, .. } => 1,
        Role::Proxy => 2,
        Role::Policy => 3,
    }
}

/// A container as an instance; `None` if it has no role.
pub fn instance(
    found: &Found,
    inspected: &ContainerInspectResponse,
    reach: Reach,
    service_port: u16,
) -> Option<Instance> {
    let role = found.role?;
    let none = ContainerState::default();
    let state = inspected.state.as_ref().unwrap_or(&none);
    let health = health::told(role, state);
    let runs = !matches!(health, Health::Exited(_));
    Some(Instance {
        id: found.id.clone(),
        service: found.service.clone(),
        role,
        release: release(found, role, inspected),
        started_at: runs.then(|| started(state)).flatten(),
        endpoint: runs.then(|| endpoint(role, inspected, reach, service_port)).flatten(),
        restarts: inspected.restart_count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0),
        oom_killed: state.oom_killed.unwrap_or(false),
        spec: found.spec().map(str::to_owned),
        usage: None,
        health,
    })
}

fn release(found: &Found, role: Role, inspected: &ContainerInspectResponse) -> Option<Release> {
    let Role::App { mode, .. } = role else { return None };
    Some(Release {
        image: found.labels.get(label::IMAGE)?.clone(),
        image_id: inspected.image.clone(),
        version: found.labels.get(label::VERSION).cloned().unwrap_or_default(),
        mode,
    })
}

fn started(state: &ContainerState) -> Option<DateTime<Utc>> {
    let text = state.started_at.as_deref().filter(|at| !at.starts_with("0001-"))?;
    text.parse().ok()
}

/// Where this machine reaches it: an app at its own address, where that can be
/// reached, and everything else at the port that it publishes.
fn endpoint(
    role: Role,
    inspected: &ContainerInspectResponse,
    reach: Reach,
    service_port: u16,
) -> Option<SocketAddr> {
    if !matches!(role, Role::App { .. }) {
        return published(inspected, reach, None);
    }
    let port = app_port(inspected).unwrap_or(service_port);
    if reach.apps == Apps::Directly {
        return own_address(inspected).map(|address| SocketAddr::new(address, port));
    }
    published(inspected, reach, Some(port))
}

/// A port that the container publishes; any, or the one for a port inside.
fn published(inspected: &ContainerInspectResponse, reach: Reach, inside: Option<u16>) -> Option<SocketAddr> {
    let key = inside.map(|port| format!("{port}/tcp"));
    let ports = inspected.network_settings.as_ref()?.ports.as_ref()?;
    // Sorted, so that each look finds the same one.
    let ports: BTreeMap<_, _> = ports.iter().collect();
    let wanted = ports.iter().filter(|(name, _)| key.as_ref().is_none_or(|key| key == **name));
    wanted.filter_map(|(_, bindings)| bindings.as_ref()).flatten().find_map(|binding| {
        let bind: IpAddr = binding.host_ip.as_deref()?.parse().ok()?;
        let port = binding.host_port.as_deref()?.parse().ok()?;
        Some(SocketAddr::new(reach.published(bind), port))
    })
}

fn own_address(inspected: &ContainerInspectResponse) -> Option<IpAddr> {
    let networks = inspected.network_settings.as_ref()?.networks.as_ref()?;
    let networks: BTreeMap<_, _> = networks.iter().collect();
    let parse = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<IpAddr>().ok());
    networks
        .values()
        .find_map(|network| parse(&network.ip_address).or_else(|| parse(&network.global_ipv6_address)))
}

/// The port in the release's own environment: the manifest may name another
/// one by now.
pub fn app_port(inspected: &ContainerInspectResponse) -> Option<u16> {
    let environment = inspected.config.as_ref()?.env.as_ref()?;
    environment.iter().find_map(|line| line.strip_prefix("APP_PORT=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rstest::rstest;
    use serde_json::json;

    use super::*;

    const REACH: Reach = Reach {
        is_local: true,
        apps: Apps::Directly,
        shows_client_addresses: true,
        published_at: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
    };

    fn found(role: Role) -> Found {
        Found {
            id: "c1".into(),
            name: "shop-x".into(),
            service: "x".into(),
            role: Some(role),
            is_running: true,
            is_restarting: false,
            created: 0,
            labels: HashMap::new(),
        }
    }

    fn inspected() -> ContainerInspectResponse {
        serde_json::from_value(json!({
            "State": {"Status": "running", "StartedAt": "2026-01-01T00:00:00Z"},
            "Config": {"Env": ["A=1", "APP_PORT=4000"]},
            "NetworkSettings": {
                "Networks": {"net": {"IPAddress": "172.18.0.2"}},
                "Ports": {
                    "4000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "49153"}],
                    "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}],
                    "90/tcp": null
                }
            }
        }))
        .unwrap()
    }

    const APP: Role = Role::App { slot: crate::domain::Slot::Blue, mode: crate::domain::Mode::Stable };

    #[test]
    fn what_publishes_nothing_is_not_reached_from_outside() {
        let mut inspected = inspected();
        inspected.network_settings.as_mut().unwrap().ports = None;
        let reach = Reach { apps: Apps::Published, ..REACH };
        assert_eq!(instance(&found(APP), &inspected, reach, 3000).unwrap().endpoint, None);
    }

    #[rstest]
    #[case::an_app_at_its_own_address(APP, REACH, Some("172.18.0.2:4000"))]
    #[case::or_at_the_port_that_is_published_for_us(
        APP, Reach { apps: Apps::Published, ..REACH }, Some("127.0.0.1:49153")
    )]
    #[case::the_policy_engine_at_its_published_port(Role::Policy, REACH, Some("127.0.0.1:49153"))]
    fn endpoints_are_what_this_machine_reaches(
        #[case] role: Role,
        #[case] reach: Reach,
        #[case] expected: Option<&str>,
    ) {
        let instance = instance(&found(role), &inspected(), reach, 3000).unwrap();
        assert_eq!(instance.endpoint, expected.map(|text| text.parse().unwrap()));
    }
}
