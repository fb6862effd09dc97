//! The whole life of a service by keys, in a terminal, on the local target.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

#[path = "support/look.rs"]
mod look;
#[path = "support/neighbours.rs"]
mod neighbours;
#[path = "support/screen.rs"]
mod screen;
#[path = "support/world.rs"]
mod world;

use std::time::Duration;

use neighbours::Neighbours;
use rstest::rstest;
use screen::{DOWN, ENTER, ESC, Screen};
use world::{Pace, World};

const SOON: Duration = Duration::from_secs(10);
const LATER: Duration = Duration::from_secs(40);

/// The line of the screen with this text, without frames.
fn line(screen: &str, text: &str) -> Option<String> {
    screen.lines().find(|line| line.contains(text)).map(str::to_owned)
}

/// The share of errors that the traffic pane shows, in percent.
fn error_rate(screen: &str) -> Option<f64> {
    let (_, after) = screen.split_once("│ errors ")?;
    after.split_whitespace().next()?.parse().ok()
}

/// Chooses a line of the menu by the arrow keys.
#[track_caller]
fn choose(app: &mut Screen, name: &str) {
    app.press("m");
    app.wait_for("╭ menu ", SOON);
    let is_chosen = |screen: &str| screen.contains(&format!("▸ {name} "));
    for _ in 0..40 {
        if is_chosen(&app.text()) {
            app.press(ENTER);
            app.wait_until("the menu is closed", SOON, |screen| !screen.contains("╭ menu "));
            return;
        }
        let before = app.text();
        app.press(DOWN);
        app.wait_until("the choice moves", SOON, |screen| screen != before);
    }
    panic!("no {name:?} in the menu:\n{}", app.text());
}

#[rstest]
#[case::in_short_windows(Pace::Quick)]
#[case::as_new_writes_it(Pace::Shipped)]
fn the_story_by_keys_ends_with_nothing_left_and_nothing_else_touched(#[case] pace: Pace) {
    neighbours::with_own_processes(|| {
        let world = World::empty_local(pace);
        let neighbours = Neighbours::of(&world);
        let before = neighbours.listing();
        let mut app = Screen::open(screen::typed(world::BINARY, world.root()), 36, 120);
        begins(&mut app, &world);
        prepares(&mut app, &world);
        deploys(&mut app, &world);
        canary_takes_over(&mut app, &world);
        chaos_is_seen_and_denied(&mut app, &world);
        rolls_back(&mut app, &world);
        // At the shipped pace draining takes as long as the probe traffic.
        if pace == Pace::Quick {
            ends_the_load(&mut app);
        }
        looks_around(&mut app, &world);
        tears_down(&mut app, &world);

        app.press("q");
        let left = app.wait_restored(LATER);
        assert!(left.contains("ended with 0"), "{left}");
        assert!(!left.contains("keeps running"), "{left}");
        app.press("exit\r");
        assert!(app.wait_end(SOON).success());
        assert_eq!(world.processes(), Vec::<String>::new());
        assert_eq!(neighbours.listing(), before);
        neighbours.still_serve();
    });
}

/// From an empty folder to the app, typed into a shell.
fn begins(app: &mut Screen, world: &World) {
    assert_eq!(std::fs::read_dir(world.root()).unwrap().count(), 0, "the story begins with nothing");
    app.press("swiftdeploy new . --target local\r");
    app.wait_for("created ./manifest.yaml", LATER);
    world.settle();
    app.press("swiftdeploy; tell $?\r");
    app.wait_for("local ", LATER);
    app.wait_for("nothing is deployed: d deploys", LATER);
}

fn prepares(app: &mut Screen, world: &World) {
    app.press("i");
    app.wait_for("init  ✓ done", LATER);
    app.wait_for("generated ✓ up to date", SOON);
    let first = look::contents(&world.path("generated"));
    assert!(first.len() >= 3, "{:?}", first.keys());
    std::fs::remove_dir_all(world.path("generated")).unwrap();
    app.wait_for("generated ○ not yet: i", SOON);
    app.press("i");
    app.wait_for("generated ✓ up to date", SOON);
    assert_eq!(look::contents(&world.path("generated")), first);
    app.press("v");
    let screen = app.wait_for("validate  ✓ done", LATER);
    let (_, checks) = screen.rsplit_once("validate  ✓ done").unwrap();
    assert_eq!(checks.matches("   ✓ ").count(), 5, "{screen}");
    assert!(!checks.contains('✗'), "{screen}");
}

fn deploys(app: &mut Screen, world: &World) {
    app.press("d");
    app.wait_for("app-blue serves stable 1.0.0 at", LATER);
    app.wait_until("the containers are shown", SOON, |screen| {
        line(screen, "● app-blue").is_some_and(|line| line.contains("stable healthy"))
    });
    let answer = world.get("/");
    assert_eq!((answer.status, answer.header("x-mode")), (200, None));
    assert_eq!(answer.json()["mode"], "stable");
    assert_eq!(answer.header("x-deployed-by"), Some("swiftdeploy"));
}

fn canary_takes_over(app: &mut Screen, world: &World) {
    app.press("p");
    app.wait_for("╭ promote ", SOON);
    app.press("c");
    app.wait_for("has the traffic; app-blue stays ready", LATER);
    app.wait_for("▲ canary 100 %", SOON);
    let answer = world.get("/");
    assert_eq!((answer.json()["mode"].as_str(), answer.header("x-mode")), (Some("canary"), Some("canary")));
    assert!(world.read("manifest.yaml").contains("mode: canary"));
}

fn chaos_is_seen_and_denied(app: &mut Screen, world: &World) {
    let injected = world.curl_chaos(r#"{"mode":"error","rate":0.9}"#);
    assert_eq!(injected.status, 200, "{injected:?}");
    app.wait_for("chaos error rate 90 %", SOON);
    choose(app, "load");
    app.wait_for("20 requests/s for 30 s", SOON);
    app.wait_until("the failing canary", Duration::from_secs(30), |screen| {
        error_rate(screen).is_some_and(|rate| rate > 50.0)
            && line(screen, "canary FAIL").is_some()
            && line(screen, "infra  PASS").is_some()
            && line(screen, "✗ error_rate").is_some_and(|line| line.contains("> 1 %"))
    });
    app.press("p");
    app.wait_for("╭ promote ", SOON);
    app.press("s");
    let screen = app.wait_for("promote stable  ✗ denied", LATER);
    let (_, denied) = screen.rsplit_once("promote stable  ✗ denied").unwrap();
    for told in [
        "error_rate 0.",
        "above the limit 0.01 (1 %)",
        "Promotion blocked: Canary safety policy violation",
        "serves the traffic",
    ] {
        assert!(denied.contains(told), "no {told:?} in\n{screen}");
    }
    assert_eq!(world.get("/healthz").json()["mode"], "canary");
}

fn rolls_back(app: &mut Screen, world: &World) {
    app.press("r");
    app.wait_for("serves stable 1.0.0 again", LATER);
    app.wait_for("■ stable", SOON);
    let health = world.get("/healthz");
    assert_eq!((health.status, health.json()["mode"].as_str()), (200, Some("stable")));
    for _ in 0..20 {
        assert_eq!(world.get("/").status, 200);
    }
}

/// The probe traffic has done its work; Escape ends it, once that is confirmed.
fn ends_the_load(app: &mut Screen) {
    app.press(ESC);
    app.wait_for("Cancel load?", SOON);
    app.press("y");
    // It leaves the window, which is up to half a minute long.
    app.wait_until("the traffic ends", LATER, |screen| {
        line(screen, "│ requests ").is_some_and(|line| line.contains(" 0/s "))
    });
}

fn looks_around(app: &mut Screen, world: &World) {
    choose(app, "audit");
    app.wait_for("audit  ✓ done", LATER);
    look::report_tells_it_all(&world.read("audit_report.md"));

    app.press("l");
    app.wait_for("╭ logs ", SOON);
    app.wait_for("listening on 127.0.0.1:", SOON);
    app.press("/nowhere");
    app.wait_until("the filter leaves nothing", SOON, |screen| !screen.contains("listening on"));
    app.press(ESC);
    app.wait_for("listening on 127.0.0.1:", SOON);
    app.press(ESC);
    app.wait_until("the logs are closed", SOON, |screen| !screen.contains("╭ logs "));

    app.press("?");
    let help = app.wait_for("╭ help ", SOON);
    for told in ["i              generate the files", "q              leave", "Ctrl-C"] {
        assert!(help.contains(told), "no {told:?} in\n{help}");
    }
    app.press(ESC);
    app.wait_until("the help is closed", SOON, |screen| !screen.contains("╭ help "));
}

fn tears_down(app: &mut Screen, world: &World) {
    // As `new` writes it, the manifest leaves the project's name to the service's.
    let is_named = world.read("manifest.yaml").contains("project:");
    let name = if is_named { world.project.as_str() } else { "app" };
    app.press("t");
    app.wait_for("and nothing else:", SOON);
    let screen = app.text();
    for told in ["- app-blue (pid", "- proxy (pid", &format!("Type {name} to confirm")] {
        assert!(screen.contains(told), "no {told:?} in\n{screen}");
    }
    // Neither Enter alone nor another name removes anything.
    app.press(ENTER);
    app.press("other");
    app.wait_for("> other", SOON);
    app.press(ENTER);
    assert_eq!(world.get("/").status, 200);
    app.press("\x15");
    app.press(name);
    app.wait_for("✓ Enter removes", SOON);
    app.press(ENTER);
    app.wait_for("teardown  ✓ done", LATER);
    world::until("nobody listens", SOON, || {
        world::request(world.port, "GET", "/", "").map_or(Ok(()), |answer| Err(format!("{answer:?}")))
    });
    app.wait_for("nothing is deployed", SOON);
    // What is left is the app on the screen and its shell.
    let is_here = |command: &String| command.trim() == world::BINARY || command.starts_with("/bin/sh -c ");
    let left: Vec<_> = world.processes().into_iter().filter(|command| !is_here(command)).collect();
    assert_eq!(left, Vec::<String>::new());
}
