//! The last value of everything watched, so that a late or lagging subscriber
//! can be told the whole state, and so that only changes are told.

use std::sync::{Mutex, PoisonError};

use super::event::StateEvent;
use super::state::{ChaosStatus, Connection, GateView, GeneratedState, Live, Sample};
use crate::manifest::Manifest;
use crate::runtime::Instance;

/// The last known values.
#[derive(Debug, Default)]
pub(super) struct StateMemory {
    values: Mutex<Values>,
}

#[derive(Debug, Default, Clone)]
struct Values {
    connection: Option<Connection>,
    manifest: Option<Result<Box<Manifest>, String>>,
    generated: Option<GeneratedState>,
    instances: Option<Vec<Instance>>,
    live: Option<Live>,
    sample: Option<Box<Sample>>,
    gates: Option<Vec<GateView>>,
    chaos: Option<ActiveChaos>,
}

/// The active fault; `None` inside says that there is none, which is known.
#[derive(Debug, Clone, PartialEq)]
struct ActiveChaos(Option<ChaosStatus>);

/// Replaces a value; whether it is another one.
fn replace<T: PartialEq + Clone>(slot: &mut Option<T>, value: &T) -> bool {
    let is_new = slot.as_ref() != Some(value);
    if is_new {
        *slot = Some(value.clone());
    }
    is_new
}

impl StateMemory {
    /// Keeps a value; whether it differs from the one before.
    pub(super) fn remember(&self, event: &StateEvent) -> bool {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            StateEvent::Connection(value) => replace(&mut values.connection, value),
            StateEvent::Manifest(value) => replace(&mut values.manifest, value),
            StateEvent::Generated(value) => replace(&mut values.generated, value),
            StateEvent::Instances(value) => replace(&mut values.instances, value),
            StateEvent::Live(value) => replace(&mut values.live, value),
            StateEvent::Sample(value) => replace(&mut values.sample, value),
            StateEvent::Gates(value) => replace(&mut values.gates, value),
            StateEvent::Chaos(value) => replace(&mut values.chaos, &ActiveChaos(value.clone())),
        }
    }

    /// Everything known, as events.
    pub(super) fn snapshot(&self) -> Vec<StateEvent> {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner).clone();
        [
            values.connection.map(StateEvent::Connection),
            values.manifest.map(StateEvent::Manifest),
            values.generated.map(StateEvent::Generated),
            values.instances.map(StateEvent::Instances),
            values.live.map(StateEvent::Live),
            values.sample.map(StateEvent::Sample),
            values.gates.map(StateEvent::Gates),
            values.chaos.map(|ActiveChaos(fault)| StateEvent::Chaos(fault)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_new_value_is_news_and_a_snapshot_holds_the_last() {
        let memory = StateMemory::default();
        assert!(memory.remember(&StateEvent::Generated(GeneratedState::Absent)));
        assert!(!memory.remember(&StateEvent::Generated(GeneratedState::Absent)));
        assert!(memory.remember(&StateEvent::Generated(GeneratedState::UpToDate)));
        assert!(matches!(memory.snapshot()[..], [StateEvent::Generated(GeneratedState::UpToDate)]));
    }
}
