//! What several tests of the app do by keys.
#![allow(dead_code, reason = "every program uses another part of it")]

use std::time::Duration;

use super::screen::{ESC, Screen};

/// Longer than a key takes on a busy machine.
const SOON: Duration = Duration::from_secs(15);

/// Chooses what to promote to.
#[track_caller]
pub fn promote(app: &mut Screen, key: &str) {
    app.press("p");
    app.wait_for("╭ promote ", SOON);
    app.press(key);
    app.wait_until("the chooser is closed", SOON, |screen| !screen.contains("╭ promote "));
}

/// The app answers keys; what is on the screen then.
#[track_caller]
pub fn look_at_help(app: &mut Screen) -> String {
    app.press("?");
    app.wait_for("╭ help ", SOON);
    app.press(ESC);
    app.wait_until("the help is closed", SOON, |screen| screen.contains('\n') && !screen.contains("╭ help "))
}

/// Leaves the app, which gives the terminal back.
#[track_caller]
pub fn quit(mut app: Screen) {
    app.press("q");
    assert!(app.wait_restored(SOON).contains("ended with 0"));
}
