//! `rollback`: the last good release at once. Never gated, never asks, and
//! independent of what was edited in the manifest since.

use super::super::adopt::{mode_edit, write_mode};
use super::super::context::Context;
use super::super::halt::Halt;
use super::super::journal::RollingBack;
use super::super::leave;
use super::super::shift;
use super::super::stage::Stage;
use crate::domain::stack::{ContainerSpec, Role};
use crate::domain::{Mode, Release, Slot};
use crate::manifest::Document;
use crate::runtime::Health;

/// Where to go back to.
struct Destination {
    slot: Slot,
    release: Release,
    /// What to start, where it does not run already.
    start: Option<ContainerSpec>,
    /// The manifest's text that belongs to it.
    manifest: String,
}

pub(super) async fn run(context: &Context) -> Result<String, Halt> {
    let mut stage = Stage::as_deployed(context).await?;
    let live = stage.live();
    let journal = &context.core.journal;
    // A rollback that was cut off after its switch is finished, not repeated:
    // one more step back is another rollback.
    let is_there =
        journal.rolling_back().is_some_and(|open| live.as_ref().is_some_and(|(_, now)| *now == open.to));
    let (slot, release) = if let (true, Some((slot, release))) = (is_there, live.clone()) {
        context.notice("the rollback before was cut off; it is finished now");
        (slot, release)
    } else {
        let Some(destination) = destination(context, &stage, live.as_ref())? else {
            return Err(nowhere_to_go(&stage, live.is_some()));
        };
        if let Ok(then) = Document::parse(context.core.project.manifest(), destination.manifest.clone()) {
            stage.services = then.manifest().services.clone();
        }
        go(context, &stage, &destination, live.as_ref()).await?;
        (destination.slot, destination.release)
    };
    finish(context, &stage, slot, &release).await?;
    Ok(format!("{} serves {} {} again", stage.service(slot), release.mode, release.version))
}

/// Moves the traffic, and notes at once which release was left as bad.
async fn go(
    context: &Context,
    stage: &Stage,
    destination: &Destination,
    live: Option<&(Slot, Release)>,
) -> Result<(), Halt> {
    let journal = &context.core.journal;
    let Destination { slot, release, start, manifest } = destination;
    noted(context, journal.set_rolling_back(Some(&RollingBack { to: release.clone() })));
    match start {
        None => shift::switch(context, stage, *slot, release).await?,
        Some(spec) => {
            shift::take_over(context, stage, *slot, release, spec).await?;
        }
    }
    if let Some((_, left)) = live {
        noted(context, journal.release_is_bad(left));
    }
    noted(context, journal.release_is_good(release, manifest));
    Ok(())
}

/// What follows the switch; nothing of it may hide that the traffic is back.
async fn finish(context: &Context, stage: &Stage, slot: Slot, release: &Release) -> Result<(), Halt> {
    if let Err(halt) = write_mode(context, mode_edit(release.mode), release.mode).await {
        let why = match halt {
            // The next step of the failure would repeat the command.
            Halt::Failed { error, .. } => error,
            Halt::Blocked { headline, .. } => headline,
            Halt::Cancelled => "cancelled".into(),
        };
        context.notice(format!(
            "the traffic is back, but the manifest does not say so: {why}; correct that, and see that \
             services.mode is {}. Do not repeat the rollback for it: it would go back one more release",
            release.mode
        ));
    }
    leave::retire_others(context, stage, slot).await?;
    noted(context, context.core.journal.set_rolling_back(None));
    if let Ok(document) = context.core.document() {
        let declared = &document.manifest().services;
        if release.version != declared.version || release.image != declared.image {
            context.notice(format!(
                "the manifest still says {} {}; the next deploy brings that again",
                declared.image, declared.version
            ));
        }
    }
    Ok(())
}

/// Why there is no release to go back to: none runs, or none was before it.
fn nowhere_to_go(stage: &Stage, is_live: bool) -> Halt {
    if is_live {
        return Halt::failed(
            "there is no earlier good release to go back to",
            "what serves goes on; `swiftdeploy deploy` replaces it by what the manifest says",
        );
    }
    if stage.observed.instances.iter().any(|instance| matches!(instance.role, Role::App { .. })) {
        return Halt::failed(
            "nothing serves, and there is no earlier good release to go back to",
            "see `swiftdeploy status --once`; `swiftdeploy deploy` starts what the manifest says",
        );
    }
    Halt::failed(
        "nothing is deployed, so there is no release to go back to",
        "`swiftdeploy deploy` starts what the manifest says",
    )
}

/// A memory that cannot be written is told and does not stop a rollback.
fn noted(context: &Context, outcome: std::io::Result<()>) {
    if let Err(error) = outcome {
        context.notice(format!("the journal is not as it should be: {error}"));
    }
}

/// Where to go back to: the warm stable slot beside a canary, else the last
/// good release, which is started anew, under the manifest that it ran under, unless
/// it runs still.
fn destination(
    context: &Context,
    stage: &Stage,
    live: Option<&(Slot, Release)>,
) -> Result<Option<Destination>, Halt> {
    let beside = live
        .filter(|(_, current)| current.mode == Mode::Canary)
        .and_then(|(slot, _)| stage.beside(*slot).map(|instance| (slot.other(), instance)))
        .and_then(|(slot, instance)| {
            instance.release.clone().map(|release| (slot, release, &instance.health))
        })
        .filter(|(_, release, _)| release.mode == Mode::Stable);
    let good = context.core.journal.last_good(live.map(|(_, release)| release));
    if let Some((slot, release, health)) = beside {
        let manifest = good
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .filter(|good| good.release == release)
            .map_or_else(|| stage.document.text().to_owned(), |good| good.manifest.clone());
        if *health == Health::Healthy {
            return Ok(Some(Destination { slot, release, start: None, manifest }));
        }
        if matches!(good, Ok(None)) {
            let start = Some(spec(context, stage, slot, &release, &manifest));
            return Ok(Some(Destination { slot, release, start, manifest }));
        }
    }
    let good = good.map_err(|error| {
        Halt::failed(
            error.to_string(),
            "what serves goes on; bring the file back, then run `swiftdeploy rollback`",
        )
    })?;
    let Some(good) = good else { return Ok(None) };
    let slot = stage.free_slot()?;
    let spec = spec(context, stage, slot, &good.release, &good.manifest);
    // A deployment that was cut off after its switch left it there, with requests.
    let start = if stage.is_ready(slot, &good.release, &spec) { None } else { Some(spec) };
    Ok(Some(Destination { slot, release: good.release, start, manifest: good.manifest }))
}

fn spec(context: &Context, stage: &Stage, slot: Slot, release: &Release, manifest: &str) -> ContainerSpec {
    let then = Document::parse(context.core.project.manifest(), manifest).ok();
    let manifest = then.as_ref().map_or_else(|| stage.manifest(), Document::manifest);
    stage.app_spec(manifest, slot, release)
}
