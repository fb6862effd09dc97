//! Bringing containers up and down: the slots of the app, and the parts of the
//! platform.

use std::net::IpAddr;
use std::time::Duration;

use bollard::models::ContainerCreateBody;

use super::client::{Client, Failure};
use super::containers::{self, Found};
use super::info::Apps;
use super::{DockerRuntime, create, observe, ports};
use crate::domain::Slot;
use crate::domain::stack::{ContainerSpec, Role, env};
use crate::runtime::{Instance, PortOwner, RuntimeError};

/// Starts a release in its slot in the place of whatever is there.
pub async fn start(
    runtime: &DockerRuntime,
    spec: &ContainerSpec,
    image_id: Option<&str>,
) -> Result<Instance, RuntimeError> {
    let client = &runtime.client;
    let Role::App { slot, .. } = spec.role else {
        return Err(RuntimeError::Engine {
            doing: format!("starting {}", spec.service),
            reason: "only a release runs in a slot".to_owned(),
        });
    };
    for found in in_slot(client, slot).await? {
        containers::remove(client, &found.id).await?;
    }
    let port = || spec.env.get(env::PORT).and_then(|port| port.parse().ok()).unwrap_or(runtime.service_port);
    let published = (runtime.reach.apps == Apps::Published).then(port);
    let publish =
        |body: &mut _| published.into_iter().for_each(|port| create::publish_on_loopback(body, port));
    let id = containers::make(client, spec, image_id, publish).await?;
    if let Err(failure) = containers::start(client, &id, &spec.service).await {
        return Err(runtime.explain_start(spec, failure, &id).await);
    }
    if let Err(error) = containers::settle(client, &id, &spec.service).await {
        // Kept, so that its log can be read; stopped, so that it does not
        // start over and over.
        let _ = containers::stop(client, &id, Some(Duration::ZERO)).await;
        return Err(error);
    }
    let vanished = || RuntimeError::StartFailed {
        service: spec.service.clone(),
        reason: "it was removed while it started".to_owned(),
    };
    let found = in_slot(client, slot).await?.into_iter().find(|found| found.id == id).ok_or_else(vanished)?;
    let call = client.docker.inspect_container(&id, None);
    let inspected = client.read(format!("inspecting {}", spec.service), call).await?;
    observe::instance(&found, &inspected, runtime.reach, runtime.service_port).ok_or_else(vanished)
}

async fn in_slot(client: &Client, slot: Slot) -> Result<Vec<Found>, RuntimeError> {
    Ok(containers::list(client).await?.into_iter().filter(|found| found.is_in(slot)).collect())
}

/// Stops and removes what is in a slot.
pub async fn stop(client: &Client, slot: Slot, grace: Duration) -> Result<(), RuntimeError> {
    for found in in_slot(client, slot).await? {
        containers::stop(client, &found.id, Some(grace)).await?;
        containers::remove(client, &found.id).await?;
    }
    Ok(())
}

/// Ends what runs in a slot as a crash would.
pub async fn kill(client: &Client, slot: Slot) -> Result<(), RuntimeError> {
    for found in in_slot(client, slot).await?.iter().filter(|found| found.is_running) {
        containers::crash(client, found).await?;
    }
    Ok(())
}

impl DockerRuntime {
    /// Makes and starts a part of the platform; what does not start does not
    /// stay, since it would hold the name. It gets its health check if its image
    /// can run it.
    pub(super) async fn bring_up(&self, spec: &ContainerSpec) -> Result<String, RuntimeError> {
        let is_checked = self.runnable_check(spec).await?.is_some();
        let leave_out = |body: &mut ContainerCreateBody| {
            if !is_checked {
                body.healthcheck = None;
            }
        };
        let id = containers::make(&self.client, spec, None, leave_out).await?;
        match containers::start(&self.client, &id, &spec.service).await {
            Ok(()) => Ok(id),
            Err(failure) => Err(self.explain_start(spec, failure, &id).await),
        }
    }

    /// A start that the daemon refused, most often for a port that is taken.
    /// Removes the container.
    async fn explain_start(&self, spec: &ContainerSpec, failure: Failure, id: &str) -> RuntimeError {
        // The refusal is what matters; the name is freed by the next start.
        let _ = containers::remove(&self.client, id).await;
        let reason = failure.reason();
        let is_port = reason.contains("already allocated") || reason.contains("address already in use");
        let port = spec.ports.iter().find(|port| reason.contains(&port.host.to_string()));
        if let Some(port) = port.filter(|_| is_port) {
            if let Err(taken) = self.refuse_taken_port(port.bind, port.host).await {
                return taken;
            }
            let owner = "somebody who left it meanwhile".to_owned();
            return RuntimeError::PortTaken { port: port.host, owner };
        }
        if failure.status.is_none() {
            return failure.error;
        }
        RuntimeError::StartFailed { service: spec.service.clone(), reason }
    }

    /// Fails when somebody else holds a port that is to be published.
    pub(super) async fn refuse_taken_port(&self, bind: IpAddr, port: u16) -> Result<(), RuntimeError> {
        match ports::owner(&self.client, self.reach.is_local, bind, port).await? {
            PortOwner::Other(owner) => Err(RuntimeError::PortTaken { port, owner }),
            PortOwner::Unusable { reason, next } => Err(RuntimeError::PortUnusable { reason, next }),
            PortOwner::Free | PortOwner::OurProxy => Ok(()),
        }
    }
}
