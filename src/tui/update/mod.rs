//! The only way in which the state changes: state, message and moment in,
//! effects out. No clock, no I/O.

mod commands;
mod decisions;
mod keys;
mod operation;
mod overlays;
mod replies;
mod watch;

use std::time::Duration;

use crate::engine::Event;

use super::effect::Effect;
use super::layout;
use super::message::{Message, Resync, TerminalMessage};
use super::moment::Now;
use super::state::{State, Tone};

/// How long leaving waits for a cancelled operation when the system asks the
/// process to end; it will not wait for ever.
const END_GRACE: Duration = Duration::from_secs(10);

/// Changes the state by what happened and says what to do.
pub fn update(state: &mut State, message: Message, now: Now) -> Vec<Effect> {
    state.now = now;
    state.toasts.expire(now.instant);
    let mut effects = match message {
        Message::Terminal(message) => terminal(state, message),
        Message::Engine(Event::Operation(event)) => {
            operation::update(state, event);
            Vec::new()
        }
        Message::Engine(Event::State(event)) => {
            watch::update(state, event);
            decisions::refresh(state)
        }
        Message::Resynced(resync) => {
            resynced(state, resync);
            decisions::refresh(state)
        }
        Message::Reply(reply) => {
            replies::update(state, reply);
            Vec::new()
        }
        Message::Ticked => Vec::new(),
    };
    if has_waited_enough(state) && !effects.contains(&Effect::Quit) {
        effects.push(Effect::Quit);
    }
    effects
}

/// Whether the app was about to leave and nothing keeps it any more.
fn has_waited_enough(state: &State) -> bool {
    state.leaving.is_some_and(|until| until <= state.now.instant || !state.activity.is_anything_running())
}

fn terminal(state: &mut State, message: TerminalMessage) -> Vec<Effect> {
    match message {
        TerminalMessage::Key(chord) => keys::update(state, chord),
        TerminalMessage::Pasted(text) => {
            if !layout::is_too_small(state.size) {
                keys::type_text(state, &text);
            }
            Vec::new()
        }
        TerminalMessage::Resized { width, height } => {
            state.size = (width, height);
            Vec::new()
        }
        TerminalMessage::Drawn(measured) => {
            state.measured = measured;
            overlays::clamp(state);
            Vec::new()
        }
        TerminalMessage::EndAsked => {
            if state.activity.is_anything_running() {
                state.leaving = Some(state.now.instant + END_GRACE);
                vec![Effect::Cancel]
            } else {
                vec![Effect::Quit]
            }
        }
        TerminalMessage::Resumed => vec![Effect::Repaint],
    }
}

/// Takes the whole state anew. Operations that are not running any more ended
/// while events were missed.
fn resynced(state: &mut State, resync: Resync) {
    for event in resync.snapshot {
        watch::update(state, event);
    }
    if resync.missed > 0 {
        operation::missed(state, &resync.running);
        let text = format!("{} events were missed; the screen is up to date again", resync.missed);
        state.toasts.show(Tone::Info, text, state.now.instant);
    }
}
