//! `chaos`: a fault for the canary, which ends by itself.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::super::action::ChaosFault;
use super::super::context::Context;
use super::super::event::StateEvent;
use super::super::faults::{self, PATH};
use super::super::halt::Halt;
use super::super::journal::InjectedFault;
use super::super::stage::Stage;
use super::super::state::ChaosStatus;
use crate::history::Entry;
use crate::runtime::Instance;

pub(super) async fn run(context: &Context, fault: ChaosFault) -> Result<String, Halt> {
    let stage = Stage::of(context).await?;
    let Some((slot, instance)) = stage.running_canary() else {
        return Err(Halt::failed(
            "no canary runs: faults go to a canary only, never to the stable release",
            "run `swiftdeploy promote canary` first",
        ));
    };
    let service = instance.service.clone();
    let until = fault_ttl(fault).map(|ttl| context.core.clock.wall() + faults::time_delta(ttl));
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
            faults::end_recorded(&context.core, "recovered").await?;
            context.core.tell_state(StateEvent::Chaos(None));
            Ok(format!("{service} has no fault any more"))
        }
        ChaosFault::Slow { .. } | ChaosFault::Error { .. } => {
            faults::end_recorded(&context.core, "replaced").await?;
            record_injection(context, fault, until).await?;
            let injected = InjectedFault {
                fault: word(fault).into(),
                detail: what(fault),
                until,
                instance: instance.id.clone(),
            };
            let sent = context
                .step(&format!("inject into {service}"), async |_| {
                    faults::remember(&context.core, Some(&injected))?;
                    send(&stage, instance, fault).await
                })
                .await;
            if let Err(halt) = sent {
                faults::end_recorded(&context.core, "refused").await?;
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
        ChaosFault::Error { rate, .. } => faults::error_rate(rate),
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
