//! `promote stable`: the release that was tested as canary runs as stable,
//! if the gate allows it on the metrics of the last window.

use std::time::Duration;

use super::super::action::LoadPlan;
use super::super::adopt::{check, write_mode};
use super::super::aside;
use super::super::context::{Context, Step};
use super::super::evidence;
use super::super::faults;
use super::super::gate;
use super::super::halt::Halt;
use super::super::leave;
use super::super::shift;
use super::super::stage::Stage;
use super::deploy::{bring_policies, remember_good};
use super::policies;
use crate::domain::{Mode, Release, Slot};
use crate::manifest::{Edit, GatePoint};
use crate::policy::Decision;

pub(super) async fn run(context: &Context) -> Result<String, Halt> {
    let mut stage = Stage::of(context).await?;
    let Some((live, canary)) = stage.live() else {
        return Err(Halt::failed("nothing is deployed", "run `swiftdeploy deploy`"));
    };
    if canary.mode == Mode::Stable {
        return already_stable(context, &stage, live, &canary).await;
    }
    refuse_changed(&stage, live, &canary)?;
    let release = Release { mode: Mode::Stable, ..canary };
    let edit = edit(&stage, &release);
    check(context, &edit)?;
    bring_policies(context, &stage, false).await?;
    let (decision, input) = ask(context, &stage, live).await?;
    let judged = stage.observed.in_slot(live).map(|instance| instance.id.clone()).unwrap_or_default();
    gate::settle(context, GatePoint::PromoteStable, &judged, &decision).await?;
    gate::ask_custom(context, &stage.session, stage.manifest(), GatePoint::PromoteStable, &input).await?;
    stage.refresh(&context.core).await?;
    refuse_changed(&stage, live, &Release { mode: Mode::Canary, ..release.clone() })?;

    let slot = live.other();
    let spec = stage.app_spec(stage.manifest(), slot, &release);
    if stage.is_ready(slot, &release, &spec) {
        context.notice(format!("{} runs this release as stable already", stage.service(slot)));
        shift::switch(context, &stage, slot, &release).await?;
    } else {
        shift::take_over(context, &stage, slot, &release, &spec).await?;
    }
    let adopted = stage.document.with(&edit)?;
    remember_good(context, &release, adopted.text());
    write_mode(context, edit, Mode::Stable).await?;
    leave::retire(context, &stage, live).await?;
    let health = &stage.manifest().services.health.path;
    Ok(format!("{} serves {} as stable, confirmed by {health}", stage.service(slot), release.version))
}

/// Nothing to promote. After a promotion that was cut off the manifest may
/// still say canary; then it is put right.
async fn already_stable(
    context: &Context,
    stage: &Stage,
    live: Slot,
    release: &Release,
) -> Result<String, Halt> {
    if stage.manifest().services.mode == Mode::Canary && stage.running_canary().is_none() {
        write_mode(context, edit(stage, release), Mode::Stable).await?;
        return Ok(format!("{} is stable already; the manifest says so again", stage.service(live)));
    }
    Err(Halt::failed(
        format!("{} is stable already; there is no canary to promote", stage.service(live)),
        "run `swiftdeploy promote canary` first",
    ))
}

/// What the manifest must say when this release is the stable one.
fn edit(stage: &Stage, release: &Release) -> Edit {
    let services = &stage.manifest().services;
    Edit {
        mode: Some(Mode::Stable),
        image: (services.image != release.image).then(|| release.image.clone()),
        version: (services.version != release.version).then(|| release.version.clone()),
    }
}

/// The evidence is about the canary that runs; what would run as stable is
/// made from the manifest. When the two are not the same any more, the gate
/// would be asked about something else.
fn refuse_changed(stage: &Stage, live: Slot, canary: &Release) -> Result<(), Halt> {
    let declared = stage.app_spec(stage.manifest(), live, canary).hash();
    let runs = stage.observed.in_slot(live).and_then(|instance| instance.spec.clone());
    if runs.as_deref() == Some(declared.as_str()) {
        return Ok(());
    }
    Err(Halt::failed(
        "the manifest changed since the canary was started: what would become stable is not what was tested",
        "take the change back, or `swiftdeploy rollback` and promote a new canary",
    ))
}

/// Measures and asks; while evidence is wanting that time can bring (which the
/// policy says), measures and asks again, up to `canary.max_wait`. Meanwhile the
/// canary may be broken on purpose, and recovered.
async fn ask(context: &Context, stage: &Stage, live: Slot) -> Result<(Decision, serde_json::Value), Halt> {
    let max_wait = stage.manifest().canary.max_wait;
    let asked = context
        .gate_step("gate canary", async |step| {
            let began = context.core.clock.instant();
            let (mut is_open, mut told) = (false, Vec::new());
            loop {
                let (decision, input) = ask_once(context, stage, live).await?;
                let waited = context.core.clock.instant().saturating_duration_since(began);
                if !decision.waiting_helps() || waited >= max_wait {
                    let decision = policies::unless_refused(context, stage, decision).await;
                    let told = gate::told(&decision);
                    return Ok(((decision, input), told));
                }
                if !is_open {
                    is_open = true;
                    aside::open(&context.core.project);
                }
                // Each once: requests may come only later, or no more.
                let is_enough = decision.has_enough_requests();
                if !told.contains(&is_enough) {
                    told.push(is_enough);
                    context.notice(hint(stage, live, &decision));
                }
                tell_waiting(&step, &decision, waited, max_wait);
                context.wait(stage.manifest().status.interval.min(max_wait.saturating_sub(waited))).await?;
            }
        })
        .await;
    aside::close(context).await;
    asked
}

/// What a person can do while the gate waits, with the load that would bring
/// the requests that are wanting; nothing, where enough of them come.
fn hint(stage: &Stage, live: Slot, decision: &Decision) -> String {
    let manifest = stage.manifest();
    if decision.has_enough_requests() {
        return format!(
            "waiting up to {} s for evidence, which comes with time while requests come in as they do",
            manifest.canary.max_wait.as_secs()
        );
    }
    let percent = stage.observed.routes.as_ref().map_or(100, |routes| routes.percent(live));
    let plan = LoadPlan::to_decide(manifest, Some(decision), percent);
    format!(
        "waiting up to {} s for evidence; probe traffic: g in the app, or `swiftdeploy load --rps {} --for {}s`",
        manifest.canary.max_wait.as_secs(),
        plan.rps,
        plan.lasting.as_secs()
    )
}

fn tell_waiting(step: &Step, decision: &Decision, waited: Duration, max_wait: Duration) {
    let what = decision.sample().map_or_else(
        || gate::details(decision).join("; "),
        |sample| format!("{} of {} requests", sample.seen, sample.needed),
    );
    step.progress(
        format!("{what}, waiting {} of at most {} s", waited.as_secs(), max_wait.as_secs()),
        Some(waited.as_secs_f64() / max_wait.as_secs_f64().max(0.001)),
    );
}

async fn ask_once(
    context: &Context,
    stage: &Stage,
    live: Slot,
) -> Result<(Decision, serde_json::Value), Halt> {
    let (core, manifest) = (&context.core, stage.manifest());
    let observed = stage.session.runtime.observe().await?;
    for instance in observed.all_in(live) {
        faults::observe(core, &stage.prober, instance).await;
    }
    let looks = evidence::look(core, manifest, &observed).await;
    let input = evidence::of_canary(core, manifest, &stage.session, &looks, Some(live)).await;
    let Some(input) = input else {
        return Err(Halt::failed("the canary is gone", "run `swiftdeploy rollback`"));
    };
    let decision = gate::ask(core, &stage.session, "canary", &input).await;
    Ok((decision, input))
}
