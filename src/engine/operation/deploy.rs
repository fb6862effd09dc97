//! `deploy`: what the manifest says takes the place of what serves.

use super::super::adopt::note_mode;
use super::super::context::Context;
use super::super::gate;
use super::super::generate;
use super::super::halt::Halt;
use super::super::leave;
use super::super::probe::public_address;
use super::super::shift;
use super::super::stage::Stage;
use super::{policies, validate};
use crate::domain::{Mode, Release};
use crate::manifest::{GatePoint, Manifest, Pull};
use crate::runtime::{ImagePresence, RuntimeError};

pub(super) async fn run(context: &Context) -> Result<String, Halt> {
    let document = context.core.document()?;
    context.step("generate files", async |_| generate::generate(context, document.manifest())).await?;
    bring_images(context, document.manifest()).await?;
    let failed = validate::checks(context).await;
    if failed > 0 {
        return Err(Halt::failed(
            format!("{failed} of 5 checks failed"),
            "correct what is marked ✗, then repeat",
        ));
    }
    let mut stage = Stage::of(context).await?;
    refuse_over_canary(&stage)?;
    let was_empty = stage.session.runtime.belongings().await?.is_empty();
    let gated = prepare_and_ask(context, &stage, GatePoint::Deploy).await;
    if gated.is_err() && was_empty {
        // A denied deployment starts nothing: what only served the question
        // goes again.
        context
            .step_through("remove what the question needed", async |_| {
                let removed = stage.session.runtime.teardown().await?;
                Ok(((), format!("{} removed", removed.len())))
            })
            .await?;
    }
    gated?;
    stage.refresh(&context.core).await?;
    let service = &stage.manifest().services;
    let release = stage.release(&service.image, &service.version, service.mode).await?;
    let before = stage.live().map(|(_, old)| old.mode);
    let slot = stage.free_slot()?;
    let spec = stage.app_spec(stage.manifest(), slot, &release);
    shift::take_over(context, &stage, slot, &release, &spec).await?;
    remember_good(context, &release, stage.document.text());
    note_mode(context, before, release.mode).await?;
    leave::retire_others(context, &stage, slot).await?;
    let address = public_address(stage.manifest());
    Ok(format!("{} serves {} {} at http://{address}/", stage.service(slot), release.mode, release.version))
}

/// Notes that a release serves well now, under this manifest. Without the
/// note a later rollback has less to go back to, which is told; what serves
/// now is no worse for it.
pub(super) fn remember_good(context: &Context, release: &Release, manifest: &str) {
    let journal = &context.core.journal;
    let good = journal.release_is_good(release, manifest);
    if let Err(error) = good.and(journal.set_deployed_manifest(manifest)) {
        context.notice(format!("a rollback may not find this release: {error}"));
    }
}

/// A canary under test is ended by a promotion or a rollback. A deployment
/// over it would throw away the stable slot that the rollback needs, and with
/// `mode: stable` would pass by the canary's gate. Whether the proxy still
/// routes to it does not matter.
pub(super) fn refuse_over_canary(stage: &Stage) -> Result<(), Halt> {
    let Some((slot, _)) = stage.running_canary() else { return Ok(()) };
    let would_bypass = stage.manifest().services.mode == Mode::Stable;
    if stage.beside(slot).is_none() && !would_bypass {
        return Ok(());
    }
    let next = if stage.live().is_some_and(|(live, _)| live == slot) {
        "end it first: `swiftdeploy promote stable` or `swiftdeploy rollback`"
    } else {
        // Left by an operation that was cut off: there is nothing to promote.
        "it has no traffic; end it first: `swiftdeploy rollback`"
    };
    Err(Halt::failed(
        format!("{} is a canary under test; a deployment would end the test unasked", stage.service(slot)),
        next,
    ))
}

/// Brings absent images where the manifest allows it. Absent ones that it does
/// not allow are left to the checks, which name them.
async fn bring_images(context: &Context, manifest: &Manifest) -> Result<(), Halt> {
    if manifest.pull == Pull::Never {
        return Ok(());
    }
    let session = context.core.session(manifest).await?;
    for image in crate::render::stack(manifest).containers.iter().map(|container| &container.image) {
        if matches!(session.runtime.image(image).await?, ImagePresence::Absent(_)) {
            pull(context, &session, image).await?;
        }
    }
    Ok(())
}

async fn pull(context: &Context, session: &super::super::session::Session, image: &str) -> Result<(), Halt> {
    context
        .step(&format!("pull {image}"), async |step| {
            // Progress comes faster than anybody reads; only the newest counts.
            let (sender, mut progress) = tokio::sync::mpsc::channel(64);
            let pulled = session.runtime.pull(image, sender);
            tokio::pin!(pulled);
            loop {
                tokio::select! {
                    outcome = &mut pulled => {
                        outcome?;
                        return Ok(((), "pulled".into()));
                    }
                    Some(now) = progress.recv() => {
                        #[expect(clippy::cast_precision_loss, reason = "a share for a progress bar")]
                        let fraction = (now.total > 0).then(|| now.current as f64 / now.total as f64);
                        step.progress(format!("{} {}/{} MB", now.status, now.current / 1_000_000, now.total / 1_000_000), fraction);
                    }
                    () = context.cancel.cancelled() => return Err(Halt::Cancelled),
                }
            }
        })
        .await
}

/// Sees to it that the policy engine can be asked, and asks the infrastructure
/// gate and the user's own.
pub(super) async fn prepare_and_ask(context: &Context, stage: &Stage, point: GatePoint) -> Result<(), Halt> {
    context
        .step("policy engine", async |_| {
            stage.session.runtime.ensure_ground(&stage.stack).await?;
            Ok(((), bring_policies(context, stage, true).await?))
        })
        .await?;
    let input = context
        .step("host facts", async |_| {
            let host = stage.session.runtime.host_facts().await;
            let input = super::super::facts::infra(&host, stage.manifest(), context.core.clock.wall());
            let detail = match &host {
                Ok(host) => format!("load {:.2}, {} free", host.load1, gigabytes(host.disk_free_bytes)),
                Err(error) => error.to_string(),
            };
            Ok((input, detail))
        })
        .await?;
    let package = gate::own_package(point);
    let (decision, ()) = context
        .gate_step(&format!("gate {package}"), async |_| {
            let decision = gate::ask(&context.core, &stage.session, package, &input).await;
            let decision = policies::unless_refused(context, stage, decision).await;
            let line = gate::told(&decision);
            Ok(((decision, ()), line))
        })
        .await?;
    gate::settle(context, point, "", &decision).await?;
    // The gate of the promotion is asked when it may be too late to wonder.
    for limit in policies::refused_limits(context, stage.manifest(), &[GatePoint::PromoteStable]).await {
        context.notice(format!("warning: every promotion will be denied: {limit}"));
    }
    gate::ask_custom(context, &stage.session, stage.manifest(), point, &input).await
}

/// Gives the policy engine the policies on disk, and where asked to brings it
/// up. What fails here is mostly no reason to stop: the gate that is asked next
/// finds it out by itself and denies with its own message. A port that somebody
/// else has is one: whoever answers there is not this project's engine.
pub(super) async fn bring_policies(
    context: &Context,
    stage: &Stage,
    may_create: bool,
) -> Result<String, Halt> {
    let runtime = &stage.session.runtime;
    let note = |given| context.core.loading.note(given, context.core.clock.instant());
    let created =
        if may_create { runtime.ensure_policy(&stage.stack, &stage.files).await.map(note) } else { Ok(()) };
    let outcome = match created {
        Ok(()) => runtime.sync_policies(&stage.stack, &stage.files).await.map(note),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => Ok(stage.session.policy.id().name),
        Err(error @ RuntimeError::PortTaken { .. }) => Err(Halt::failed(
            format!("this project's Open Policy Agent cannot start: {error}"),
            "stop the owner or change policy.port in the manifest",
        )),
        Err(error) => Ok(format!("{error}; {}", error.next_step())),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}
