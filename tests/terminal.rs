//! The app and the terminal it was lent: given back on every way out, never
//! drawn on where it is too small, without colours where none are wanted.
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

use std::path::{Path, PathBuf};
use std::time::Duration;

use keys::{look_at_help, quit};
use rstest::rstest;
use rustix::process::{Pid, Signal, kill_process};
use screen::{ENTER, ESC, Screen};
use world::{BINARY, World};

const SOON: Duration = Duration::from_secs(10);
const LATER: Duration = Duration::from_secs(40);

/// A folder with the starters, for a local target; nothing runs in it.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let made = std::process::Command::new(BINARY)
        .args(["new", ".", "--target", "local"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    folder
}

/// The app in a shell, with its first frame drawn.
fn open(folder: &Path) -> Screen {
    let app = Screen::open(screen::in_shell(BINARY, &[], folder), 36, 120);
    app.wait_for("nothing was done yet", LATER);
    app.assert_taken();
    app
}

/// An example program, built beside the binary by `cargo test`.
fn example(name: &str) -> PathBuf {
    let path = Path::new(BINARY).with_file_name("examples").join(name);
    assert!(
        path.exists(),
        "{} is missing: plain `cargo test` builds it, or `cargo build --examples`",
        path.display()
    );
    path
}

/// Begins probe traffic, which lasts 30 seconds unless it is cancelled.
fn begin_load(app: &mut Screen) {
    app.press(":");
    app.wait_for("╭ command ", SOON);
    app.press("load");
    app.wait_for("▸ load ", SOON);
    app.press(ENTER);
    app.wait_for("load  ", SOON);
    app.wait_until("it runs", SOON, |screen| screen.contains("running ·"));
}

#[test]
fn q_gives_the_terminal_back() {
    let folder = project();
    let app = open(folder.path());
    quit(app);
}

#[test]
fn ctrl_c_gives_the_terminal_back() {
    let folder = project();
    let mut app = open(folder.path());
    app.press("\x03");
    assert!(app.wait_restored(SOON).contains("ended with 0"));
}

#[rstest]
#[case::terminate(Signal::TERM)]
#[case::hang_up(Signal::HUP)]
#[case::interrupt(Signal::INT)]
fn a_signal_gives_the_terminal_back(#[case] signal: Signal) {
    let folder = project();
    let app = open(folder.path());
    let pid = Pid::from_raw(i32::try_from(app.started()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
    assert!(app.wait_restored(SOON).contains("ended with 0"));
}

#[rstest]
#[case::in_the_app_itself("snapshot", "a panic while asked for the snapshot", "ended with 101")]
#[case::in_the_background("dispatch", "a panic while asked to validate", "ended with 1")]
fn a_panic_gives_the_terminal_back_before_its_message(
    #[case] place: &str,
    #[case] message: &str,
    #[case] ending: &str,
) {
    let folder = tempfile::tempdir().unwrap();
    let command = screen::in_shell(example("panicking_app"), &[place], folder.path());
    let mut app = Screen::open(command, 36, 120);
    if place == "dispatch" {
        app.wait_for("nothing was done yet", SOON);
        app.press("v");
    }
    let left = app.wait_restored(SOON);
    assert!(left.contains(ending), "{left}");
    let raw = app.raw();
    let (_, after) = raw.rsplit_once("\u{1b}[?1049l").unwrap();
    assert!(after.contains(message), "the message is lost: {after}");
    assert_eq!(raw.matches("\u{1b}[?1049l").count(), 1, "restored once: {raw:?}");
}

#[test]
fn an_error_at_the_start_never_takes_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--target", "local", "--manifest", "/dev/null/manifest.yaml"];
    let app = Screen::open(screen::in_shell(BINARY, &arguments, folder.path()), 36, 120);
    let left = app.wait_for("the shell is back", SOON);
    assert!(left.contains("error:") && left.contains("ended with 1"), "{left}");
    assert!(left.contains("every setting is as before"), "{left}");
    assert!(!app.raw().contains("\u{1b}[?"), "{}", app.raw());
}

#[rstest]
#[case::input("\"$0\" </dev/null; tell $?")]
#[case::output("{ \"$0\"; tell $?; } | cat")]
fn with_half_a_terminal_the_app_says_to_use_a_command_and_never_takes_it(#[case] script: &str) {
    let folder = project();
    let app = Screen::open(screen::shell(script, BINARY, &[], folder.path()), 36, 120);
    let left = app.wait_for("the shell is back", SOON);
    for told in ["the app needs a terminal", "use a command", "ended with 1", "every setting is as before"] {
        assert!(left.contains(told), "no {told:?} in\n{left}");
    }
    assert!(!app.raw().contains("\u{1b}[?"), "{}", app.raw());
}

#[test]
fn without_a_manifest_the_app_says_how_to_get_one_and_goes_on_when_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let command = screen::in_shell(BINARY, &["--target", "local"], folder.path());
    let mut app = Screen::open(command, 36, 120);
    app.wait_for("✗ the manifest cannot be used", LATER);
    app.wait_for("there is no manifest", SOON);
    app.wait_for("write a starter with", SOON);
    app.press("d");
    app.wait_for("deploy  ✗ failed", SOON);
    app.wait_for("next:  write a starter with `swiftdeploy new`", SOON);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing begins without a manifest");
    let made = std::process::Command::new(BINARY).args(["new", "."]).current_dir(folder.path()).output();
    assert!(made.unwrap().status.success());
    app.wait_for("nothing is deployed: d deploys", LATER);
    quit(app);
}

#[test]
fn a_second_app_is_told_who_works_and_both_go_on() {
    let world = World::local();
    world.edit_manifest(|text| {
        text.replace(
            "  version: \"1.0.0\"\n",
            "  version: \"1.0.0\"\n  command: [\"sleep\", \"600\"]\n  health:\n    wait: 50s\n",
        )
    });
    let mut first = open(world.root());
    first.press("d");
    first.wait_for("wait healthy", LATER);
    let holder = first.started();
    let mut second = open(world.root());
    second.press("d");
    second.wait_until("who works is told", SOON, |screen| {
        screen.contains("deploy is running") && screen.contains(&holder.to_string())
    });
    for app in [&mut second, &mut first] {
        look_at_help(app);
    }
    quit(second);
    first.press("q");
    first.wait_for("deploy is running", SOON);
    first.press("y");
    assert!(first.wait_restored(LATER).contains("ended with 0"));
    assert_eq!(world.processes(), Vec::<String>::new(), "nothing of the cancelled deployment runs");
}

#[test]
fn too_small_a_screen_says_so_and_comes_back() {
    let folder = project();
    let mut app = open(folder.path());
    app.resize(10, 40);
    app.wait_for("make the terminal larger", SOON);
    app.wait_for("now 40x10, needs 60x15", SOON);
    app.resize(24, 80);
    app.wait_for("nothing was done yet", SOON);
    assert!(!app.text().contains("make the terminal larger"));
    app.resize(3, 9);
    app.wait_until("it fits any size", SOON, |screen| screen.contains("now 9x3"));
    app.resize(36, 120);
    app.wait_for("1 manifest", SOON);
    app.press("q");
    app.wait_restored(SOON);
}

#[test]
fn on_a_screen_that_is_too_small_from_the_start_the_app_can_be_left() {
    let folder = project();
    let mut app = Screen::open(screen::in_shell(BINARY, &[], folder.path()), 14, 59);
    app.wait_for("make the terminal larger", LATER);
    app.wait_for("q quits", SOON);
    app.assert_taken();
    app.press("q");
    app.resize(36, 120);
    assert!(app.wait_restored(SOON).contains("ended with 0"));
}

/// The parameters of all sequences that set colours or modifiers.
fn styles(raw: &str) -> Vec<&str> {
    raw.split("\u{1b}[")
        .skip(1)
        .filter_map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':')?;
            rest[end..].starts_with('m').then(|| &rest[..end])
        })
        .collect()
}

#[test]
fn without_colours_modifiers_carry_what_matters() {
    let folder = project();
    let mut command = screen::program(BINARY, &[], folder.path());
    command.env("NO_COLOR", "1");
    let mut app = Screen::open(command, 36, 120);
    app.wait_for("nothing was done yet", LATER);
    app.press("m");
    app.wait_for("╭ menu ", SOON);
    let raw = app.raw();
    let coloured: Vec<_> = styles(&raw)
        .into_iter()
        .filter(|style| style.split([';', ':']).any(|part| part.parse().is_ok_and(|code: u16| code >= 30)))
        .collect();
    assert_eq!(coloured, Vec::<&str>::new());
    let is_marked = app.cells(|cells| {
        let (rows, cols) = cells.size();
        (0..rows.get())
            .any(|row| (0..cols.get()).any(|col| cells.cell(row, col).is_some_and(vt100::Cell::inverse)))
    });
    assert!(is_marked, "the chosen line is not to be seen:\n{}", app.text());
    app.press(ESC);
    app.wait_until("the menu is closed", SOON, |screen| !screen.contains("╭ menu "));
    app.press("q");
    assert!(app.wait_end(SOON).success());

    let colourful = Screen::open(screen::program(BINARY, &[], folder.path()), 36, 120);
    colourful.wait_for("nothing was done yet", LATER);
    assert!(styles(&colourful.raw()).iter().any(|style| style.starts_with("38;5;")), "colours by default");
}

#[test]
fn quitting_leaves_the_stack_running_and_asks_while_something_is_being_done() {
    let world = World::local();
    world.run(&["deploy"]).ends_with(0);
    let mut app = Screen::open(screen::in_shell(BINARY, &[], world.root()), 36, 120);
    app.wait_for("● app-blue", LATER);
    begin_load(&mut app);
    app.press("q");
    app.wait_for("load is running", SOON);
    app.press("n");
    app.wait_until("the question is gone", SOON, |screen| !screen.contains("load is running"));
    app.press("q");
    app.wait_for("load is running", SOON);
    app.press("y");
    let left = app.wait_restored(SOON);
    assert!(left.contains("ended with 0"), "{left}");
    let told = format!(
        "{} keeps running on local at http://localhost:{}; end it with: swiftdeploy teardown",
        world.project, world.port
    );
    assert!(left.contains(&told), "{left}");
    assert_eq!(world.get("/").status, 200);
}

#[test]
fn the_demo_tells_its_whole_story_in_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = screen::in_shell(BINARY, &["demo", "--pace", "0.4"], folder.path());
    command.env("TMPDIR", folder.path());
    let mut app = Screen::open(command, 36, 120);
    app.wait_for("Deploy: the policy is asked", LATER);
    let screen = app.wait_until("the story's end", Duration::from_secs(90), |screen| {
        screen.contains("That was the whole story") || screen.contains("did not go as the story tells")
    });
    assert!(screen.contains("Press q to quit"), "{screen}");
    app.press("q");
    assert!(app.wait_restored(LATER).contains("ended with 0"));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the temporary folder goes too");
}

#[test]
fn the_demo_tells_its_whole_story_without_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let ran = std::process::Command::new(BINARY)
        .arg("demo")
        .current_dir(folder.path())
        .env("TMPDIR", folder.path())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{out}\n{}", String::from_utf8_lossy(&ran.stderr));
    for told in
        ["Deploy: the policy is asked", "✗ error_rate ", "% (must be <= 1 %)", "And everything goes again."]
    {
        assert!(out.contains(told), "no {told:?} in\n{out}");
    }
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(errors.contains("Promotion blocked: Canary safety policy violation"), "{errors}");
    assert!(!out.contains('\u{1b}'), "a file gets no escape sequences");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the temporary folder goes too");
}
