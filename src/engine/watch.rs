//! The watch: looks at the running stack again and again and tells what it
//! sees; it changes nothing but that full logs are put aside. Losing the engine
//! is a state, never an end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::core::Core;
use super::event::StateEvent;
use super::evidence::{self, SlotLook};
use super::facts;
use super::faults;
use super::gate;
use super::generate;
use super::measure::told;
use super::obstacle::Obstacle;
use super::owner;
use super::probe::Prober;
use super::session::Session;
use super::stage::stack_files;
use super::state::{Connection, GateView, Live, Reading, Sample};
use super::violation;
use crate::domain::{Mode, Release};
use crate::history::{Entry, HistoryError};
use crate::manifest::{GatePoint, Manifest, ManifestError};
use crate::policy::{Decision, PolicyBundle};
use crate::runtime::{Observed, RuntimeError, RuntimeEvent};
use crate::telemetry::{MeasureFault, WindowFault};

/// The longest time between two attempts to reach a lost engine.
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// The interval while there is no manifest that could name one.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(2);

/// The shortest time between two looks.
const BREATH: Duration = Duration::from_millis(250);

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
        // However fast things happen outside, they are looked at in peace.
        tokio::select! {
            () = tokio::time::sleep(BREATH) => {}
            () = stop.cancelled() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(pause.saturating_sub(BREATH)) => {}
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
    /// The policies on disk that the policy engine was given last.
    given: Option<String>,
    /// Why the last look could not be recorded.
    unrecorded: Option<String>,
}

impl Looker {
    pub(super) fn new(core: Arc<Core>, interval: Option<Duration>) -> Self {
        let prober = Prober::new(CHAOS_TIMEOUT);
        Self { core, interval, prober, failures: 0, events: None, given: None, unrecorded: None }
    }

    /// Looks at everything and tells it; gives the time until the next look.
    pub async fn look(&mut self) -> Duration {
        let core = Arc::clone(&self.core);
        if let Some(stranger) = owner::refusal(&core, None) {
            let told = format!("{}\nnext: {}", stranger.error, stranger.next);
            core.tell_state(StateEvent::Manifest(Err(told)));
            return self.interval.unwrap_or(DEFAULT_INTERVAL);
        }
        let document = match core.document() {
            Ok(document) => {
                let manifest = document.manifest();
                core.tell_state(StateEvent::Manifest(match self.unrecorded.take() {
                    None => Ok(Box::new(manifest.clone())),
                    Some(trouble) => Err(trouble),
                }));
                let generated = generate::generated_state(core.project.root(), manifest);
                core.tell_state(StateEvent::Generated(generated));
                document
            }
            Err(error) => {
                let told = match &error {
                    // Its lines are shown, and read again as soon as they are saved.
                    ManifestError::Invalid { .. } => error.to_string(),
                    _ => format!("{error}\nnext: {}", error.next_step()),
                };
                core.tell_state(StateEvent::Manifest(Err(told)));
                // What runs does not depend on what is being written.
                let Some(deployed) = core.deployed_document() else {
                    return self.interval.unwrap_or(DEFAULT_INTERVAL);
                };
                deployed
            }
        };
        let manifest = document.manifest();
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
        let told = |error: RuntimeError| format!("{error}; {}", error.next_step());
        let session = core.session(manifest).await.map_err(told)?;
        let info = session.runtime.info().await.map_err(told)?;
        core.tell_state(StateEvent::Connection(Connection::Up(info)));
        if self.events.is_none() {
            self.events = session.runtime.events().await.ok();
        }
        let observed = session.runtime.observe().await.map_err(|error| {
            if let RuntimeError::ProxySilent { seen, .. } = &error {
                core.tell_state(StateEvent::Instances(seen.clone()));
            }
            told(error)
        })?;
        faults::settle(&core, &observed).await;
        core.tell_state(StateEvent::Instances(observed.instances.clone()));
        core.tell_state(StateEvent::Live(live(manifest, &observed)));
        let slots = self.look_at_slots(manifest, &observed).await;
        self.tell_sample(manifest, &slots).await;
        // A log that could not be put aside grows on until a later look can.
        let _ = session.runtime.tend(&crate::render::stack(manifest)).await;
        self.tell_gates(manifest, &session, &slots).await;
        Ok(())
    }

    /// Waits for something to happen outside; forever where nothing is told.
    async fn next_event(&mut self) {
        match &mut self.events {
            Some(events) => {
                if events.recv().await.is_some() {
                    // One look sees everything that happened until now.
                    while events.try_recv().is_ok() {}
                } else {
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
        let slots = evidence::look(&self.core, manifest, observed).await;
        let mut fault = None;
        for look in slots.iter().filter(|look| look.release.mode == Mode::Canary) {
            for instance in &look.instances {
                fault = faults::observe(&self.core, &self.prober, instance).await.or(fault);
            }
        }
        self.core.tell_state(StateEvent::Chaos(fault));
        slots
    }

    async fn tell_sample(&mut self, manifest: &Manifest, slots: &[SlotLook]) {
        if slots.is_empty() {
            return;
        }
        let readings = slots.iter().map(|look| Reading {
            mode: look.release.mode,
            slot: look.slot,
            measured: look.measured.clone().map_err(|unmeasured| told(&unmeasured.fault)),
            passed: match look.measured.as_ref().map_err(|unmeasured| &unmeasured.fault) {
                Err(MeasureFault::Window(WindowFault::TooShort { actual_ms, .. })) => {
                    Some(Duration::from_millis(*actual_ms))
                }
                Ok(_) | Err(_) => None,
            },
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
        self.give_policies(manifest, session).await;
        let infra_input = infra_input(&self.core, manifest, session).await;
        let canary_input = evidence::of_canary(&self.core, manifest, session, slots, None).await;
        let canary = slots.iter().find(|look| look.release.mode == Mode::Canary);
        let judged = canary.map_or("", SlotLook::id);
        let mut views: Vec<GateView> = Vec::new();
        for (point, blocks) in POINTS {
            let is_canary = point == GatePoint::PromoteStable;
            let input = if is_canary { canary_input.as_ref() } else { Some(&infra_input) };
            for package in gate::packages(manifest, point) {
                // The same package with the same facts is one view; with other
                // facts it is another question.
                let same = views.iter_mut().find(|view| !is_canary && view.gate == package);
                if let Some(known) = same {
                    known.blocks = format!("{}, {blocks}", known.blocks);
                    continue;
                }
                let decision = match input {
                    Some(input) => Some(session.policy.ask(&package, input).await),
                    None => None,
                };
                if let Some(decision) = &decision {
                    let about = if is_canary { judged } else { "" };
                    let noted = violation::note(&self.core, decision, about).await;
                    self.told(noted);
                }
                views.push(GateView { gate: package, blocks: blocks.into(), decision });
            }
        }
        let present: Vec<&str> = slots.iter().map(SlotLook::id).collect();
        let noted = violation::end_of_gone(&self.core, &present).await;
        self.told(noted);
        self.core.tell_state(StateEvent::Gates(views));
    }

    /// Gives the policy engine what is on disk whenever that has changed, so
    /// that an edited limit is in force without an operation.
    async fn give_policies(&mut self, manifest: &Manifest, session: &Session) {
        let Ok(bundle) = PolicyBundle::load(&self.core.project.policies()) else { return };
        if self.given.as_deref() == Some(bundle.revision()) {
            return;
        }
        let Ok(files) = stack_files(&self.core, manifest) else { return };
        if let Ok(given) = session.runtime.sync_policies(&crate::render::stack(manifest), &files).await {
            self.core.loading.note(given, self.core.clock.instant());
            self.given = Some(bundle.revision().to_owned());
        }
    }

    async fn keep(&mut self, entry: Entry) {
        let recorded = self.core.record_own(entry).await;
        self.told(recorded);
    }

    /// A history that cannot be written is told with the next look, where the
    /// manifest's errors are, since the watch has no other voice.
    fn told(&mut self, recorded: Result<(), HistoryError>) {
        if let Err(error) = recorded {
            self.unrecorded = Some(format!("{error}; {}", error.next_step()));
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

/// Asks one gate with the facts of this moment.
pub(super) async fn ask_gate(core: &Arc<Core>, package: &str) -> Result<Decision, Obstacle> {
    let document = core.document()?;
    let manifest = document.manifest();
    let session = core.session(manifest).await?;
    let points: Vec<GatePoint> = POINTS
        .into_iter()
        .map(|(point, _)| point)
        .filter(|point| gate::packages(manifest, *point).iter().any(|known| known == package))
        .collect();
    if points.is_empty() {
        let known: BTreeSet<String> =
            POINTS.iter().flat_map(|(point, _)| gate::packages(manifest, *point)).collect();
        let known = known.into_iter().collect::<Vec<_>>().join(", ");
        return Err(Obstacle::new(
            format!("there is no gate {package}; there is {known}"),
            "name one of these",
        ));
    }
    // One package may stand at several points with other facts: what matters
    // is where it does not let through.
    let mut decision = Err(Obstacle::new(
        "no canary runs that the gate could judge",
        "run `swiftdeploy promote canary` first",
    ));
    for is_canary in [false, true] {
        if !points.iter().any(|point| (*point == GatePoint::PromoteStable) == is_canary) {
            continue;
        }
        let input = if is_canary {
            let observed = session.runtime.observe().await?;
            let slots = Looker::new(Arc::clone(core), None).look_at_slots(manifest, &observed).await;
            evidence::of_canary(core, manifest, &session, &slots, None).await
        } else {
            Some(infra_input(core, manifest, &session).await)
        };
        if let Some(input) = input {
            let asked = gate::ask(core, &session, package, &input).await;
            if !asked.allow {
                return Ok(asked);
            }
            decision = Ok(asked);
        }
    }
    decision
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
