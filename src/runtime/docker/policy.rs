//! Open Policy Agent's container and its copy of the policies.
//!
//! A changed file is loaded by OPA's own watch, which after an edit that does
//! not parse keeps the last good policy (or has none, if it looks while the
//! daemon puts the new file in the place of the old): the gates find that out
//! by comparing and deny, while OPA stays up. A removed file its watch would
//! keep, so then OPA is started anew.
//!
//! An OPA that is started on a policy that does not parse dies. That is no
//! failure of the start: the gates deny because it does not run, and the next
//! copy of the policies brings it back.

use std::net::SocketAddr;
use std::time::Duration;

use bollard::models::ContainerStateStatusEnum;
use bollard::query_parameters::RemoveVolumeOptions;

use super::client::{Client, or_absent};
use super::containers::{self, Found};
use super::files::{Difference, FileTree};
use super::helper::{self, Helper};
use super::{DockerRuntime, nginx, platform};
use crate::domain::stack::{ContainerSpec, FileSet, MountSource, Role, Stack};
use crate::runtime::{Given, RuntimeError, StackFiles};

/// Longest wait for OPA's first answer.
const ANSWERS: Duration = Duration::from_secs(20);
/// Time between two questions.
const PAUSE: Duration = Duration::from_millis(50);

/// What must be done so that a container's copies are what they should be.
struct Sync {
    set: FileSet,
    wanted: FileTree,
    difference: Difference,
}

/// What became of a container's copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Brought {
    /// They were right.
    Nothing,
    /// They were replaced.
    IntoTheSame,
    /// They were replaced, and the container too.
    IntoANewOne,
}

/// How a wait for OPA ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// It answers.
    Answers,
    /// It does not run, or starts again and again.
    Died,
}

/// Brings up OPA with the policies of now, unless it runs with them already,
/// or somebody stopped it: then it stays stopped and the gates say so.
pub async fn ensure(
    runtime: &DockerRuntime,
    stack: &Stack,
    files: &StackFiles,
) -> Result<Given, RuntimeError> {
    let Some(spec) = policy_spec(stack) else { return Ok(Given::Nothing) };
    let client = &runtime.client;
    let found = containers::in_role(client, Role::Policy).await?;
    if found.as_ref().is_some_and(|found| !found.is_running && !found.is_restarting) {
        return Ok(Given::Nothing);
    }
    if let Some(found) = found.as_ref().filter(|found| found.spec() == Some(spec.hash().as_str())) {
        return refresh(runtime, stack, spec, found, files).await;
    }
    for port in &spec.ports {
        // Our own container is about to leave the port.
        if found.is_none() {
            runtime.refuse_taken_port(port.bind, port.host).await?;
        }
    }
    if let Some(found) = found {
        end(client, &found).await?;
    }
    bring_files(runtime, stack, spec, None, files).await?;
    runtime.bring_up(spec).await?;
    await_answer(runtime, spec).await?;
    Ok(Given::OtherPolicies)
}

/// Brings the policies of now to an OPA that runs or tries to. One that died
/// of its policies is started anew when it got other ones: the daemon itself
/// would wait up to a minute before it tries again.
async fn refresh(
    runtime: &DockerRuntime,
    stack: &Stack,
    spec: &ContainerSpec,
    found: &Found,
    files: &StackFiles,
) -> Result<Given, RuntimeError> {
    let brought = bring_files(runtime, stack, spec, Some(found), files).await?;
    if await_answer(runtime, spec).await? == Answer::Died && brought == Brought::IntoTheSame {
        let client = &runtime.client;
        containers::stop(client, &found.id, Some(Duration::ZERO)).await?;
        containers::start(client, &found.id, &spec.service).await?;
        await_answer(runtime, spec).await?;
    }
    Ok(if brought == Brought::Nothing { Given::Nothing } else { Given::OtherPolicies })
}

/// Copies the policies to OPA if it has other ones. Nothing to do before the
/// first deploy, and where no OPA belongs to the stack.
pub async fn sync(runtime: &DockerRuntime, stack: &Stack, files: &StackFiles) -> Result<Given, RuntimeError> {
    let found = containers::in_role(&runtime.client, Role::Policy).await?;
    // One that Compose made sees the folder itself.
    if found.is_some_and(|found| found.spec().is_some()) {
        ensure(runtime, stack, files).await
    } else {
        Ok(Given::Nothing)
    }
}

fn policy_spec(stack: &Stack) -> Option<&ContainerSpec> {
    stack.containers.iter().find(|spec| spec.role == Role::Policy)
}

/// Makes the copies what they should be and starts a running OPA anew if files
/// went.
async fn bring_files(
    runtime: &DockerRuntime,
    stack: &Stack,
    spec: &ContainerSpec,
    running: Option<&Found>,
    files: &StackFiles,
) -> Result<Brought, RuntimeError> {
    let client = &runtime.client;
    let wanted = wanted(spec, files).await?;
    let mut syncs = Vec::new();
    let mut carrier = None;
    for (set, wanted) in wanted {
        let there = if let (Some(found), Some(folder)) = (running, nginx::folder(spec, set)) {
            helper::download(client, &found.id, folder).await?
        } else {
            carry(client, spec, &mut carrier).await?.download(&Helper::folder(set)).await?
        };
        let difference = there.difference(&wanted);
        if !difference.is_empty() {
            syncs.push(Sync { set, wanted, difference });
        }
    }
    if syncs.is_empty() {
        if let Some(carrier) = carrier {
            carrier.remove().await?;
        }
        return Ok(Brought::Nothing);
    }
    // The daemon can add files to a volume but take none away: where files
    // must go, the volume goes with them, and before it all who hold it.
    let must_recreate = syncs.iter().any(|sync| !sync.difference.removed.is_empty());
    if must_recreate {
        if let Some(carrier) = carrier.take() {
            carrier.remove().await?;
        }
        if let Some(found) = running {
            end(client, found).await?;
        }
        for sync in syncs.iter().filter(|sync| !sync.difference.removed.is_empty()) {
            let volume = stack.volume_name(sync.set.volume());
            let call = client.docker.remove_volume(&volume, None::<RemoveVolumeOptions>);
            or_absent(client.change(format!("emptying volume {volume}"), call).await)?;
            platform::ensure_volume(client, stack, sync.set.volume()).await?;
        }
    }
    for sync in &syncs {
        let carrier = carry(client, spec, &mut carrier).await?;
        let all = !sync.difference.removed.is_empty();
        let upload = if all { &sync.wanted } else { &sync.difference.changed };
        carrier.upload(&Helper::folder(sync.set), upload).await?;
        if let Some(last) = seen_last(upload, &sync.wanted).filter(|_| running.is_some() && !must_recreate) {
            carrier.upload(&Helper::folder(sync.set), &last).await?;
        }
    }
    if let Some(carrier) = carrier {
        carrier.remove().await?;
    }
    if must_recreate && running.is_some() {
        runtime.bring_up(spec).await?;
        return Ok(Brought::IntoANewOne);
    }
    Ok(Brought::IntoTheSame)
}

/// What to put there once more so that OPA looks at all of it: it watches only
/// folders that were there when it started, and below a new one sees nothing.
fn seen_last(changed: &FileTree, wanted: &FileTree) -> Option<FileTree> {
    let is_below = |name: &str| name.contains('/');
    if !changed.0.keys().any(|name| is_below(name)) {
        return None;
    }
    let smallest = wanted.0.iter().filter(|(name, _)| !is_below(name)).min_by_key(|(_, text)| text.len());
    smallest.map(|(name, text)| FileTree([(name.clone(), text.clone())].into()))
}

/// The carrier of files, made when it is first needed.
async fn carry<'a>(
    client: &Client,
    spec: &ContainerSpec,
    carrier: &'a mut Option<Helper>,
) -> Result<&'a Helper, RuntimeError> {
    if carrier.is_none() {
        let sets: Vec<FileSet> = file_sets(spec).collect();
        *carrier = Some(Helper::holding(client, &spec.image, &sets).await?);
    }
    carrier.as_ref().ok_or_else(|| RuntimeError::Engine {
        doing: "copying files".to_owned(),
        reason: "there is no carrier".to_owned(),
    })
}

fn file_sets(spec: &ContainerSpec) -> impl Iterator<Item = FileSet> {
    spec.mounts.iter().filter_map(|mount| match mount.source {
        MountSource::Files(set) => Some(set),
        MountSource::Volume(_) => None,
    })
}

/// What the copies should be.
async fn wanted(spec: &ContainerSpec, files: &StackFiles) -> Result<Vec<(FileSet, FileTree)>, RuntimeError> {
    let mut wanted = Vec::new();
    for set in file_sets(spec) {
        let tree = match set {
            FileSet::Policies => {
                let folder = files.policies.clone();
                let read = tokio::task::spawn_blocking(move || FileTree::read(&folder));
                read.await.map_err(|error| RuntimeError::Engine {
                    doing: "reading the policies".to_owned(),
                    reason: error.to_string(),
                })??
            }
            FileSet::PolicyConfig => {
                FileTree::of(files.policy_config.iter().map(|(name, text)| (name.as_str(), text.as_str())))
            }
            FileSet::ProxyConfig => continue,
        };
        wanted.push((set, tree));
    }
    Ok(wanted)
}

async fn end(client: &Client, found: &Found) -> Result<(), RuntimeError> {
    containers::stop(client, &found.id, None).await?;
    containers::remove(client, &found.id).await
}

/// Waits until OPA answers, or it is clear that it died.
async fn await_answer(runtime: &DockerRuntime, spec: &ContainerSpec) -> Result<Answer, RuntimeError> {
    let client = &runtime.client;
    let Some(port) = spec.ports.first() else { return Ok(Answer::Answers) };
    let address = SocketAddr::new(runtime.reach.published(port.bind), port.host);
    let url = format!("http://{address}/health");
    let started = runtime.clock.instant();
    let mut restarts = None;
    loop {
        let said = match runtime.http.get(&url).send().await {
            Ok(answer) if answer.status().is_success() => return Ok(Answer::Answers),
            Ok(answer) => format!("status {}", answer.status().as_u16()),
            Err(_) => "no answer".to_owned(),
        };
        let Some(now) = running_restarts(client).await? else { return Ok(Answer::Died) };
        if *restarts.get_or_insert(now) != now {
            return Ok(Answer::Died);
        }
        let waited = runtime.clock.instant().saturating_duration_since(started);
        if waited >= ANSWERS {
            return Err(RuntimeError::StartFailed {
                service: spec.service.clone(),
                reason: format!("{url} gives {said} after {waited:?}"),
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// How often the daemon has restarted OPA, if it runs at this moment. A paused
/// one will not answer either: it counts as one that does not run.
async fn running_restarts(client: &Client) -> Result<Option<i64>, RuntimeError> {
    let found = containers::in_role(client, Role::Policy).await?;
    let Some(found) = found.filter(|found| found.is_running) else { return Ok(None) };
    let inspected = containers::inspect(client, &found).await?;
    Ok(inspected.and_then(|inspected| {
        let state = inspected.state.and_then(|state| state.status);
        (state == Some(ContainerStateStatusEnum::RUNNING)).then(|| inspected.restart_count.unwrap_or(0))
    }))
}
