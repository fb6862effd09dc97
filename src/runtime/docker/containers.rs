//! The project's containers: found by label, started, stopped, killed.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, ContainerStateStatusEnum, ContainerSummary,
    ContainerSummaryStateEnum, NetworkConnectRequest,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, KillContainerOptionsBuilder, ListContainersOptionsBuilder,
    ListNetworksOptionsBuilder, RemoveContainerOptionsBuilder, StopContainerOptionsBuilder,
};

use super::client::{CHANGE, Client, Failure, or_absent};
use super::create::{self, Joined, whole_seconds};
use super::{images, labels, logs};
use crate::domain::Slot;
use crate::domain::stack::{ContainerSpec, Role, compose_label, label};
use crate::runtime::RuntimeError;

/// A process that lives so long has not died at once.
const SETTLED: Duration = Duration::from_millis(300);
/// How often a starting container is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// The daemon's own time around a stop, beyond the container's grace.
const STOP_MARGIN: Duration = Duration::from_secs(30);
/// How much of a dead container's log an error shows.
const LAST_LINES: usize = 10;

/// A container of the project.
#[derive(Debug, Clone)]
pub struct Found {
    /// The daemon's id.
    pub id: String,
    /// Its name, without the daemon's leading slash.
    pub name: String,
    /// The service's name.
    pub service: String,
    /// What it is for; `None` for throw-away containers.
    pub role: Option<Role>,
    /// Whether it runs.
    pub is_running: bool,
    /// Whether it ended by itself and the daemon starts it again and again.
    pub is_restarting: bool,
    /// When it was made, in seconds since 1970 by the daemon's clock.
    pub created: i64,
    /// Its labels.
    pub labels: HashMap<String, String>,
}

impl Found {
    fn from_summary(summary: ContainerSummary, project: &str) -> Option<Self> {
        let labels = summary.labels.unwrap_or_default();
        let name = summary.names.unwrap_or_default().first()?.trim_start_matches('/').to_owned();
        let service = labels.get(compose_label::SERVICE).cloned().unwrap_or_else(|| {
            name.strip_prefix(project).and_then(|rest| rest.strip_prefix('-')).unwrap_or(&name).to_owned()
        });
        Some(Self {
            id: summary.id?,
            role: labels::role(&labels),
            service,
            name,
            is_running: summary.state == Some(ContainerSummaryStateEnum::RUNNING),
            is_restarting: summary.state == Some(ContainerSummaryStateEnum::RESTARTING),
            created: summary.created.unwrap_or(0),
            labels,
        })
    }

    /// Whether it is in the slot.
    pub fn is_in(&self, wanted: Slot) -> bool {
        matches!(self.role, Some(Role::App { slot, .. }) if slot == wanted)
    }

    /// The hash of the spec that it was made from.
    pub fn spec(&self) -> Option<&str> {
        self.labels.get(label::SPEC).map(String::as_str)
    }
}

/// All containers of the project in any state, by name.
pub async fn list(client: &Client) -> Result<Vec<Found>, RuntimeError> {
    let options =
        ListContainersOptionsBuilder::new().all(true).filters(&labels::filter(&client.project)).build();
    let summaries =
        client.read("listing the project's containers", client.docker.list_containers(Some(options))).await?;
    let mut found: Vec<Found> =
        summaries.into_iter().filter_map(|summary| Found::from_summary(summary, &client.project)).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The container in a role, where there is one; a running one before others.
pub async fn in_role(client: &Client, role: Role) -> Result<Option<Found>, RuntimeError> {
    let mut found: Vec<Found> =
        list(client).await?.into_iter().filter(|found| found.role == Some(role)).collect();
    found.sort_by_key(|found| !found.is_running);
    Ok(found.into_iter().next())
}

/// Everything about a container; `None` when it is gone.
pub async fn inspect(
    client: &Client,
    found: &Found,
) -> Result<Option<ContainerInspectResponse>, RuntimeError> {
    let call = client.docker.inspect_container(&found.id, None);
    or_absent(client.read(format!("inspecting {}", found.name), call).await)
}

/// Creates the container of a spec without starting it. Networks are looked
/// up by label, so that a slot can be filled without knowing the whole stack.
/// `adjust` changes what does not belong to the spec.
pub async fn make(
    client: &Client,
    spec: &ContainerSpec,
    image_id: Option<&str>,
    adjust: impl FnOnce(&mut ContainerCreateBody),
) -> Result<String, RuntimeError> {
    let networks = joined_networks(client, spec).await?;
    let image = image_id.unwrap_or(&spec.image);
    let mut body = create::body(spec, &client.project, image, &networks);
    adjust(&mut body);
    let options = CreateContainerOptionsBuilder::new().name(&spec.name).build();
    let call = client.docker.create_container(Some(options), body);
    let created = client
        .change(format!("creating {}", spec.name), call)
        .await
        .map_err(|failure| explain_create(failure, spec))?;
    for joined in networks.iter().skip(1) {
        let request =
            NetworkConnectRequest { container: created.id.clone(), endpoint_config: Some(joined.endpoint()) };
        let call = client.docker.connect_network(&joined.network, request);
        let doing = format!("connecting {} to {}", spec.name, joined.network);
        if let Err(failure) = client.change(doing, call).await {
            // The failure that matters is the first one.
            let _ = remove(client, &created.id).await;
            return Err(failure.error);
        }
    }
    Ok(created.id)
}

fn explain_create(failure: Failure, spec: &ContainerSpec) -> RuntimeError {
    if failure.is_conflict() {
        return RuntimeError::StartFailed {
            service: spec.service.clone(),
            reason: format!(
                "the name {} is taken by a container that is not this project's; rename or remove that one",
                spec.name
            ),
        };
    }
    images::or_image_absent(failure, &spec.image)
}

async fn joined_networks(client: &Client, spec: &ContainerSpec) -> Result<Vec<Joined>, RuntimeError> {
    let options = ListNetworksOptionsBuilder::new().filters(&labels::filter(&client.project)).build();
    let known =
        client.read("listing the project's networks", client.docker.list_networks(Some(options))).await?;
    let by_key: HashMap<String, String> = known
        .into_iter()
        .filter_map(|network| Some((network.labels?.get(compose_label::NETWORK)?.clone(), network.name?)))
        .collect();
    spec.networks
        .iter()
        .map(|key| {
            let network = by_key.get(key).cloned().ok_or_else(|| RuntimeError::StartFailed {
                service: spec.service.clone(),
                reason: format!(
                    "the project {} has no network {key}; `swiftdeploy deploy` makes it",
                    client.project
                ),
            })?;
            Ok(Joined { network, aliases: vec![spec.service.clone(), spec.name.clone()] })
        })
        .collect()
}

/// Starts a container that was made.
pub async fn start(client: &Client, id: &str, service: &str) -> Result<(), Failure> {
    client.change(format!("starting {service}"), client.docker.start_container(id, None)).await
}

/// Watches a started container long enough to see that it did not die at once.
pub async fn settle(client: &Client, id: &str, service: &str) -> Result<(), RuntimeError> {
    let mut seen = Duration::ZERO;
    while seen < SETTLED {
        tokio::time::sleep(LOOK).await;
        seen += LOOK;
        still_runs(client, id, service).await?;
    }
    Ok(())
}

/// Fails with exit code and last log lines when a container does not run.
pub async fn still_runs(client: &Client, id: &str, service: &str) -> Result<(), RuntimeError> {
    let inspected =
        client.read(format!("inspecting {service}"), client.docker.inspect_container(id, None)).await?;
    let state = inspected.state.unwrap_or_default();
    let runs =
        matches!(state.status, Some(ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::PAUSED));
    if runs && inspected.restart_count.unwrap_or(0) == 0 {
        return Ok(());
    }
    let code = state.exit_code.unwrap_or(-1);
    let memory = if state.oom_killed == Some(true) { ", killed for using too much memory" } else { "" };
    let lines = logs::last(client, id, LAST_LINES).await;
    let telling = telling(&lines);
    let said = if telling.is_empty() {
        "; it logged nothing".to_owned()
    } else {
        format!(":\n{}", telling.join("\n"))
    };
    Err(RuntimeError::StartFailed {
        service: service.to_owned(),
        reason: format!("it ended with exit code {code}{memory}{said}"),
    })
}

/// The lines that tell why a program ended: where it calls one an error, from
/// the last such line on; otherwise all.
fn telling(lines: &[String]) -> &[String] {
    let is_error = |line: &String| line.trim_start().to_ascii_lowercase().starts_with("error:");
    &lines[lines.iter().rposition(is_error).unwrap_or(0)..]
}

/// Asks a container to stop, with its own grace or the one given. The daemon
/// kills it afterwards. One that does not run, or is gone, is fine.
pub async fn stop(client: &Client, id: &str, grace: Option<Duration>) -> Result<(), RuntimeError> {
    let mut options = StopContainerOptionsBuilder::new();
    if let Some(grace) = grace {
        options = options.t(i32::try_from(whole_seconds(grace)).unwrap_or(i32::MAX));
    }
    let limit = grace.unwrap_or(CHANGE) + STOP_MARGIN;
    let call = client.docker.stop_container(id, Some(options.build()));
    or_absent(client.within(limit, "stopping a container", call).await).map(|_| ())
}

/// Removes a container, running or not, with its unnamed volumes.
pub async fn remove(client: &Client, id: &str) -> Result<(), RuntimeError> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    match client.change("removing a container", client.docker.remove_container(id, Some(options))).await {
        // A conflict says that its removal is under way already.
        Err(failure) if !failure.is_absent() && !failure.is_conflict() => Err(failure.error),
        _ => Ok(()),
    }
}

/// Ends a container's process at once. The daemon takes its own `kill` for the
/// operator's wish and restarts nothing after it; a crash is followed by the
/// restart policy, so that is done here.
pub async fn crash(client: &Client, found: &Found) -> Result<(), RuntimeError> {
    use bollard::models::RestartPolicyNameEnum as Policy;
    let id = &found.id;
    let inspected = client
        .read(format!("inspecting {}", found.service), client.docker.inspect_container(id, None))
        .await?;
    let options = KillContainerOptionsBuilder::new().signal("SIGKILL").build();
    let call = client.docker.kill_container(id, Some(options));
    match client.change(format!("killing {}", found.service), call).await {
        // It had ended by itself: nothing to kill.
        Err(failure) if failure.is_absent() || failure.is_conflict() => return Ok(()),
        other => other?,
    }
    let policy = inspected.host_config.and_then(|host| host.restart_policy).and_then(|policy| policy.name);
    if matches!(policy, Some(Policy::ALWAYS | Policy::UNLESS_STOPPED | Policy::ON_FAILURE)) {
        // The kill returns before the process is reaped; a start waits for it.
        start(client, id, &found.service).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_without_what_was_logged_before() {
        let lines = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
        let said = lines(&["{\"msg\":\"starting\"}", "error: load error", "infra.rego:4: unexpected eof"]);
        assert_eq!(telling(&said), &said[1..]);
        let panicked = lines(&["starting", "thread main panicked"]);
        assert_eq!(telling(&panicked), panicked);
        assert_eq!(telling(&[]), Vec::<String>::new());
    }
}
