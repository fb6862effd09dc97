//! `promote canary`: the release under test takes the traffic; the stable slot
//! stays warm beside it.

use super::super::adopt::{check, mode_edit, write_mode};
use super::super::context::Context;
use super::super::halt::Halt;
use super::super::shift;
use super::super::stage::Stage;
use super::deploy::prepare_and_ask;
use crate::domain::{Mode, Release, Slot};
use crate::manifest::GatePoint;

pub(super) async fn run(context: &Context) -> Result<String, Halt> {
    let mut stage = Stage::of(context).await?;
    let Some((live, current)) = stage.live() else {
        return Err(Halt::failed(
            "nothing is deployed that a canary could be tested beside",
            "run `swiftdeploy deploy`",
        ));
    };
    let manifest = stage.manifest();
    if manifest.canary.steps != [100] {
        context.notice("canary.steps: this version moves all traffic at once, whatever the steps say");
    }
    let image = manifest.canary.image.clone().unwrap_or_else(|| manifest.services.image.clone());
    let version = manifest.canary.version.clone().unwrap_or_else(|| manifest.services.version.clone());
    let release = stage.release(&image, &version, Mode::Canary).await?;
    if current.mode == Mode::Canary {
        return repeated(context, &stage, (live, &current), &release).await;
    }
    check(context, &mode_edit(Mode::Canary))?;
    prepare_and_ask(context, &stage, GatePoint::PromoteCanary).await?;
    stage.refresh(&context.core).await?;
    let slot = live.other();
    let spec = stage.app_spec(stage.manifest(), slot, &release);
    let instance = shift::bring_up(context, &stage, slot, &release, &spec).await?;
    // The first scrape, before any traffic: the window begins here.
    if let Err(fault) = context
        .core
        .measurements
        .look(&instance, stage.manifest(), stage.longest_request, &*context.core.clock)
        .await
    {
        context.notice(format!("the canary's metrics cannot be read yet: {fault}"));
    }
    shift::switch_or_remove(context, &stage, slot, &release).await?;
    let _ = context.core.journal.set_deployed_manifest(stage.document.text());
    write_mode(context, mode_edit(Mode::Canary), Mode::Canary).await?;
    Ok(format!(
        "{} (canary {version}) has the traffic; {} stays ready for a rollback",
        stage.service(slot),
        stage.service(live)
    ))
}

/// A canary has the traffic already: fine if it is the one that is asked for,
/// and then the manifest shall say so.
async fn repeated(
    context: &Context,
    stage: &Stage,
    (live, current): (Slot, &Release),
    wanted: &Release,
) -> Result<String, Halt> {
    if !current.same_content(wanted) {
        return Err(Halt::failed(
            format!(
                "the canary {} {} has the traffic; the manifest asks for {} {}",
                current.image, current.version, wanted.image, wanted.version
            ),
            "end the test first: `swiftdeploy promote stable` or `swiftdeploy rollback`",
        ));
    }
    write_mode(context, mode_edit(Mode::Canary), Mode::Canary).await?;
    Ok(format!("{} is the canary already and has the traffic", stage.service(live)))
}
