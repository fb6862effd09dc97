//! The terminal app on a real Docker daemon, while its real OPA goes away and
//! comes back.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

#[path = "support/keys.rs"]
mod keys;
#[path = "support/screen.rs"]
mod screen;
#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use keys::{look_at_help, promote, quit};
use screen::Screen;
use world::World;

const SOON: Duration = Duration::from_secs(15);
const LATER: Duration = Duration::from_mins(1);

/// The app answers keys and goes on drawing.
#[track_caller]
fn assert_alive(app: &mut Screen) {
    let screen = look_at_help(app);
    let first = screen.lines().next().unwrap().to_owned();
    app.wait_until("the clock goes on", SOON, |screen| screen.lines().next() != Some(first.as_str()));
}

/// The last thing that was done, as the activity pane tells it.
#[track_caller]
fn assert_denied(app: &Screen, operation: &str, headline: &str) {
    let ending = format!("{operation}  ✗ denied");
    let screen = app.wait_for(&ending, LATER);
    let (_, told) = screen.rsplit_once(&ending).unwrap();
    for text in [headline, "policy engine not running", "127.0.0.1:"] {
        assert!(told.contains(text), "no {text:?} after {ending:?} in\n{screen}");
    }
}

#[test]
fn with_opa_stopped_the_app_denies_and_lives_and_goes_on_when_opa_is_back() {
    let Some(world) = World::docker() else { return };
    let opa = format!("{}-opa", world.project);
    let docker = |what: &str| world.tool("docker", &[what, &opa]).ends_with(0);
    let mut command = screen::in_shell(world::BINARY, &[], world.root());
    command.env("DOCKER_HOST", world.docker_host().unwrap());
    // High enough for a whole denied deployment.
    let mut app = Screen::open(command, 60, 160);
    app.wait_for("nothing is deployed: d deploys", LATER);
    app.press("d");
    app.wait_for("app-blue serves stable 1.0.0 at", LATER);
    app.wait_for("✓ infra  PASS", SOON);
    let pid = app.started();

    docker("stop");
    app.wait_until("the policy pane says so", SOON, |screen| {
        screen.contains("✗ infra  ") && screen.contains("policy engine not running")
    });
    app.press("d");
    assert_denied(&app, "deploy", "Deployment blocked: no policy decision");
    assert_alive(&mut app);
    promote(&mut app, "c");
    assert_denied(&app, "promote canary", "Promotion blocked: no policy decision");
    assert_alive(&mut app);
    assert_eq!(world.get("/").json()["mode"], "stable");

    docker("start");
    app.wait_for("✓ infra  PASS", LATER);
    promote(&mut app, "c");
    app.wait_for("has the traffic; app-blue stays ready", LATER);
    assert_eq!(world.get("/").json()["mode"], "canary");

    docker("stop");
    app.wait_until("the policy pane says so again", SOON, |screen| screen.contains("✗ canary "));
    promote(&mut app, "s");
    assert_denied(&app, "promote stable", "Promotion blocked: no policy decision");
    assert_alive(&mut app);
    assert_eq!(world.get("/").json()["mode"], "canary");
    // Going back asks nobody.
    app.press("r");
    app.wait_for("serves stable 1.0.0 again", LATER);
    assert_eq!(world.get("/").json()["mode"], "stable");

    docker("start");
    app.wait_for("✓ infra  PASS", LATER);
    assert_eq!(app.started(), pid, "it is the same app all the time");
    quit(app);
}
