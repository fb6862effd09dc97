//! `deploy`: what the manifest says takes the place of what serves.

use super::super::context::Context;
use super::super::gate;
use super::super::halt::Halt;
use super::super::shift;
use super::super::stage::Stage;
use super::{init, validate};
use crate::domain::{Mode, Release, Slot};
use crate::manifest::{GatePoint, Manifest, Pull};
use crate::runtime::ImagePresence;

pub(super) async fn run(context: &Context) -> Result<String, Halt> {
    let document = context.core.document()?;
    context.step("generate files", async |_| init::generate(context, document.manifest())).await?;
    bring_images(context, document.manifest()).await?;
    let failed = validate::checks(context).await;
    if failed > 0 {
        return Err(Halt::failed(
            format!("{failed} of 5 checks failed"),
            "correct what is marked FAIL, then repeat",
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
    stage.refresh().await?;
    let service = &stage.manifest().services;
    let release = stage.release(&service.image, &service.version, service.mode).await?;
    let (slot, old) = (stage.free_slot(), stage.live());
    shift::take_over(context, &stage, slot, &release).await?;
    remember_good(context, &release)?;
    retire_old(context, &stage, old).await?;
    Ok(format!(
        "{} serves {} {} at http://{}/",
        stage.service(slot),
        release.mode,
        release.version,
        super::super::probe::public_address(stage.manifest())
    ))
}

/// Notes that a release serves well now.
pub(super) fn remember_good(context: &Context, release: &Release) -> Result<(), Halt> {
    let path = context.core.project.state();
    context.core.journal.release_is_good(release).map_err(super::super::halt::file_failure(&path))
}

/// Retires the slot that served before, if one did.
pub(super) async fn retire_old(
    context: &Context,
    stage: &Stage,
    old: Option<(Slot, Release)>,
) -> Result<(), Halt> {
    match old {
        Some((slot, _)) => shift::retire(context, stage, slot).await,
        None => Ok(()),
    }
}

/// A canary under test is ended by a promotion or a rollback. A deployment
/// over it would throw away the stable slot that the rollback needs, and with
/// `mode: stable` would pass by the canary's gate.
fn refuse_over_canary(stage: &Stage) -> Result<(), Halt> {
    match stage.live() {
        Some((slot, release)) if release.mode == Mode::Canary => {
            let would_bypass = stage.manifest().services.mode == Mode::Stable;
            if stage.beside(slot).is_some() || would_bypass {
                return Err(Halt::failed(
                    format!(
                        "{} is a canary under test; a deployment would end the test unasked",
                        stage.service(slot)
                    ),
                    "end it first: `swiftdeploy promote stable` or `swiftdeploy rollback`",
                ));
            }
            Ok(())
        }
        _ => Ok(()),
    }
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
            stage.session.runtime.ensure_policy(&stage.stack, &stage.files).await?;
            stage.session.runtime.sync_policies(&stage.stack, &stage.files).await?;
            Ok(((), stage.session.policy.id().name))
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
    let decision = context
        .step(&format!("gate {package}"), async |_| {
            let decision = stage.session.policy.ask(package, &input).await;
            let line = format!(
                "{} by {} in {:.1} ms",
                decision.verdict,
                decision.engine.name,
                decision.took.as_secs_f64() * 1e3
            );
            Ok((decision, line))
        })
        .await?;
    gate::settle(context, point, &decision).await?;
    gate::ask_custom(context, &stage.session, stage.manifest(), point, &input).await
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}
