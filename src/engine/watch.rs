//! The watch: looks at the running stack again and again and tells what it
//! sees; it changes nothing. Losing the engine is a state, never an end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::core::Core;
use super::event::StateEvent;
use super::facts::{self, CanaryEvidence};
use super::gate;
use super::measure::slot_window;
use super::operation::{generated_state, observe_chaos};
use super::probe::Prober;
use super::session::Session;
use super::state::{Connection, GateView, Live, Reading, Sample};
use crate::domain::stack::Role;
use crate::domain::{Mode, Release};
use crate::history::Entry;
use crate::manifest::{GatePoint, Manifest};
use crate::policy::{Decision, Verdict};
use crate::runtime::{Health, Instance, Observed, RuntimeEvent};
use crate::telemetry::{MeasureFault, Measured, WindowFault};

/// The longest time between two attempts to reach a lost engine.
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// The interval while there is no manifest that could name one.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(2);

/// How long a service may take to tell its fault.
const CHAOS_TIMEOUT: Duration = Duration::from_secs(1);

/// Looks until it is stopped.
pub(super) async fn run(core: Arc<Core>, interval: Option<Duration>, stop: CancellationToken) {
    let mut watch = Looker::new(Arc::clone(&core), interval);
    loop {
        let pause = tokio::select! {
            pause = watch.look() => pause,
            () = stop.cancelled() => return,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = core.nudge.notified() => {}
            () = watch.next_event() => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Looks at the stack whenever it is told to; remembers between two looks
/// which policies were violated.
pub struct Looker {
    core: Arc<Core>,
    interval: Option<Duration>,
    prober: Prober,
    failures: u32,
    events: Option<mpsc::Receiver<RuntimeEvent>>,
    violated: BTreeSet<String>,
}

/// What a look found in a slot.
struct SlotLook {
    instance: Instance,
    release: Release,
    measured: Result<Measured, MeasureFault>,
}

impl Looker {
    pub(super) fn new(core: Arc<Core>, interval: Option<Duration>) -> Self {
        let prober = Prober::new(CHAOS_TIMEOUT);
        Self { core, interval, prober, failures: 0, events: None, violated: BTreeSet::new() }
    }

    /// Looks at everything and tells it; gives the time until the next look.
    pub async fn look(&mut self) -> Duration {
        let core = Arc::clone(&self.core);
        let document = match core.document() {
            Ok(document) => document,
            Err(error) => {
                core.tell_state(StateEvent::Manifest(Err(error.to_string())));
                return self.interval.unwrap_or(DEFAULT_INTERVAL);
            }
        };
        let manifest = document.manifest();
        core.tell_state(StateEvent::Manifest(Ok(Box::new(manifest.clone()))));
        core.tell_state(StateEvent::Generated(generated_state(core.project.root(), manifest)));
        let interval = self.interval.unwrap_or(manifest.status.interval);
        match self.look_at_stack(manifest).await {
            Ok(()) => {
                self.failures = 0;
                interval
            }
            Err(reason) => {
                let retry_in = interval.saturating_mul(1 << self.failures.min(4)).min(LONGEST_RETRY);
                self.failures += 1;
                self.events = None;
                core.tell_state(StateEvent::Connection(Connection::Down { reason, retry_in }));
                retry_in
            }
        }
    }

    async fn look_at_stack(&mut self, manifest: &Manifest) -> Result<(), String> {
        let core = Arc::clone(&self.core);
        let told = |error: crate::runtime::RuntimeError| format!("{error}; {}", error.next_step());
        let session = core.session(manifest).await.map_err(told)?;
        let info = session.runtime.info().await.map_err(told)?;
        core.tell_state(StateEvent::Connection(Connection::Up(info)));
        if self.events.is_none() {
            self.events = session.runtime.events().await.ok();
        }
        let observed = session.runtime.observe().await.map_err(told)?;
        core.tell_state(StateEvent::Instances(observed.instances.clone()));
        core.tell_state(StateEvent::Live(live(manifest, &observed)));
        let slots = self.look_at_slots(manifest, &observed).await;
        self.tell_sample(manifest, &slots).await;
        self.tell_gates(manifest, &session, &slots).await;
        Ok(())
    }

    /// Waits for something to happen outside; forever where nothing is told.
    async fn next_event(&mut self) {
        match &mut self.events {
            Some(events) => {
                if events.recv().await.is_none() {
                    self.events = None;
                    // The stream ended; without a pause here a broken stream
                    // would turn the watch into a busy loop.
                    tokio::time::sleep(DEFAULT_INTERVAL).await;
                }
            }
            None => std::future::pending().await,
        }
    }

    async fn look_at_slots(&self, manifest: &Manifest, observed: &Observed) -> Vec<SlotLook> {
        let mut slots = Vec::new();
        let mut fault = None;
        for instance in &observed.instances {
            let (Role::App { .. }, Some(release)) = (instance.role, &instance.release) else { continue };
            if matches!(instance.health, Health::Exited(_)) && release.mode == Mode::Stable {
                continue;
            }
            let measured = slot_window(&self.core, manifest, instance).await;
            if release.mode == Mode::Canary {
                fault = observe_chaos(&self.core, &self.prober, instance).await;
            }
            slots.push(SlotLook { instance: instance.clone(), release: release.clone(), measured });
        }
        slots.sort_by_key(|slot| slot.release.mode);
        self.core.tell_state(StateEvent::Chaos(fault));
        slots
    }

    async fn tell_sample(&self, manifest: &Manifest, slots: &[SlotLook]) {
        if slots.is_empty() {
            return;
        }
        let readings = slots.iter().filter_map(|look| match look.instance.role {
            Role::App { slot, .. } => Some(Reading {
                mode: look.release.mode,
                slot,
                measured: look.measured.clone().map_err(|fault| fault.to_string()),
                passed: match look.measured {
                    Err(MeasureFault::Window(WindowFault::TooShort { actual_ms, .. })) => {
                        Some(Duration::from_millis(actual_ms))
                    }
                    Ok(_) | Err(_) => None,
                },
            }),
            Role::Proxy | Role::Policy => None,
        });
        let sample = Sample {
            taken_at: self.core.clock.wall(),
            mode: manifest.services.mode,
            readings: readings.collect(),
            samples_needed: manifest.canary.min_requests,
            window: manifest.canary.window,
        };
        let leading = sample.leading().map(|reading| reading.measured.clone());
        let figures = leading.as_ref().and_then(|measured| measured.as_ref().ok());
        let entry = Entry::Scrape {
            mode: manifest.services.mode,
            error_rate: figures.and_then(|measured| measured.error_rate),
            request_rate: figures.map(|measured| measured.request_rate),
            p99_latency_ms: figures.and_then(|measured| measured.p99.map(|p99| p99.ms)),
            requests: figures.map(|measured| measured.requests),
            error: leading.and_then(Result::err),
        };
        self.core.tell_state(StateEvent::Sample(Box::new(sample)));
        self.keep(entry).await;
    }

    async fn tell_gates(&mut self, manifest: &Manifest, session: &Session, slots: &[SlotLook]) {
        let infra_input = infra_input(&self.core, manifest, session).await;
        let canary_input = canary_input(&self.core, manifest, slots);
        let mut views: Vec<GateView> = Vec::new();
        for (point, blocks) in POINTS {
            let input =
                if point == GatePoint::PromoteStable { canary_input.as_ref() } else { Some(&infra_input) };
            for package in gate::packages(manifest, point) {
                if let Some(known) = views.iter_mut().find(|view| view.gate == package) {
                    known.blocks = format!("{}, {blocks}", known.blocks);
                    continue;
                }
                let decision = match input {
                    Some(input) => Some(session.policy.ask(&package, input).await),
                    None => None,
                };
                if let Some(decision) = &decision {
                    self.note_violation(decision).await;
                }
                views.push(GateView { gate: package, blocks: blocks.into(), decision });
            }
        }
        self.core.tell_state(StateEvent::Gates(views));
    }

    /// Records where a policy begins and ends to be violated. A fault of the
    /// engine is no statement about the policy.
    async fn note_violation(&mut self, decision: &Decision) {
        let is_violated = decision.fault.is_none() && decision.verdict == Verdict::Fail;
        if is_violated && self.violated.insert(decision.gate.clone()) {
            self.keep(Entry::Violation { policy: decision.gate.clone(), details: gate::details(decision) })
                .await;
        } else if decision.allow && self.violated.remove(&decision.gate) {
            self.keep(Entry::ViolationEnded { policy: decision.gate.clone() }).await;
        }
    }

    /// Writes a line; a history that cannot be written is told as the
    /// connection's state would be, since the watch has no other voice.
    async fn keep(&self, entry: Entry) {
        if let Err(error) = self.core.record_own(entry).await {
            self.core.tell_state(StateEvent::Manifest(Err(format!("{error}; {}", error.next_step()))));
        }
    }
}

/// Every point with a gate, and what it blocks.
const POINTS: [(GatePoint, &str); 3] = [
    (GatePoint::Deploy, "deploy"),
    (GatePoint::PromoteCanary, "promote canary"),
    (GatePoint::PromoteStable, "promote stable"),
];

async fn infra_input(core: &Core, manifest: &Manifest, session: &Session) -> serde_json::Value {
    let host = session.runtime.host_facts().await;
    facts::infra(&host, manifest, core.clock.wall())
}

fn canary_input(core: &Core, manifest: &Manifest, slots: &[SlotLook]) -> Option<serde_json::Value> {
    let canary = slots.iter().find(|look| look.release.mode == Mode::Canary)?;
    let stable = slots.iter().find(|look| look.release.mode == Mode::Stable);
    let evidence = CanaryEvidence {
        instance: &canary.instance,
        measured: &canary.measured,
        stable: stable.and_then(|look| look.measured.as_ref().ok()),
    };
    Some(facts::canary(&evidence, manifest, core.clock.wall()))
}

/// Asks one gate with the facts of this moment.
pub(super) async fn ask_gate(core: &Arc<Core>, package: &str) -> Result<Decision, String> {
    let document = core.document().map_err(|error| error.to_string())?;
    let manifest = document.manifest();
    let session = core.session(manifest).await.map_err(|error| format!("{error}; {}", error.next_step()))?;
    let point = POINTS
        .iter()
        .find(|(point, _)| gate::packages(manifest, *point).iter().any(|known| known == package));
    let Some((point, _)) = point else {
        let known: BTreeSet<String> =
            POINTS.iter().flat_map(|(point, _)| gate::packages(manifest, *point)).collect();
        return Err(format!(
            "there is no gate {package}; there is {}",
            known.into_iter().collect::<Vec<_>>().join(", ")
        ));
    };
    let input = if *point == GatePoint::PromoteStable {
        let observed = session.runtime.observe().await.map_err(|error| error.to_string())?;
        let slots = Looker::new(Arc::clone(core), None).look_at_slots(manifest, &observed).await;
        canary_input(core, manifest, &slots).ok_or("no canary runs that the gate could judge")?
    } else {
        infra_input(core, manifest, &session).await
    };
    Ok(session.policy.ask(package, &input).await)
}

/// The release that serves now, where it can be asked.
pub(super) async fn live_release(core: &Arc<Core>) -> Option<Release> {
    let document = core.document().ok()?;
    let session = core.session(document.manifest()).await.ok()?;
    let observed = session.runtime.observe().await.ok()?;
    live(document.manifest(), &observed).release
}

/// What serves, and where it differs from what is declared.
fn live(manifest: &Manifest, observed: &Observed) -> Live {
    let slot = observed.live_slot();
    let in_slot = |slot| observed.in_slot(slot).and_then(|instance| instance.release.clone());
    let release = slot.and_then(in_slot);
    let other = slot.and_then(|slot| in_slot(slot.other()));
    let drift = release.as_ref().and_then(|release| drift(manifest, release));
    Live { slot, release, other, routes: observed.routes.clone(), drift }
}

fn drift(manifest: &Manifest, release: &Release) -> Option<String> {
    let services = &manifest.services;
    let declared_version = match release.mode {
        Mode::Canary => manifest.canary.version.as_ref().unwrap_or(&services.version),
        Mode::Stable => &services.version,
    };
    if release.mode != services.mode {
        Some(format!("runs as {}, the manifest says {}", release.mode, services.mode))
    } else if release.version != *declared_version {
        Some(format!("runs {}, the manifest says {declared_version}", release.version))
    } else {
        None
    }
}
