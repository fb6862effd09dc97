//! From arguments to an engine: which manifest, which target. Where nobody names
//! one, what is deployed tells it, or a Docker daemon that answers; else it is asked.

use std::path::Path;
use std::sync::Arc;

use super::args::Common;
use super::failure::Failure;
use crate::clock::SystemClock;
use crate::domain::Target;
use crate::engine::{Engine, OpenError, Options, Project, RealParts, deployed_on};
use crate::history::Actor;
use crate::manifest::{Document, ManifestError};
use crate::runtime::docker::{DockerOptions, DockerRuntime};
use crate::runtime::{EngineInfo, Runtime, RuntimeError};

/// Where the target is named.
pub(super) enum Choice {
    /// By `--target`, the manifest, what is deployed, or because Docker answers.
    Made(Target),
    /// Nowhere, and no Docker daemon answers; with the reason.
    Open(String),
}

/// Finds the target: `--target`, then the manifest, then where the project is
/// deployed, then Docker if a daemon answers.
pub(super) async fn choose(common: &Common) -> Choice {
    if let Some(target) = common.target {
        return Choice::Made(target.into());
    }
    if let Some(target) = known_for(&common.manifest) {
        return Choice::Made(target);
    }
    match docker().await {
        Ok(_) => Choice::Made(Target::Docker),
        Err(error) => Choice::Open(error.to_string()),
    }
}

/// The target that a manifest names; where it names none, the one on which the
/// folder's project is deployed, if that is one place.
fn known_for(manifest: &Path) -> Option<Target> {
    let in_file = match Document::load(manifest) {
        Ok(document) => document.manifest().target,
        Err(_) => named_in_the_text(manifest),
    };
    in_file.or_else(|| {
        let deployed = deployed_on(&Project::of(manifest).ok()?);
        if let [only] = deployed[..] { Some(only) } else { None }
    })
}

/// A manifest that cannot be used (a rollback must work in the middle of an edit)
/// still tells the target by a line of its own.
fn named_in_the_text(manifest: &Path) -> Option<Target> {
    // A pipe is waited for.
    if !std::fs::metadata(manifest).ok()?.is_file() {
        return None;
    }
    let text = std::fs::read_to_string(manifest).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("target:"));
    let named =
        line.and_then(|line| line.split('#').next()).map(|word| word.trim().trim_matches(['"', '\'']));
    named.and_then(|named| Target::ALL.into_iter().find(|target| target.as_str() == named))
}

/// Reaches the Docker daemon, for no project in particular, and tells what it
/// is.
pub(super) async fn docker() -> Result<EngineInfo, RuntimeError> {
    let options = DockerOptions {
        project: "swiftdeploy".into(),
        host: docker_host(),
        service_port: 1,
        clock: SystemClock::shared(),
    };
    DockerRuntime::connect(options).await?.info().await
}

/// `DOCKER_HOST`, where set to something.
fn docker_host() -> Option<String> {
    std::env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty())
}

/// The target for a command, which cannot ask back. A manifest that cannot be
/// used is told before anything else: it may name a target, and without one
/// there is no project whose target could be meant.
pub(super) async fn target(common: &Common) -> Result<Target, Failure> {
    match Document::load(&common.manifest) {
        Err(error @ ManifestError::NotFound { .. }) => return Err(unusable(&error)),
        Err(error) if common.target.is_none() && known_for(&common.manifest).is_none() => {
            return Err(unusable(&error));
        }
        Err(_) | Ok(_) => {}
    }
    match choose(common).await {
        Choice::Made(target) => Ok(target),
        Choice::Open(reason) => Err(Failure::new(
            format!("no target is named, and {reason}"),
            "say `--target local` (nothing to install) or `--target docker`, or write `target:` into the manifest",
        )),
    }
}

/// The target for an action that works on files only while the manifest
/// cannot be used: the checks tell what is wrong with it, the report needs the
/// history alone. The target is then not reached.
pub(super) async fn target_for_files(common: &Common) -> Result<Target, Failure> {
    match Document::load(&common.manifest) {
        Ok(_) => target(common).await,
        Err(_) => Ok(common.target.map_or(Target::Local, Target::from)),
    }
}

/// The folder, for what needs no more than its files. One without a manifest
/// and anything else of ours is none.
pub(super) fn project(common: &Common) -> Result<Project, Failure> {
    let project = Project::of(&common.manifest).map_err(|error| {
        Failure::new(format!("{}: {error}", common.manifest.display()), "say `--manifest FILE`")
    })?;
    if project.is_begun() || project.policies().is_dir() {
        return Ok(project);
    }
    match Document::load(&common.manifest) {
        Err(error @ ManifestError::NotFound { .. }) => Err(unusable(&error)),
        _ => Ok(project),
    }
}

fn unusable(error: &ManifestError) -> Failure {
    Failure::new(error.to_string(), error.next_step())
}

/// Opens the engine of the manifest on a target.
pub(super) fn engine(common: &Common, target: Target) -> Result<Engine, Failure> {
    let program = std::env::current_exe().map_err(|error| {
        Failure::new(format!("cannot find this program's own file: {error}"), "start it by its full path")
    })?;
    let clock = SystemClock::shared();
    let assembly = Arc::new(RealParts { clock: Arc::clone(&clock), program, docker_host: docker_host() });
    Engine::open(Options { manifest: &common.manifest, target, clock, actor: actor(), assembly }).map_err(
        |error| {
            let next = match &error {
                OpenError::Folder { .. } => "check that the folder exists, or say `--manifest FILE`",
            };
            Failure::new(error.to_string(), next)
        },
    )
}

/// Who acts: `user@host`, by the user database. The environment can say
/// anything, and says nothing in cron or a container.
fn actor() -> Actor {
    let uid = rustix::process::getuid().as_raw();
    let name = sysinfo::Users::new_with_refreshed_list().ok().and_then(|users| {
        let user = users.iter().find(|user| **user.id() == uid)?;
        Some(user.name().to_owned())
    });
    let user = name.unwrap_or_else(|| format!("uid {uid}"));
    let host = sysinfo::System::host_name().unwrap_or_else(|_| "unknown".into());
    Actor(format!("{user}@{host}"))
}
