//! `rollback`: the last good release at once. Never gated, never asks.

use super::super::adopt::write_mode;
use super::super::context::Context;
use super::super::halt::Halt;
use super::super::shift;
use super::super::stage::Stage;
use super::deploy::remember_good;
use crate::domain::{Mode, Release, Slot};
use crate::manifest::Edit;
use crate::runtime::Health;

pub(super) async fn run(context: &Context) -> Result<String, Halt> {
    let stage = Stage::of(context).await?;
    let live = stage.live();
    let Some((slot, release, is_warm)) = destination(context, &stage, live.as_ref()) else {
        return Err(Halt::failed(
            "there is no earlier good release to go back to",
            "correct the manifest and run `swiftdeploy deploy`",
        ));
    };
    if is_warm {
        shift::switch(context, &stage, slot, &release).await?;
    } else {
        shift::take_over(context, &stage, slot, &release).await?;
    }
    write_mode(context, Edit { mode: Some(release.mode), ..Edit::default() }, release.mode).await?;
    if let Some((_, left)) = &live {
        let path = context.core.project.state();
        context.core.journal.release_is_bad(left).map_err(super::super::halt::file_failure(&path))?;
    }
    remember_good(context, &release)?;
    if let Some((old, _)) = live {
        shift::retire(context, &stage, old).await?;
    }
    if release.version != stage.manifest().services.version
        || release.image != stage.manifest().services.image
    {
        context.notice(format!(
            "the manifest still says {} {}; the next deploy brings that again",
            stage.manifest().services.image,
            stage.manifest().services.version
        ));
    }
    Ok(format!("{} serves {} {} again", stage.service(slot), release.mode, release.version))
}

/// Where to go back to, and whether it runs there already: the warm stable
/// slot beside a canary, else the last good release, started anew.
fn destination(
    context: &Context,
    stage: &Stage,
    live: Option<&(Slot, Release)>,
) -> Option<(Slot, Release, bool)> {
    if let Some((slot, current)) = live
        && current.mode == Mode::Canary
        && let Some(beside) = stage.beside(*slot)
        && beside.health == Health::Healthy
        && let Some(release) = &beside.release
        && release.mode == Mode::Stable
    {
        return Some((slot.other(), release.clone(), true));
    }
    let release = context.core.journal.last_good(live.map(|(_, release)| release))?;
    Some((stage.free_slot(), release, false))
}
