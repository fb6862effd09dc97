//! A promotion that waits, in a terminal: the screen counts the requests and a
//! key brings more.

use std::time::Duration;

use super::keys::promote;
use super::screen::{Screen, in_shell};
use super::world::{BINARY, World};

const SOON: Duration = Duration::from_secs(10);
const LATER: Duration = Duration::from_mins(1);

#[test]
fn a_key_brings_the_requests_that_a_promotion_waits_for() {
    let world = World::local();
    world.edit_manifest(|text| text.replace("max_wait: 20s", "max_wait: 2m"));
    world.run(&["deploy"]).ends_with(0);
    world.run(&["promote", "canary"]).ends_with(0);
    let mut app = Screen::open(in_shell(BINARY, &[], world.root()), 36, 120);
    app.wait_for("▲ canary 100 %", LATER);
    promote(&mut app, "s");
    // The operation and the policy pane both count, and offer the key.
    app.wait_until("the wait is told", LATER, |screen| {
        screen.contains("0 of 20 requests, waiting")
            && screen.contains("▸ 0 of 20 requests g probe")
            && screen.contains("probe traffic: g")
    });
    app.press("g");
    app.wait_for("20 requests/s for 30 s", SOON);
    app.wait_for("serves 1.0.0 as stable", LATER);
    assert_eq!(world.get("/healthz").json()["mode"], "stable");
    app.press("\u{3}");
    app.press("\u{3}");
    let left = app.wait_restored(LATER);
    assert!(left.contains("ended with"), "{left}");
}
