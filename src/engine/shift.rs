//! The moves of a blue/green change, in the one order that loses nothing:
//! empty the free slot of what an earlier change left there, start in it, wait
//! until it is well, move the routes, verify through the proxy, drain, stop the
//! old slot. Each operation is made of these.

use std::time::Duration;

use super::action::Action;
use super::context::Context;
use super::halt::Halt;
use super::leave::{empty, stop, withdraw};
use super::probe::public_address;
use super::stage::Stage;
use crate::domain::stack::{ContainerSpec, Role};
use crate::domain::{Release, Routes, Slot};
use crate::runtime::{Health, Instance, LogRequest};

/// Time between two looks while something is waited for.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// A new release must be well this often in a row before it gets traffic: one
/// good answer may come just before a crash.
const GOOD_LOOKS: u32 = 2;

/// The proxy must show the new release this often in a row.
const GOOD_ANSWERS: u32 = 3;

/// How long the proxy may take to show the release that it was told to serve.
const VERIFY_WITHIN: Duration = Duration::from_secs(10);

/// The step that takes out what does not come to serve.
const REMOVE: &str = "remove the new release";

/// Lines of a dead release's log that the error shows.
const LAST_LINES: usize = 10;

/// Starts a release in a slot that gets no traffic and waits until it is well.
/// When it does not become well it is removed again: nothing was switched.
/// What was in the slot before finishes what it has first.
pub(super) async fn bring_up(
    context: &Context,
    stage: &Stage,
    slot: Slot,
    release: &Release,
    spec: &ContainerSpec,
) -> Result<Instance, Halt> {
    empty(context, stage, slot, release).await?;
    let service = stage.service(slot);
    let mut was_touched = false;
    let started = context
        .step(&format!("start {service}"), async |_| {
            was_touched = true;
            let instance = stage.session.runtime.start(spec, release.image_id.as_deref()).await?;
            // Without the note it is taken for one that had traffic.
            let _ = context.core.journal.set_unrouted(Some(&instance.id));
            Ok(((), format!("{} {} {}", release.image, release.version, release.mode)))
        })
        .await;
    let outcome = match started {
        Ok(()) => wait_healthy(context, stage, slot, release).await,
        Err(halt) => Err(halt),
    };
    if outcome.is_err() && was_touched {
        clean_up(context, stage, slot).await;
    }
    outcome
}

/// Removes a release that did not come to serve.
async fn clean_up(context: &Context, stage: &Stage, slot: Slot) {
    let removed = stop(context, stage, slot, stage.services.stop_grace, REMOVE).await;
    told_if_left(context, stage, slot, &removed);
}

/// Why a release does not serve is what the operation reports, so that one which
/// could not be removed is only a notice.
fn told_if_left(context: &Context, stage: &Stage, slot: Slot, removed: &Result<(), Halt>) {
    if removed.is_err() {
        context
            .notice(format!("{} could not be removed; the next deployment replaces it", stage.service(slot)));
    }
}

/// Puts a release in the place of whatever serves: start, wait, route, verify.
/// On any failure what served before serves again and the new one is removed.
pub(super) async fn take_over(
    context: &Context,
    stage: &Stage,
    slot: Slot,
    release: &Release,
    spec: &ContainerSpec,
) -> Result<Instance, Halt> {
    let instance = bring_up(context, stage, slot, release, spec).await?;
    switch_or_remove(context, stage, slot, release).await?;
    Ok(instance)
}

/// Moves the traffic to a slot that is well; when that fails the slot is
/// removed again, unless it has traffic.
pub(super) async fn switch_or_remove(
    context: &Context,
    stage: &Stage,
    slot: Slot,
    release: &Release,
) -> Result<(), Halt> {
    let switched = switch(context, stage, slot, release).await;
    if switched.is_err()
        && let Ok(now) = stage.session.runtime.observe().await
        && now.routes.is_none_or(|routes| routes.percent(slot) == 0)
    {
        let removed = withdraw(context, stage, slot, REMOVE).await;
        told_if_left(context, stage, slot, &removed);
    }
    switched
}

/// Waits until a slot is well, by its own health check and by direct
/// questions, or says why it is not.
async fn wait_healthy(
    context: &Context,
    stage: &Stage,
    slot: Slot,
    release: &Release,
) -> Result<Instance, Halt> {
    let service = stage.service(slot);
    let health = &stage.services.health;
    context
        .step("wait healthy", async |step| {
            let began = context.core.clock.instant();
            let mut good = 0;
            let mut last = String::from("no answer yet");
            loop {
                let instance = stage.session.runtime.observe().await?.in_slot(slot).cloned();
                match look(stage, instance.as_ref(), &health.path, release).await {
                    Look::Well => good += 1,
                    Look::NotYet(why) => {
                        good = 0;
                        last = why;
                    }
                    Look::Dead(why) => {
                        let lines = last_lines(stage, &service).await;
                        return Err(Halt::failed(
                            format!("{service} ended while starting: {why}{lines}"),
                            "correct the service or its settings, then repeat",
                        ));
                    }
                }
                let waited = context.core.clock.instant().saturating_duration_since(began);
                if good >= GOOD_LOOKS
                    && let Some(instance) = instance
                {
                    return Ok((instance, String::new()));
                }
                if waited >= health.wait {
                    let lines = last_lines(stage, &service).await;
                    return Err(Halt::failed(
                        format!("{service} not healthy after {} s: {last}{lines}", health.wait.as_secs()),
                        "correct the service, or raise services.health.wait, then repeat",
                    ));
                }
                let fraction = waited.as_secs_f64() / health.wait.as_secs_f64().max(0.001);
                step.progress(
                    format!("{} of {} s: {last}", waited.as_secs(), health.wait.as_secs()),
                    Some(fraction),
                );
                context.wait(LOOK).await?;
            }
        })
        .await
}

enum Look {
    Well,
    NotYet(String),
    Dead(String),
}

async fn look(stage: &Stage, instance: Option<&Instance>, path: &str, release: &Release) -> Look {
    let Some(instance) = instance else {
        return Look::Dead("it is gone".into());
    };
    match &instance.health {
        Health::Exited(Some(code)) => return Look::Dead(format!("exit code {code}")),
        Health::Exited(None) => return Look::Dead("it does not run any more".into()),
        Health::Unhealthy(why) => return Look::NotYet(format!("unhealthy: {why}")),
        Health::Starting => return Look::NotYet("its health check has not passed yet".into()),
        Health::Healthy => {}
    }
    let Some(endpoint) = instance.endpoint else {
        return Look::NotYet("it has no address yet".into());
    };
    match stage.prober.confirms(endpoint, path, release).await {
        Ok(()) => Look::Well,
        Err(why) => Look::NotYet(why),
    }
}

/// The end of a service's log, ready to be appended to an error.
async fn last_lines(stage: &Stage, service: &str) -> String {
    let request = LogRequest { service: service.into(), tail: LAST_LINES, follow: false };
    let Ok(mut lines) = stage.session.runtime.logs(request).await else {
        return String::new();
    };
    let mut text = String::new();
    while let Ok(Some(line)) = tokio::time::timeout(Duration::from_secs(1), lines.recv()).await {
        text.push_str("\n    ");
        text.push_str(&line.text);
    }
    if text.is_empty() { "\n  its log is empty".into() } else { format!("\n  its last lines:{text}") }
}

/// Gives a slot all the traffic and verifies it through the proxy. When the
/// proxy does not show the release, the routes go back to where they were and
/// the error says so.
pub(super) async fn switch(
    context: &Context,
    stage: &Stage,
    slot: Slot,
    release: &Release,
) -> Result<(), Halt> {
    let before = stage.observed.routes.clone().filter(|_| stage.observed.proxy().is_some());
    let routes = Routes::all_to(slot, generation(context, "a"));
    let service = stage.service(slot);
    if let Err(error) = context.core.journal.set_unrouted(None) {
        context.notice(format!("the journal cannot be written: {error}"));
    }
    let keeps_proxy = replace_proxy(context, stage, &routes).await?;
    context
        .step("route", async |_| {
            if !keeps_proxy {
                stage.session.runtime.ensure_proxy(&stage.stack, &stage.files, &routes).await?;
            }
            stage.session.runtime.route(&stage.stack, &stage.files, &routes).await?;
            Ok(((), format!("100 % to {service}")))
        })
        .await?;
    let verified = verify(context, stage, release).await;
    if let (Err(_), Some(before)) = (&verified, before) {
        let back = Routes { generation: generation(context, "b"), shares: before.shares };
        context
            .step_through("route back", async |_| {
                stage.session.runtime.route(&stage.stack, &stage.files, &back).await?;
                Ok(((), "the old routes serve again".into()))
            })
            .await?;
    }
    verified
}

/// Replaces a proxy that serves and is not what the stack says, in a step of its
/// own that says why: it is the one step that interrupts the traffic. Tells whether
/// the proxy is to be taken as it runs: a rollback does so wherever it can, since
/// replacing it for an edit of the manifest is a deployment's business.
async fn replace_proxy(context: &Context, stage: &Stage, routes: &Routes) -> Result<bool, Halt> {
    let runtime = &stage.session.runtime;
    let is_rollback = context.action == Action::Rollback;
    let serves = stage.observed.routes.is_some();
    let asked = runtime.replacements(&stage.stack).await;
    let replacements = match asked {
        Ok(replacements) => replacements,
        // What the proxy should be is a side issue to the traffic's way back.
        Err(_) if is_rollback => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let replacement = replacements.into_iter().find(|replacement| replacement.role == Role::Proxy);
    let Some(replacement) = replacement.filter(|_| serves) else { return Ok(is_rollback && serves) };
    if is_rollback && replacement.can_stay {
        return Ok(true);
    }
    context
        .step(&format!("replace {}", replacement.service), async |_| {
            runtime.ensure_proxy(&stage.stack, &stage.files, routes).await?;
            Ok(((), format!("the traffic was interrupted: {}", replacement.why)))
        })
        .await?;
    Ok(false)
}

/// Confirms through the proxy that the release serves.
pub(super) async fn verify(context: &Context, stage: &Stage, release: &Release) -> Result<(), Halt> {
    let address = public_address(stage.manifest());
    let path = &stage.services.health.path;
    context
        .step("verify", async |_| {
            let began = context.core.clock.instant();
            let mut good = 0;
            loop {
                match stage.prober.confirms(address, path, release).await {
                    Ok(()) => good += 1,
                    Err(why) => {
                        good = 0;
                        let waited = context.core.clock.instant().saturating_duration_since(began);
                        if waited >= VERIFY_WITHIN {
                            return Err(Halt::failed(
                                format!("the proxy at {address} does not show the new release: {why}"),
                                "look at `swiftdeploy logs proxy`, then repeat",
                            ));
                        }
                    }
                }
                if good >= GOOD_ANSWERS {
                    return Ok(((), format!("{} {} through {address}{path}", release.mode, release.version)));
                }
                context.wait(LOOK / 4).await?;
            }
        })
        .await
}

/// A name for a routing state, unique in the life of a stack.
fn generation(context: &Context, suffix: &str) -> String {
    format!("{}-{suffix}", context.id.0)
}
