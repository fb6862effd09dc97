//! What is watched: the last word of the engine on each matter, and the
//! history of the figures.

use std::time::Instant;

use crate::domain::stack::Role;
use crate::domain::{Mode, Slot};
use crate::engine::{ChaosStatus, Connection, GateView, GeneratedState, Live, Reading, Sample};
use crate::manifest::Manifest;
use crate::policy::{CheckLine, Verdict};
use crate::runtime::{Health, Instance};

use super::Ring;

/// Figures kept for the histories: more than the widest pane shows.
const KEPT: usize = 240;

/// What is watched.
#[derive(Debug, Clone)]
pub struct Watch {
    /// The target's engine.
    pub connection: Connection,
    /// When the connection was told, for the countdown to the next try.
    pub connection_at: Option<Instant>,
    /// The manifest, or why it cannot be used; `None` while unknown.
    pub manifest: Option<Result<Box<Manifest>, String>>,
    /// The generated files.
    pub generated: GeneratedState,
    /// What runs; `None` while unknown.
    pub instances: Option<Vec<Instance>>,
    /// What is live.
    pub live: Live,
    /// The last look.
    pub sample: Option<Box<Sample>>,
    /// Figures over time.
    pub history: History,
    /// What the gates say.
    pub gates: Vec<GateView>,
    /// The active fault.
    pub chaos: Option<ChaosStatus>,
    /// When the active fault was first seen, to draw how much of it is left.
    pub chaos_since: Option<chrono::DateTime<chrono::Utc>>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            connection: Connection::Connecting,
            connection_at: None,
            manifest: None,
            generated: GeneratedState::default(),
            instances: None,
            live: Live::default(),
            sample: None,
            history: History::default(),
            gates: Vec::new(),
            chaos: None,
            chaos_since: None,
        }
    }
}

impl Watch {
    /// The manifest, when it can be used.
    #[must_use]
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref().and_then(|read| read.as_deref_ok())
    }

    /// What runs; empty while unknown.
    #[must_use]
    pub fn instances(&self) -> &[Instance] {
        self.instances.as_deref().unwrap_or_default()
    }

    /// Whether anything of the stack runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.instances().iter().any(|instance| !matches!(instance.health, Health::Exited(_)))
    }

    /// Whether an instance serves or could serve.
    #[must_use]
    pub fn is_deployed(&self) -> bool {
        self.instances().iter().any(|instance| matches!(instance.role, Role::App { .. }))
    }

    /// The canary's instance and slot.
    #[must_use]
    pub fn canary(&self) -> Option<(&Instance, Slot)> {
        self.instances().iter().find_map(|instance| match instance.role {
            Role::App { slot, mode: Mode::Canary } => Some((instance, slot)),
            Role::App { .. } | Role::Proxy | Role::Policy => None,
        })
    }

    /// A slot's part of the traffic in percent, where the routes are known.
    #[must_use]
    pub fn share(&self, slot: Slot) -> Option<u8> {
        self.live.routes.as_ref().map(|routes| routes.percent(slot))
    }

    /// The figures that the screen leads with.
    #[must_use]
    pub fn leading(&self) -> Option<&Reading> {
        self.sample.as_deref().and_then(Sample::leading)
    }

    /// What the policy says about one of the figures, whichever gate asked.
    #[must_use]
    pub fn check(&self, facts: &[&str]) -> Option<&CheckLine> {
        self.gates
            .iter()
            .filter_map(|gate| gate.decision.as_ref())
            .flat_map(|decision| &decision.checks)
            .find(|check| facts.contains(&check.fact.as_str()))
    }

    /// The verdict of a gate, when it was asked.
    #[must_use]
    pub fn verdict(&self, gate: &str) -> Option<Verdict> {
        let found = self.gates.iter().find(|view| view.gate == gate)?;
        found.decision.as_ref().map(|decision| decision.verdict)
    }
}

/// `Option<&T>` out of `&Result<Box<T>, E>`.
trait AsDerefOk<T> {
    fn as_deref_ok(&self) -> Option<&T>;
}

impl<T, E> AsDerefOk<T> for Result<Box<T>, E> {
    fn as_deref_ok(&self) -> Option<&T> {
        self.as_ref().ok().map(|value| &**value)
    }
}

/// Figures over time, one of each per look; `None` where there was no data.
#[derive(Debug, Clone)]
pub struct History {
    /// Requests per second, all slots together.
    pub rate: Ring<Option<f64>>,
    /// P99 in milliseconds, of the leading slot.
    pub p99: Ring<Option<f64>>,
    /// Share of errors, of the leading slot.
    pub errors: Ring<Option<f64>>,
}

impl Default for History {
    fn default() -> Self {
        Self { rate: Ring::new(KEPT), p99: Ring::new(KEPT), errors: Ring::new(KEPT) }
    }
}

impl History {
    /// Adds a look.
    pub fn push(&mut self, sample: &Sample) {
        let measured = sample.leading().and_then(|reading| reading.measured.as_ref().ok());
        self.rate.push(total_rate(sample));
        self.p99.push(measured.and_then(|m| m.p99).map(|p99| p99.ms));
        self.errors.push(measured.and_then(|m| m.error_rate));
    }
}

/// Requests per second of all slots; `None` while one of them has no figure, since
/// the others do not stand for the whole.
#[must_use]
pub fn total_rate(sample: &Sample) -> Option<f64> {
    let rates: Option<Vec<f64>> =
        sample.readings.iter().map(|reading| Some(reading.measured.as_ref().ok()?.request_rate)).collect();
    rates.filter(|rates| !rates.is_empty()).map(|rates| rates.into_iter().sum())
}
