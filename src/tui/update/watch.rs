//! What is watched changed.

use crate::engine::StateEvent;
use crate::tui::state::State;

/// Takes the new value.
pub fn update(state: &mut State, event: StateEvent) {
    let watch = &mut state.watch;
    match event {
        StateEvent::Connection(connection) => {
            watch.connection = connection;
            watch.connection_at = Some(state.now.instant);
        }
        StateEvent::Manifest(manifest) => watch.manifest = Some(manifest),
        StateEvent::Generated(generated) => watch.generated = generated,
        StateEvent::Instances(instances) => {
            watch.instances = Some(instances);
            if !watch.is_deployed() {
                // Nothing is measured any more, and old figures must not look like new ones.
                watch.sample = None;
            }
        }
        StateEvent::Live(live) => watch.live = live,
        StateEvent::Sample(sample) => {
            // A snapshot after a lag runs ahead of the events that are still to be read.
            let is_new = watch.sample.as_ref().is_none_or(|known| known.taken_at < sample.taken_at);
            if is_new {
                watch.history.push(&sample);
                watch.sample = Some(sample);
            }
        }
        StateEvent::Gates(gates) => watch.gates = gates,
        StateEvent::Chaos(chaos) => {
            if chaos != watch.chaos {
                watch.chaos_since = chaos.as_ref().map(|_| state.now.wall.to_utc());
            }
            watch.chaos = chaos;
        }
    }
}
