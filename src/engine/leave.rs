//! How a slot is left without a loss: what runs in it finishes what it has before
//! it is stopped, and before something new starts in its place.

use std::time::Duration;

use super::action::Action;
use super::context::{Context, Found};
use super::faults;
use super::halt::Halt;
use super::leaving::{Leaving, Quiet};
use super::shift::LOOK;
use super::stage::{Stage, absent};
use super::way;
use crate::domain::{Release, Slot};
use crate::runtime::{Health, ImagePresence, Instance, Observed};

/// Lets a slot without traffic finish what it has, then stops it: not before the
/// proxy certainly brings it nothing more, however short the drain, nor while it
/// has requests that are awaited ([`super::leaving`]). A cancel only cuts this wait
/// short: the new release serves already, and stopping lets requests under way
/// finish too. A rollback finds it as it is: it is most often where that goes.
pub(super) async fn retire(context: &Context, stage: &Stage, slot: Slot) -> Result<(), Halt> {
    let drain = stage.manifest().nginx.drain;
    let mut leaving = Leaving::from(context.core.clock.instant()).draining(drain);
    let is_wanted = context
        .step_through("drain", async |step| {
            let quiet = leaving.quiet(context, stage, slot, &step).await;
            if quiet.is_cut_short && way::is_asked(&context.core.project) {
                return Ok((true, format!("cut short for a rollback: {} goes on", stage.service(slot))));
            }
            Ok((false, drained(&quiet, drain, leaving.so_far(context))))
        })
        .await?;
    if is_wanted {
        return Ok(());
    }
    let grace = leaving.grace(context, stage);
    context
        .step_through(&format!("stop {}", stage.service(slot)), async |_| {
            let noted = note_asked(context, stage, slot).await;
            // Whatever comes next finds the note and waits for the rest.
            tokio::select! {
                ended = stage.session.runtime.stop(slot, grace) => ended.map(|()| ((), String::new())),
                () = makes_way(context), if noted.is_ok() => Ok(((), "left to finish: a rollback begins".into())),
            }
            .map_err(Halt::from)
        })
        .await?;
    settle_faults(context, stage).await;
    Ok(())
}

/// Ends once the operation was cancelled for a rollback.
async fn makes_way(context: &Context) {
    context.cancel.cancelled().await;
    while !way::is_asked(&context.core.project) {
        tokio::time::sleep(way::LOOK).await;
    }
}

/// What a drain was, for people.
fn drained(quiet: &Quiet, drain: Duration, waited: Duration) -> String {
    let waited = waited.as_secs();
    let what = match quiet {
        Quiet { is_cut_short: true, .. } => "cut short: cancelled while draining".into(),
        Quiet { lingers: true, .. } => format!("{waited} s, for clients whose connections were idle"),
        Quiet { awaits: true, .. } => {
            format!("{waited} s, since requests were under way for longer than the drain")
        }
        _ => format!("{} s for requests under way", drain.as_secs()),
    };
    match quiet.left {
        0 => what,
        1 => format!("{what}; 1 is not over yet"),
        left => format!("{what}; {left} are not over yet"),
    }
}

/// Takes out what still runs in a slot that something new is to start in: the
/// stable release that was kept warm beside a canary, or what an operation that
/// was cut off left. It may have requests under way as a slot that is retired
/// has, unless no route ever led to it. A rollback waits for them only while the
/// release that it leaves serves: nobody may wait for an answer in vain for the sake
/// of those who have one coming.
pub(super) async fn empty(context: &Context, stage: &Stage, slot: Slot, next: &Release) -> Result<(), Halt> {
    let runtime = &stage.session.runtime;
    let journal = &context.core.journal;
    let unrouted = journal.unrouted();
    let may_have_requests = |instance: &Instance| {
        !matches!(instance.health, Health::Exited(_)) && unrouted.as_ref() != Some(&instance.id)
    };
    let is_urgent = context.action == Action::Rollback;
    let has_requests = stage.observed.all_in(slot).any(may_have_requests);
    if !has_requests || (is_urgent && !serves(&stage.observed, slot.other())) {
        return Ok(());
    }
    // What could not be started must not cost what a rollback would go to.
    let image = next.image_id.as_ref().unwrap_or(&next.image);
    if let ImagePresence::Absent(detail) = runtime.image(image).await? {
        return Err(absent(runtime.target(), &next.image, detail).into());
    }
    let since = stage.away_since(slot).unwrap_or_else(|| context.core.clock.instant());
    let mut leaving = Leaving::from(since);
    context
        .step(&format!("empty slot {}", stage.service(slot)), async |step| {
            tokio::select! {
                biased;
                () = context.cancel.cancelled() => return Err(Halt::Cancelled),
                _ = leaving.quiet(context, stage, slot, &step) => {}
                () = nothing_serves(stage, slot.other()), if is_urgent => {}
            }
            let grace = leaving.grace(context, stage);
            step.progress(format!("at most {} s for requests under way", grace.as_secs()), None);
            let noted = note_asked(context, stage, slot).await;
            let end = tokio::select! {
                ended = runtime.stop(slot, grace) => {
                    ended?;
                    End::Itself
                }
                () = context.cancel.cancelled() => End::Cancelled,
                () = nothing_serves(stage, slot.other()), if is_urgent => End::Urgent,
            };
            // A cancel leaves it to finish: what follows, a rollback for one, finds the
            // note and waits for the rest. Without the note it would be taken for well.
            if end == End::Urgent || (end == End::Cancelled && noted.is_err()) {
                runtime.stop(slot, stage.manifest().services.stop_grace).await?;
            }
            settle_faults(context, stage).await;
            match end {
                End::Itself => Ok(((), "finished what it had".into())),
                End::Urgent => Ok(((), "cut short: nothing serves beside it".into())),
                End::Cancelled => Err(Halt::Cancelled),
            }
        })
        .await
}

/// How the wait for a slot that is emptied ended.
#[derive(PartialEq, Eq)]
enum End {
    /// What ran there has ended.
    Itself,
    /// The operation was cancelled.
    Cancelled,
    /// What served beside it does not any more.
    Urgent,
}

/// Notes that what is in a slot is asked to stop: no place to go back to.
async fn note_asked(context: &Context, stage: &Stage, slot: Slot) -> std::io::Result<()> {
    // It may have come after the first look.
    let now = stage.session.runtime.observe().await.ok();
    let instance = now.as_ref().unwrap_or(&stage.observed).in_slot(slot);
    instance.map_or(Ok(()), |instance| context.core.journal.set_asked_to_stop(&instance.id))
}

/// Whether requests come to a slot and may be answered well there.
fn serves(observed: &Observed, slot: Slot) -> bool {
    let is_routed = observed.routes.as_ref().is_some_and(|routes| routes.percent(slot) > 0);
    let is_well = |instance: &Instance| !matches!(instance.health, Health::Exited(_) | Health::Unhealthy(_));
    is_routed && observed.in_slot(slot).is_some_and(is_well)
}

/// Ends once nothing in a slot serves any more. What cannot be asked may serve.
async fn nothing_serves(stage: &Stage, slot: Slot) {
    loop {
        tokio::time::sleep(LOOK).await;
        if stage.session.runtime.observe().await.is_ok_and(|observed| !serves(&observed, slot)) {
            return;
        }
    }
}

/// Takes out a release that the routes may have led to and lead away from again: it
/// failed, and what it has under way may still be answered. Also when cancelled: what
/// serves is back, and nobody waits but who asked.
pub(super) async fn withdraw(context: &Context, stage: &Stage, slot: Slot, name: &str) -> Result<(), Halt> {
    let mut leaving = Leaving::from(context.core.clock.instant()).in_any_case();
    context
        .step_through(name, async |step| {
            let _ = leaving.quiet(context, stage, slot, &step).await;
            let grace = leaving.grace(context, stage);
            step.progress(format!("at most {} s for requests under way", grace.as_secs()), None);
            end(context, stage, slot, grace).await
        })
        .await?;
    settle_faults(context, stage).await;
    Ok(())
}

/// Asks what is in a slot to end, and ends it after the grace.
async fn end(context: &Context, stage: &Stage, slot: Slot, grace: Duration) -> Found<()> {
    // Only a command after a crash needs the note.
    let _ = note_asked(context, stage, slot).await;
    stage.session.runtime.stop(slot, grace).await?;
    Ok(((), String::new()))
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
pub(super) async fn stop(
    context: &Context,
    stage: &Stage,
    slot: Slot,
    grace: Duration,
    name: &str,
) -> Result<(), Halt> {
    context.step_through(name, async |_| end(context, stage, slot, grace).await).await?;
    settle_faults(context, stage).await;
    Ok(())
}

/// Records the end of a fault that went with its instance.
pub(super) async fn settle_faults(context: &Context, stage: &Stage) {
    if let Ok(observed) = stage.session.runtime.observe().await {
        faults::settle(&context.core, &observed).await;
    }
}
