//! `chaos`: a fault for the canary, which ends by itself, and the record of
//! every fault, also of one that somebody injected past this tool.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::json;

use super::super::action::ChaosFault;
use super::super::context::Context;
use super::super::core::Core;
use super::super::event::StateEvent;
use super::super::halt::Halt;
use super::super::journal::InjectedFault;
use super::super::probe::Prober;
use super::super::stage::Stage;
use super::super::state::ChaosStatus;
use crate::domain::Mode;
use crate::domain::stack::Role;
use crate::history::Entry;
use crate::runtime::{Health, Instance, Observed};

/// Where the service takes and tells its faults.
const PATH: &str = "/chaos";

pub(super) async fn run(context: &Context, fault: ChaosFault) -> Result<String, Halt> {
    let stage = Stage::of(context).await?;
    let Some((slot, instance)) = stage.running_canary() else {
        return Err(Halt::failed(
            "no canary runs: faults go to a canary only, never to the stable release",
            "run `swiftdeploy promote canary` first",
        ));
    };
    let service = instance.service.clone();
    let until = fault_ttl(fault).map(|ttl| context.core.clock.wall() + time_delta(ttl));
    match fault {
        ChaosFault::Kill => {
            record_injection(context, fault, None).await?;
            context
                .step(&format!("kill {service}"), async |_| {
                    stage.session.runtime.kill(slot).await?;
                    Ok(((), "as a crash would".into()))
                })
                .await?;
            context.record(Entry::ChaosEnded { fault: word(fault).into(), reason: "at once".into() }).await?;
            Ok(format!("{service} was killed; watch its health, `rollback` brings the stable release back"))
        }
        ChaosFault::Recover => {
            context
                .step(&format!("recover {service}"), async |_| send(&stage, instance, fault).await)
                .await?;
            end_recorded(&context.core, "recovered").await?;
            context.core.tell_state(StateEvent::Chaos(None));
            Ok(format!("{service} has no fault any more"))
        }
        ChaosFault::Slow { .. } | ChaosFault::Error { .. } => {
            end_recorded(&context.core, "replaced").await?;
            record_injection(context, fault, until).await?;
            let injected = InjectedFault {
                fault: word(fault).into(),
                detail: what(fault),
                until,
                instance: instance.id.clone(),
            };
            let sent = context
                .step(&format!("inject into {service}"), async |_| {
                    remember(&context.core, Some(&injected))?;
                    send(&stage, instance, fault).await
                })
                .await;
            if let Err(halt) = sent {
                end_recorded(&context.core, "refused").await?;
                return Err(halt);
            }
            context.core.tell_state(StateEvent::Chaos(Some(ChaosStatus {
                fault: injected.fault.clone(),
                detail: injected.detail.clone(),
                slot,
                until,
            })));
            Ok(format!("{service}: {}", described(fault)))
        }
    }
}

async fn send(stage: &Stage, instance: &Instance, fault: ChaosFault) -> Result<((), String), Halt> {
    let Some(endpoint) = instance.endpoint else {
        return Err(Halt::failed(
            format!("{} has no address", instance.service),
            "see `swiftdeploy status --once`",
        ));
    };
    let url = format!("http://{endpoint}{PATH}");
    let body = match fault {
        ChaosFault::Slow { duration, ttl } => {
            json!({"mode": "slow", "duration": duration, "ttl": ttl.as_secs_f64()})
        }
        ChaosFault::Error { rate, ttl } => json!({"mode": "error", "rate": rate, "ttl": ttl.as_secs_f64()}),
        ChaosFault::Recover | ChaosFault::Kill => json!({"mode": "recover"}),
    };
    match stage.prober.post_json(&url, &body).await {
        Ok((200..=299, _)) => Ok(((), described(fault))),
        Ok((404 | 405, _)) => Err(Halt::failed(
            format!("{} has no {PATH}: it cannot be made to fail this way", instance.service),
            "use `chaos kill`, which needs nothing of the service",
        )),
        Ok((status, text)) => Err(Halt::failed(
            format!("{} refused the fault (HTTP {status}): {}", instance.service, text.trim()),
            "correct the values and repeat",
        )),
        Err(why) => {
            Err(Halt::failed(format!("{} did not answer: {why}", instance.service), "repeat, or `rollback`"))
        }
    }
}

const fn word(fault: ChaosFault) -> &'static str {
    match fault {
        ChaosFault::Slow { .. } => "slow",
        ChaosFault::Error { .. } => "error",
        ChaosFault::Kill => "kill",
        ChaosFault::Recover => "recover",
    }
}

/// The fault for people, without its time, as the service tells it too.
fn what(fault: ChaosFault) -> String {
    match fault {
        ChaosFault::Slow { duration, .. } => format!("slow {duration} s"),
        ChaosFault::Error { rate, .. } => format!("error rate {rate}"),
        ChaosFault::Kill => "the process was killed".into(),
        ChaosFault::Recover => "no fault".into(),
    }
}

/// The fault for people, with its time.
fn described(fault: ChaosFault) -> String {
    match fault_ttl(fault) {
        Some(ttl) => format!("{} for {} s", what(fault), ttl.as_secs()),
        None => what(fault),
    }
}

const fn fault_ttl(fault: ChaosFault) -> Option<Duration> {
    match fault {
        ChaosFault::Slow { ttl, .. } | ChaosFault::Error { ttl, .. } => Some(ttl),
        ChaosFault::Kill | ChaosFault::Recover => None,
    }
}

fn time_delta(time: Duration) -> TimeDelta {
    TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX)
}

async fn record_injection(
    context: &Context,
    fault: ChaosFault,
    until: Option<DateTime<Utc>>,
) -> Result<(), Halt> {
    context
        .record(Entry::ChaosInjected {
            fault: word(fault).into(),
            detail: described(fault),
            until,
            source: "operation".into(),
        })
        .await
}

fn remember(core: &Core, fault: Option<&InjectedFault>) -> Result<(), Halt> {
    let path = core.project.state();
    core.journal.set_fault(fault).map_err(super::super::halt::file_failure(&path))
}

/// Records the end of the fault that is on record, if one is.
async fn end_recorded(core: &Core, reason: &str) -> Result<(), Halt> {
    if let Some(known) = core.journal.fault() {
        core.record_own(Entry::ChaosEnded { fault: known.fault, reason: reason.into() }).await?;
        remember(core, None)?;
    }
    Ok(())
}

/// How long a service may take to tell its fault.
const TELLING: Duration = Duration::from_millis(500);

/// Records faults that came past this tool, before what carries them may go,
/// and the end of those whose instance is gone.
pub(in super::super) async fn look_at_faults(core: &Core, observed: &Observed) {
    let prober = Prober::new(TELLING);
    let is_canary = |instance: &&Instance| matches!(instance.role, Role::App { mode: Mode::Canary, .. });
    for instance in observed.instances.iter().filter(is_canary) {
        observe(core, &prober, instance).await;
    }
    settle(core, observed).await;
}

/// Records the end of a fault whose instance is gone or whose time is over
/// with nobody left who could tell. A record that fails is tried again at the
/// next look.
pub(in super::super) async fn settle(core: &Core, observed: &Observed) {
    let Some(known) = core.journal.fault() else { return };
    let runs = observed
        .instances
        .iter()
        .any(|instance| instance.id == known.instance && !matches!(instance.health, Health::Exited(_)));
    if !runs {
        let _ = end_recorded(core, "ended with its instance").await;
    }
}

/// What `GET /chaos` of the service tells.
#[derive(Debug, Deserialize)]
struct Told {
    mode: String,
    duration: Option<f64>,
    rate: Option<f64>,
    seconds_left: Option<f64>,
}

/// Compares what the instance says about its fault with what is on record, and
/// records a fault that came past this tool, or the end of one. A service that
/// does not tell is left alone. Gives the active fault.
pub(in super::super) async fn observe(
    core: &Core,
    prober: &Prober,
    instance: &Instance,
) -> Option<ChaosStatus> {
    let Role::App { slot, .. } = instance.role else { return None };
    let endpoint = instance.endpoint?;
    let value = prober.get_json(&format!("http://{endpoint}{PATH}")).await.ok()?;
    let told: Told = serde_json::from_value(value).ok()?;
    let known = core.journal.fault();
    if told.mode == "none" {
        if let Some(known) = known.filter(|known| known.instance == instance.id) {
            let is_expired = known.until.is_some_and(|until| until <= core.clock.wall());
            let reason = if is_expired { "expired" } else { "observed" };
            // A record that fails here is tried again at the next look.
            let _ = end_recorded(core, reason).await;
        }
        return None;
    }
    let detail = match (told.rate, told.duration) {
        (Some(rate), _) => format!("error rate {rate}"),
        (None, Some(duration)) => format!("slow {duration} s"),
        (None, None) => told.mode.clone(),
    };
    let until = told
        .seconds_left
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .map(|left| core.clock.wall() + time_delta(left));
    let is_known = known.as_ref().is_some_and(|known| {
        known.instance == instance.id && known.fault == told.mode && known.detail == detail
    });
    if !is_known {
        let _ = end_recorded(core, "replaced").await;
        let injected = InjectedFault {
            fault: told.mode.clone(),
            detail: detail.clone(),
            until,
            instance: instance.id.clone(),
        };
        let entry = Entry::ChaosInjected {
            fault: told.mode.clone(),
            detail: detail.clone(),
            until,
            source: "observed".into(),
        };
        if core.record_own(entry).await.is_ok() {
            let _ = remember(core, Some(&injected));
        }
    }
    let until = known.filter(|_| is_known).and_then(|known| known.until).or(until);
    Some(ChaosStatus { fault: told.mode, detail, slot, until })
}
