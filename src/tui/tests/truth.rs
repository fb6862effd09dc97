//! What a screen tells is true and whole: no part for the sum, no line without the
//! end that matters, no message over a question.

use std::time::Duration;

use super::fixtures::*;
use super::world::World;
use crate::domain::{Mode, Slot};
use crate::engine::Reading;

/// The line of the screen with these words.
fn line_with(screen: &str, words: &str) -> String {
    let found = screen.lines().find(|line| line.contains(words));
    found.unwrap_or_else(|| panic!("no {words:?} in\n{screen}")).to_owned()
}

/// A canary without figures.
fn canary(why: &str, passed: Option<Duration>) -> Reading {
    Reading { mode: Mode::Canary, slot: Slot::Green, measured: Err(why.into()), passed }
}

#[test]
fn the_rate_of_an_idle_stable_release_does_not_stand_for_the_sum() {
    let mut world = World::failing_canary();
    world.look_at(vec![
        reading(Mode::Stable, Slot::Blue, 10, 0, 0.0, None),
        canary("measuring: 12 of 30 s", Some(Duration::from_secs(12))),
    ]);
    let screen = world.text(120, 36);
    let requests = line_with(&screen, "requests  measuring");
    assert!(requests.contains("stable 0/s") && !requests.contains("peak"), "{requests}");
    line_with(&screen, "P99       measuring");
    line_with(&screen, "… canary: measuring: 12 of 30 s");
}

#[test]
fn a_slot_that_cannot_be_read_leaves_the_sum_unknown() {
    let mut world = World::failing_canary();
    world.look_at(vec![
        reading(Mode::Stable, Slot::Blue, 903, 0, 30.1, Some(41.0)),
        canary("metrics malformed in line 7", None),
    ]);
    let requests = line_with(&world.text(120, 36), "requests  no data");
    assert!(requests.contains("stable 30.1/s"), "{requests}");
    assert!(world.state.watch.history.rate.iter().last().is_some_and(Option::is_none));
}

#[test]
fn a_sum_over_all_slots_is_the_sum() {
    let mut world = World::failing_canary();
    world.look_at(vec![
        reading(Mode::Stable, Slot::Blue, 903, 0, 30.5, Some(41.0)),
        reading(Mode::Canary, Slot::Green, 301, 0, 10.0, Some(41.0)),
    ]);
    line_with(&world.text(120, 36), "requests  40.5/s");
}
