//! The moves of a blue/green change, in the one order that loses nothing:
//! empty the free slot of what an earlier change left there, start in it, wait
//! until it is well, move the routes, verify through the proxy, drain, stop the
//! old slot. Each operation is made of these.

use std::time::{Duration, Instant};

use super::action::Action;
use super::context::{Context, Step};
use super::faults;
use super::halt::Halt;
use super::probe::public_address;
use super::stage::{Stage, absent};
use crate::domain::stack::{ContainerSpec, Role};
use crate::domain::{Release, Routes, Slot};
use crate::runtime::{Health, ImagePresence, Instance, LogRequest};

/// Time between two looks while something is waited for.
const LOOK: Duration = Duration::from_millis(200);

/// A new release must be well this often in a row before it gets traffic: one
/// good answer may come just before a crash.
const GOOD_LOOKS: u32 = 2;

/// The proxy must show the new release this often in a row.
const GOOD_ANSWERS: u32 = 3;

/// How long the proxy may take to show the release that it was told to serve.
const VERIFY_WITHIN: Duration = Duration::from_secs(10);

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

/// Removes a release that did not come to serve. The cause of that is what the
/// operation reports, so a failure here is only a notice.
async fn clean_up(context: &Context, stage: &Stage, slot: Slot) {
    let grace = stage.manifest().services.stop_grace;
    if stop(context, stage, slot, grace, "remove the new release").await.is_err() {
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
        // It may have had traffic until the routes went back.
        wait_for_the_last(stage).await;
        clean_up(context, stage, slot).await;
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
    let health = &stage.manifest().services.health;
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
    let path = &stage.manifest().services.health.path;
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
                                "look at `swiftdeploy logs nginx` (local: `logs proxy`), then repeat",
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

/// Lets a slot without traffic finish what it has, then stops it: not before the
/// proxy certainly brings it nothing more, however short the drain. A cancel only
/// cuts the drain short: the new release serves already, and stopping lets
/// requests under way finish too.
pub(super) async fn retire(context: &Context, stage: &Stage, slot: Slot) -> Result<(), Halt> {
    let drain = stage.manifest().nginx.drain;
    let mut leaving = Leaving { since: context.core.clock.instant(), drain, lingering: Duration::ZERO };
    context
        .step_through("drain", async |step| {
            let (is_cut_short, lingers) = leaving.quiet(context, stage, &step).await;
            let waited = leaving.so_far(context).as_secs();
            let detail = match (is_cut_short, lingers) {
                (true, _) => "cut short: cancelled while draining".into(),
                (false, true) => format!("{waited} s, for clients whose connections were idle"),
                (false, false) => format!("{} s for requests under way", drain.as_secs()),
            };
            Ok(((), detail))
        })
        .await?;
    let grace = leaving.grace(context, stage);
    stop(context, stage, slot, grace, &format!("stop {}", stage.service(slot))).await
}

/// Takes out what still runs in a slot that something new is to start in: the
/// stable release that was kept warm beside a canary, or what an operation that
/// was cut off left. It may have requests under way as a slot that is retired
/// has, unless no route ever led to it. A rollback does not wait for them: until
/// the slot is free, the release that it leaves serves.
async fn empty(context: &Context, stage: &Stage, slot: Slot, next: &Release) -> Result<(), Halt> {
    let runtime = &stage.session.runtime;
    let unrouted = context.core.journal.unrouted();
    let may_have_requests = |instance: &Instance| {
        !matches!(instance.health, Health::Exited(_)) && unrouted.as_ref() != Some(&instance.id)
    };
    if context.action == Action::Rollback || !stage.observed.all_in(slot).any(may_have_requests) {
        return Ok(());
    }
    // What could not be started must not cost what a rollback would go to.
    let image = next.image_id.as_ref().unwrap_or(&next.image);
    if let ImagePresence::Absent(detail) = runtime.image(image).await? {
        return Err(absent(runtime.target(), &next.image, detail).into());
    }
    let since = stage.away_since(slot).unwrap_or_else(|| context.core.clock.instant());
    let mut leaving = Leaving { since, drain: Duration::ZERO, lingering: Duration::ZERO };
    context
        .step(&format!("empty slot {}", stage.service(slot)), async |step| {
            tokio::select! {
                biased;
                () = context.cancel.cancelled() => return Err(Halt::Cancelled),
                _ = leaving.quiet(context, stage, &step) => {}
            }
            let grace = leaving.grace(context, stage);
            step.progress(format!("at most {} s for requests under way", grace.as_secs()), None);
            if let Some(instance) = stage.observed.in_slot(slot) {
                // Only a command after a crash needs the note.
                let _ = context.core.journal.set_asked_to_stop(&instance.id);
            }
            let is_cut_short = tokio::select! {
                ended = runtime.stop(slot, grace) => {
                    ended?;
                    false
                }
                () = context.cancel.cancelled() => true,
            };
            if is_cut_short {
                // It was asked to stop and is no use to anybody: not left half-way
                // for the rollback that may have cancelled this.
                runtime.stop(slot, stage.manifest().services.stop_grace).await?;
            }
            settle_faults(context, stage).await;
            if is_cut_short { Err(Halt::Cancelled) } else { Ok(((), "finished what it had".into())) }
        })
        .await
}

/// How a slot is left without a loss.
struct Leaving {
    /// The routes lead elsewhere since then, or longer.
    since: Instant,
    /// What requests under way get in any case.
    drain: Duration,
    /// How long the proxy may have brought requests nevertheless.
    lingering: Duration,
}

impl Leaving {
    fn so_far(&self, context: &Context) -> Duration {
        context.core.clock.instant().saturating_duration_since(self.since)
    }

    /// Waits for the drain, which a cancel cuts short, and until the proxy
    /// certainly brings nothing more, which it does not. Tells whether it was cut
    /// short, and whether the proxy took longer than the drain.
    async fn quiet(&mut self, context: &Context, stage: &Stage, step: &Step) -> (bool, bool) {
        let (mut is_cut_short, mut lingers) = (false, false);
        loop {
            let waited = self.so_far(context);
            if waited >= self.drain {
                self.lingering = stage.session.runtime.lingering().await;
            }
            let needed = self.drain.max(self.lingering);
            if waited >= needed {
                return (is_cut_short, lingers);
            }
            lingers = waited >= self.drain;
            let fraction = waited.as_secs_f64() / needed.as_secs_f64().max(0.001);
            step.progress(format!("{} of {} s", waited.as_secs(), needed.as_secs()), Some(fraction));
            let pause = LOOK.min(needed.saturating_sub(waited));
            if is_cut_short {
                tokio::time::sleep(pause).await;
            } else if context.wait(pause).await.is_err() {
                is_cut_short = true;
                self.drain = Duration::ZERO;
            }
        }
    }

    /// What the service gets after it was asked to stop: together with the wait
    /// at least the longest time that the proxy gives a request, counted from the
    /// last that it may have brought.
    fn grace(&self, context: &Context, stage: &Stage) -> Duration {
        let longest = stage.longest_request + self.lingering;
        stage.manifest().services.stop_grace.max(longest.saturating_sub(self.so_far(context)))
    }
}

/// Waits until the proxy certainly brings nothing more by the routes before.
async fn wait_for_the_last(stage: &Stage) {
    let mut waited = Duration::ZERO;
    while waited < stage.session.runtime.lingering().await {
        tokio::time::sleep(LOOK).await;
        waited += LOOK;
    }
}

/// Retires whatever runs beside the slot that serves now.
pub(super) async fn retire_others(context: &Context, stage: &Stage, serving: Slot) -> Result<(), Halt> {
    let other = serving.other();
    let observed = stage.session.runtime.observe().await?;
    match observed.in_slot(other) {
        Some(_) => retire(context, stage, other).await,
        None => Ok(()),
    }
}

/// Stops what is in a slot, also when the operation was cancelled.
async fn stop(context: &Context, stage: &Stage, slot: Slot, grace: Duration, name: &str) -> Result<(), Halt> {
    context
        .step_through(name, async |_| {
            stage.session.runtime.stop(slot, grace).await?;
            Ok(((), String::new()))
        })
        .await?;
    settle_faults(context, stage).await;
    Ok(())
}

/// Records the end of a fault that went with its instance.
async fn settle_faults(context: &Context, stage: &Stage) {
    if let Ok(observed) = stage.session.runtime.observe().await {
        faults::settle(&context.core, &observed).await;
    }
}

/// A name for a routing state, unique in the life of a stack.
fn generation(context: &Context, suffix: &str) -> String {
    format!("{}-{suffix}", context.id.0)
}
