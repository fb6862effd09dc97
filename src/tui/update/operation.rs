//! The life of operations.

use std::time::Instant;

use crate::engine::{Action, OperationEvent, OperationId, Outcome};
use crate::tui::command::Pane;
use crate::tui::state::{End, Item, OperationView, Overlay, State, StepView, Tone};
use crate::tui::text;

/// Takes an event.
pub fn update(state: &mut State, event: OperationEvent) {
    let now = state.now.instant;
    match event {
        OperationEvent::Refused { action, reason, is_busy: _ } => {
            let text = format!("{}: {}", action.name(), text::clean(&reason));
            state.toasts.show(Tone::Warn, text, now);
        }
        OperationEvent::Started { id, action } => begin(state, id, action),
        OperationEvent::StepStarted { id, step, name } => {
            with_step(state, &id, step, |view| view.name = text::clean(&name).into_owned());
        }
        OperationEvent::StepProgress { id, step, detail, fraction } => {
            with_step(state, &id, step, |view| {
                view.detail = text::clean(&detail).into_owned();
                view.fraction = fraction.filter(|fraction| fraction.is_finite());
            });
        }
        OperationEvent::StepFinished { id, step, name, result, elapsed, detail } => {
            with_step(state, &id, step, |view| {
                view.name = text::clean(&name).into_owned();
                view.detail = text::clean(&detail).into_owned();
                view.fraction = None;
                view.end = Some((result, elapsed));
            });
        }
        OperationEvent::Decided { id, decision } => add(state, &id, Item::Decided(decision)),
        OperationEvent::Files { id, changes } => {
            for change in changes {
                add(state, &id, Item::File(change));
            }
        }
        OperationEvent::Planned { id, plan } => {
            add(state, &id, Item::Notice("plan made: Enter here shows it in full".to_owned()));
            state.activity.plan = Some(Box::new(plan));
            if state.overlays.is_empty() {
                state.overlays.push(Overlay::Plan { scroll: 0 });
            }
        }
        // Said outside of any operation, as the demo does, or in one whose beginning was missed.
        OperationEvent::Notice { id, text } if state.activity.find_mut(&id).is_none() => {
            state.activity.announce(text::clean(&text).into_owned());
            state.scroll[Pane::Activity.index()] = 0;
        }
        OperationEvent::Notice { id, text } => {
            for line in text::clean_lines(&text) {
                add(state, &id, Item::Notice(line));
            }
        }
        OperationEvent::Finished { id, action, outcome, elapsed } => {
            if state.activity.find_mut(&id).is_none() {
                begin(state, id.clone(), action);
            }
            let name = action_name(state, &id);
            announce(state, name, &outcome);
            finish(state, &id, End::Told(outcome, elapsed));
        }
    }
}

/// After a lag: what is not among the running ones has ended.
pub fn missed(state: &mut State, running: &[OperationId]) {
    let ended: Vec<_> = state
        .activity
        .operations
        .iter()
        .filter(|operation| operation.is_running() && !running.contains(&operation.id))
        .map(|operation| operation.id.clone())
        .collect();
    for id in ended {
        finish(state, &id, End::Missed);
    }
}

fn begin(state: &mut State, id: OperationId, action: Action) {
    let now = state.now;
    state.activity.operations.push(OperationView::new(id, action, now.wall, now.instant));
    // What is beginning is what one wants to see.
    state.scroll[Pane::Activity.index()] = 0;
}

fn add(state: &mut State, id: &OperationId, item: Item) {
    if let Some(operation) = state.activity.find_mut(id) {
        operation.items.push(item);
    }
}

fn with_step(state: &mut State, id: &OperationId, step: usize, change: impl FnOnce(&mut StepView)) {
    let now: Instant = state.now.instant;
    if let Some(view) = state.activity.find_mut(id).and_then(|operation| operation.step_mut(step, now)) {
        change(view);
    }
}

fn action_name(state: &mut State, id: &OperationId) -> &'static str {
    state.activity.find_mut(id).map_or("", |operation| operation.action.name())
}

/// Tells the end where the activity pane is not to be seen.
fn announce(state: &mut State, name: &'static str, outcome: &Outcome) {
    let is_seen = state.overlays.is_empty() && (!state.is_zoomed || state.focus == Pane::Activity);
    if is_seen {
        return;
    }
    let (tone, word) = match outcome {
        Outcome::Done { .. } => (Tone::Info, "done"),
        Outcome::Denied { .. } => (Tone::Fail, "denied, see 6 activity"),
        Outcome::Inconclusive { .. } => (Tone::Warn, "inconclusive, see 6 activity"),
        Outcome::Failed { .. } => (Tone::Fail, "failed, see 6 activity"),
        Outcome::Cancelled { .. } => (Tone::Warn, "cancelled"),
    };
    state.toasts.show(tone, format!("{name}: {word}"), state.now.instant);
}

fn finish(state: &mut State, id: &OperationId, end: End) {
    if let Some(operation) = state.activity.find_mut(id) {
        operation.end = Some(end);
    }
    // Questions about an operation that has ended are pointless.
    if !state.activity.is_anything_running() {
        state.overlays.retain(|overlay| {
            !matches!(overlay, Overlay::ConfirmCancel { .. } | Overlay::ConfirmQuit { .. })
        });
    }
}
