//! The record of faults: of those injected by `chaos`, and of those that
//! somebody injected past this tool. What a service says of itself is compared
//! with what is on record; a difference becomes a line of the history.

use std::time::Duration;

use chrono::TimeDelta;
use serde::Deserialize;

use super::core::Core;
use super::halt::{Halt, file_failure};
use super::journal::InjectedFault;
use super::probe::Prober;
use super::state::ChaosStatus;
use crate::domain::Mode;
use crate::domain::figure::trimmed;
use crate::domain::stack::Role;
use crate::history::Entry;
use crate::runtime::{Health, Instance, Observed};

/// Where the service takes and tells its faults.
pub(super) const PATH: &str = "/chaos";

/// A duration that can be added to a date; what is too long for that lasts
/// for ever.
pub(super) fn time_delta(time: Duration) -> TimeDelta {
    TimeDelta::from_std(time).unwrap_or(TimeDelta::MAX)
}

/// A fault of this share of errors, for people: `error rate 50 %`.
pub(super) fn error_rate(rate: f64) -> String {
    format!("error rate {} %", trimmed(rate * 100.0, 4))
}

/// Notes the fault that is active, or that none is.
pub(super) fn remember(core: &Core, fault: Option<&InjectedFault>) -> Result<(), Halt> {
    let path = core.project.state();
    core.journal.set_fault(fault).map_err(file_failure(&path))
}

/// Records the end of the fault that is on record, if one is.
pub(super) async fn end_recorded(core: &Core, reason: &str) -> Result<(), Halt> {
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
pub(super) async fn look_at_all(core: &Core, observed: &Observed) {
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
pub(super) async fn settle(core: &Core, observed: &Observed) {
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
pub(super) async fn observe(core: &Core, prober: &Prober, instance: &Instance) -> Option<ChaosStatus> {
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
        (Some(rate), _) => error_rate(rate),
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
