//! What speaks for and against a release: its window of metrics over all of its
//! instances, and the requests that only the proxy saw. Looked at the same way
//! by the watch, a gate that is asked, and a promotion.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::core::Core;
use super::facts::{self, CanaryEvidence};
use super::measure::{Unmeasured, group_window};
use super::metrics::p99_limit;
use super::session::Session;
use super::stage::longest_request;
use crate::domain::stack::Role;
use crate::domain::{Mode, Release, Slot, Target};
use crate::manifest::Manifest;
use crate::runtime::{Health, Instance, Observed, Unanswered};
use crate::telemetry::Measured;

/// What a look found of one mode in one slot.
pub(super) struct SlotLook {
    /// Where.
    pub slot: Slot,
    /// The release of the first instance.
    pub release: Release,
    /// Every instance, at least one.
    pub instances: Vec<Instance>,
    /// Their window, summed.
    pub measured: Result<Measured, Unmeasured>,
}

impl SlotLook {
    /// The instance that stands for all of them where one is named.
    pub(super) fn id(&self) -> &str {
        self.instances.first().map_or("", |instance| instance.id.as_str())
    }
}

/// Measures every slot in which a release runs, the stable first.
pub(super) async fn look(core: &Core, manifest: &Manifest, observed: &Observed) -> Vec<SlotLook> {
    let mut looks = Vec::new();
    for Group { slot, release, instances } in groups(observed) {
        let measured = group_window(core, manifest, &instances).await;
        looks.push(SlotLook { slot, release, instances, measured });
    }
    looks
}

/// The instances that are judged together.
pub(super) struct Group {
    /// Where.
    pub slot: Slot,
    /// The release of the first instance.
    pub release: Release,
    /// At least one.
    pub instances: Vec<Instance>,
}

/// What runs in the slots, by slot and mode, the stable first. A stable release
/// that has ended is no news of the canary, and is left out.
pub(super) fn groups(observed: &Observed) -> Vec<Group> {
    let mut groups = Vec::new();
    for slot in Slot::ALL {
        for mode in [Mode::Stable, Mode::Canary] {
            let is_meant = |instance: &&Instance| {
                let has_ended = matches!(instance.health, Health::Exited(_));
                instance.role == Role::App { slot, mode } && !(has_ended && mode == Mode::Stable)
            };
            let instances: Vec<Instance> = observed.instances.iter().filter(is_meant).cloned().collect();
            let Some(release) = instances.iter().find_map(|instance| instance.release.clone()) else {
                continue;
            };
            groups.push(Group { slot, release, instances });
        }
    }
    groups.sort_by_key(|group| group.release.mode);
    groups
}

/// The facts about the canary, `None` where none runs. `at` chooses a slot,
/// should there be a canary in both.
pub(super) async fn of_canary(
    core: &Core,
    manifest: &Manifest,
    session: &Session,
    looks: &[SlotLook],
    at: Option<Slot>,
) -> Option<serde_json::Value> {
    let is_meant =
        |look: &&SlotLook| look.release.mode == Mode::Canary && at.is_none_or(|at| at == look.slot);
    let canary = looks.iter().find(is_meant)?;
    let stable = looks.iter().find(|look| look.release.mode == Mode::Stable);
    let now = core.clock.wall();
    let since = begin(canary, manifest, now);
    let unanswered = session.runtime.unanswered(canary.slot, since).await.map_err(|error| error.to_string());
    // An edit of the timeout counts only once the proxy has it.
    let longest = longest_request(core, manifest);
    let evidence = CanaryEvidence {
        instances: &canary.instances,
        measured: &canary.measured,
        settled: settled(core, canary, unanswered.as_ref().ok(), now - age(longest)),
        longest_request: longest,
        unanswered: &unanswered,
        stable: stable.and_then(|look| look.measured.as_ref().ok()),
    };
    Some(facts::canary(&evidence, manifest, now))
}

/// How many requests of the canary were answered, of which none that came beside
/// them hangs unseen: those until the moment from which on one may still hang, or
/// all of the window, where the proxy tells which ones wait and the window is long
/// enough to see how many of them wait longer than they may.
fn settled(core: &Core, canary: &SlotLook, seen: Option<&Unanswered>, until: DateTime<Utc>) -> Option<u64> {
    let measured = canary.measured.as_ref().ok()?;
    if seen.is_some_and(|seen| seen.waiting.is_some()) && !is_short(core, measured.window) {
        return Some(measured.requests);
    }
    Some(core.measurements.settled(&canary.instances, until, measured.window))
}

/// Whether a window is too short to see how many requests wait longer than the
/// limit of the P99.
fn is_short(core: &Core, window: Duration) -> bool {
    p99_limit(core).is_some_and(|limit| limit * 2.0 > window.as_secs_f64() * 1e3)
}

/// That a promotion may not wait long enough for a window of requests as old as one
/// that hangs unseen may become: then it needs somebody who looked before it began.
pub(super) fn comes_too_late(core: &Core, manifest: &Manifest, target: Target) -> Option<String> {
    let (longest, max_wait) = (longest_request(core, manifest), manifest.canary.max_wait);
    let window = manifest.canary.window;
    // The least that is one.
    if max_wait < window * 4 / 5 {
        return Some(format!(
            "canary.max_wait is {} s, and no window of {} s (canary.window) is complete by then: a promotion ends \
             inconclusive unless the app has looked at the canary before",
            max_wait.as_secs(),
            window.as_secs()
        ));
    }
    let tells_waiting = target == Target::Local && !is_short(core, window);
    let enough = longest + window;
    if tells_waiting || max_wait >= enough {
        return None;
    }
    Some(format!(
        "canary.max_wait is {} s: a promotion needs requests from longer ago than nginx.proxy_timeout ({} s), and \
         may end inconclusive unless the app has looked at the canary before; {} s or more leave room for a window of \
         them",
        max_wait.as_secs(),
        longest.as_secs(),
        enough.as_secs()
    ))
}

fn age(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

/// When the window began.
fn begin(canary: &SlotLook, manifest: &Manifest, now: DateTime<Utc>) -> DateTime<Utc> {
    let length = canary.measured.as_ref().map_or(manifest.canary.window, |measured| measured.window);
    now - age(length)
}
