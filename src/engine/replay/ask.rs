//! Who is asked again, by every thread on its own.

use std::sync::Arc;

use serde_json::Value;

use super::{ReplayBy, ReplayError, ReplayOptions};
use crate::clock::SharedClock;
use crate::history::Entry;
use crate::policy::replay::{Again, Asker, Finding, Recorded, compare};
use crate::policy::{EngineId, Fault, OpaEngine, PolicyBundle, PolicyEngine};

/// Questions that an OPA has at a time: it answers in parallel, and a
/// question's time is mostly the way there and back.
const QUESTIONS_TO_OPA: usize = 8;

/// The most threads; a history is not so long that more would help.
const MOST_THREADS: usize = 16;

/// The engine that is asked again.
pub(super) enum Askers {
    Embedded { bundle: Arc<PolicyBundle>, timeout: std::time::Duration },
    Opa { engine: Box<OpaEngine>, on: tokio::runtime::Handle },
}

/// One thread's way to it.
pub(super) enum OneAsker<'a> {
    Embedded(Box<Asker>),
    Opa { engine: &'a OpaEngine, on: &'a tokio::runtime::Handle },
}

impl Askers {
    pub(super) fn new(
        options: &ReplayOptions,
        bundle: &Arc<PolicyBundle>,
        clock: &SharedClock,
    ) -> Result<Self, ReplayError> {
        match &options.by {
            ReplayBy::Embedded => {
                let askers = Self::Embedded { bundle: Arc::clone(bundle), timeout: options.timeout };
                // Files that cannot be evaluated are told once, not as so many
                // changed decisions.
                Asker::check(bundle, options.timeout)
                    .map_err(|fault| ReplayError::Engine { fault, seq: None })?;
                Ok(askers)
            }
            ReplayBy::Opa { at, on } => {
                let engine =
                    OpaEngine::new(*at, options.timeout, options.policies.clone(), Arc::clone(clock));
                Ok(Self::Opa { engine: Box::new(engine), on: on.clone() })
            }
        }
    }

    pub(super) fn id(&self) -> EngineId {
        match self {
            Self::Embedded { .. } => Asker::id(),
            Self::Opa { engine, .. } => engine.id(),
        }
    }

    /// How many threads ask.
    pub(super) fn threads(&self) -> usize {
        match self {
            Self::Embedded { .. } => {
                std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS)
            }
            Self::Opa { .. } => QUESTIONS_TO_OPA,
        }
    }

    pub(super) fn one(&self) -> OneAsker<'_> {
        match self {
            Self::Embedded { bundle, timeout } => {
                OneAsker::Embedded(Box::new(Asker::new(Arc::clone(bundle), *timeout)))
            }
            Self::Opa { engine, on } => OneAsker::Opa { engine, on },
        }
    }
}

impl OneAsker<'_> {
    /// Asks about an entry, if it is a decision. A fault here is one of the
    /// engine as a whole, after which nothing can be concluded.
    pub(super) fn judge(&self, entry: &Entry) -> Option<Result<Finding, Fault>> {
        let Entry::Decision { gate, verdict, input, result, reasons, fault, .. } = entry else { return None };
        let mut again = self.ask(gate, input);
        // A machine that stood still for a moment (a laptop's lid, a busy host)
        // is no reason to give up: a rule without end takes the time twice.
        if matches!(again.outcome, Err(Fault::TimedOut { .. })) {
            again = self.ask(gate, input);
        }
        if let Err(fault) = &again.outcome
            && self.ends_with(fault)
        {
            return Some(Err(fault.clone()));
        }
        let recorded = Recorded { gate, verdict, result, reasons, fault: fault.as_ref() };
        Some(Ok(compare(&recorded, &again)))
    }

    fn ask(&self, gate: &str, input: &Value) -> Again {
        match self {
            Self::Embedded(asker) => asker.ask(gate, input),
            Self::Opa { engine, on } => Again::from(on.block_on(engine.ask(gate, input))),
        }
    }

    /// Whether a fault says nothing about the policies: an OPA that is not
    /// there or decides by other ones, and whoever is too slow for the time
    /// that a replay gives. A gate of the embedded engine that does not repeat
    /// its limits is its own fault, and would deny.
    const fn ends_with(&self, fault: &Fault) -> bool {
        match fault {
            Fault::NotRunning { .. } | Fault::TimedOut { .. } | Fault::Refused { .. } => true,
            Fault::Stale { .. } => matches!(self, Self::Opa { .. }),
            Fault::Http { .. }
            | Fault::Malformed { .. }
            | Fault::Undefined { .. }
            | Fault::Policies { .. } => false,
        }
    }
}
