//! Every view has a picture at both sizes, and everything that draws has a view
//! here: a new pane, overlay or file without one does not compile or fails.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crossterm::event::KeyCode;
use insta::assert_snapshot;
use rstest::rstest;

use super::scenes;
use super::world::World;
use crate::tui::command::Pane;
use crate::tui::layout::{self, Wanted};
use crate::tui::state::{Overlay, State, Toasts, Tone};

/// What the app is made for: columns and rows.
const SIZES: [(u16, u16); 2] = [(120, 36), (80, 24)];

/// The screen for terminals that are too small never has those; it has one too
/// narrow and one too low.
const TOO_SMALL: [(u16, u16); 2] = [(59, 36), (80, 14)];

/// Where what draws is, from the root of the repository.
const FOLDER: &str = "src/tui/view";

/// Files that draw nothing of their own: frames, pieces and what calls the rest.
const PIECES: [&str; 4] = ["mod.rs", "panel.rs", "spark.rs", "overlay/mod.rs"];

/// The table: a view, the file that draws it, and a situation that shows it.
macro_rules! views {
    ($($view:ident: $file:literal, $scene:expr;)*) => {
        /// Something that a person can have before them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum View {
            $($view,)*
        }

        impl View {
            const ALL: &[Self] = &[$(Self::$view,)*];

            const fn file(self) -> &'static str {
                match self {
                    $(Self::$view => $file,)*
                }
            }

            fn scene(self) -> World {
                match self {
                    $(Self::$view => $scene,)*
                }
            }
        }
    };
}

views! {
    Manifest: "manifest.rs", focused("1");
    Traffic: "traffic.rs", focused("2");
    Containers: "containers.rs", focused("3");
    Policy: "policy.rs", focused("4");
    Chaos: "chaos.rs", focused("5");
    Activity: "activity.rs", focused("6");
    ManifestZoomed: "manifest.rs", focused("1z");
    TrafficZoomed: "traffic.rs", focused("2z");
    ContainersZoomed: "containers.rs", focused("3z");
    PolicyZoomed: "policy.rs", focused("4z");
    ChaosZoomed: "chaos.rs", focused("5z");
    ActivityZoomed: "activity.rs", focused("6z");
    NothingKnown: "footer.rs", World::new();
    Banner: "header.rs", scenes::disconnected();
    Announcement: "activity.rs", announced();
    Toasts: "toasts.rs", toasts();
    TooSmall: "small.rs", World::stable();
    Menu: "overlay/list.rs", scenes::menu();
    Palette: "overlay/list.rs", scenes::palette();
    Help: "overlay/help.rs", scenes::help();
    Promote: "overlay/promote.rs", scenes::promote_chooser();
    ChaosMenu: "overlay/chaos.rs", scenes::chaos_menu();
    Teardown: "overlay/teardown.rs", scenes::teardown();
    Logs: "overlay/logs.rs", scenes::logs();
    LogFilter: "overlay/logs.rs", typing_a_filter();
    Decision: "overlay/decision.rs", scenes::explained();
    Plan: "overlay/plan.rs", scenes::plan();
    Replay: "overlay/replay.rs", scenes::replayed();
    ConfirmCancel: "overlay/confirm.rs", cancelling();
    ConfirmQuit: "overlay/confirm.rs", scenes::leaving();
}

/// Everything has something to show, and these keys were pressed.
fn focused(keys: &str) -> World {
    let mut world = scenes::denied();
    quiet(&mut world);
    world.keys(keys);
    world
}

fn announced() -> World {
    let mut world = scenes::announced();
    quiet(&mut world);
    world
}

/// Short messages would lie on top.
fn quiet(world: &mut World) {
    world.state.toasts = Toasts::default();
}

/// Messages of every kind, one of them longer than a line.
fn toasts() -> World {
    let mut world = World::connected();
    let now = world.now.instant;
    for (tone, text) in [
        (Tone::Info, "no gate was asked yet"),
        (
            Tone::Warn,
            "another swiftdeploy (pid 4711, anna@workbench) runs deploy since 12:01:07; wait for it, or end it there",
        ),
        (Tone::Fail, "deploy: failed"),
    ] {
        world.state.toasts.show(tone, text, now);
    }
    world
}

fn typing_a_filter() -> World {
    let mut world = scenes::logs();
    world.keys("/cart/1");
    world
}

fn cancelling() -> World {
    let mut world = World::connected();
    world.deploy_running();
    world.key(KeyCode::Esc);
    world
}

/// The view of what lies on top. No `_` arm: a new overlay must have one.
const fn of_overlay(top: &Overlay) -> View {
    match top {
        Overlay::Menu { .. } => View::Menu,
        Overlay::Palette { .. } => View::Palette,
        Overlay::Help { .. } => View::Help,
        Overlay::Promote { .. } => View::Promote,
        Overlay::Chaos(_) => View::ChaosMenu,
        Overlay::Teardown(_) => View::Teardown,
        Overlay::Logs(logs) if logs.is_filtering => View::LogFilter,
        Overlay::Logs(_) => View::Logs,
        Overlay::Decision { .. } => View::Decision,
        Overlay::Plan { .. } => View::Plan,
        Overlay::Replay(_) => View::Replay,
        Overlay::ConfirmCancel { .. } => View::ConfirmCancel,
        Overlay::ConfirmQuit { .. } => View::ConfirmQuit,
    }
}

/// The view of a pane. No `_` arm: a new pane must have two.
const fn of_pane(pane: Pane, is_zoomed: bool) -> View {
    match (pane, is_zoomed) {
        (Pane::Manifest, false) => View::Manifest,
        (Pane::Traffic, false) => View::Traffic,
        (Pane::Containers, false) => View::Containers,
        (Pane::Policy, false) => View::Policy,
        (Pane::Chaos, false) => View::Chaos,
        (Pane::Activity, false) => View::Activity,
        (Pane::Manifest, true) => View::ManifestZoomed,
        (Pane::Traffic, true) => View::TrafficZoomed,
        (Pane::Containers, true) => View::ContainersZoomed,
        (Pane::Policy, true) => View::PolicyZoomed,
        (Pane::Chaos, true) => View::ChaosZoomed,
        (Pane::Activity, true) => View::ActivityZoomed,
    }
}

/// What a person has before them: what lies on top first.
fn shown(state: &State) -> View {
    let wanted = Wanted {
        focus: state.focus,
        tab: state.tab,
        is_zoomed: state.is_zoomed,
        has_banner: crate::tui::view::header::has_banner(state),
    };
    let Some(areas) = layout::areas(state.size.0, state.size.1, wanted) else { return View::TooSmall };
    if let Some(top) = state.overlays.last() {
        return of_overlay(top);
    }
    if !state.toasts.shown().is_empty() {
        return View::Toasts;
    }
    if wanted.has_banner {
        return View::Banner;
    }
    if state.watch.manifest.is_none() {
        return View::NothingKnown;
    }
    if state.activity.announced().is_some() {
        return View::Announcement;
    }
    assert!(
        areas.panes.iter().any(|placed| placed.pane == state.focus),
        "the focused pane is not to be seen"
    );
    of_pane(state.focus, state.is_zoomed)
}

const fn sizes(view: View) -> [(u16, u16); 2] {
    match view {
        View::TooSmall => TOO_SMALL,
        _ => SIZES,
    }
}

/// The name of a view's picture: `chaos_menu_80x24`.
fn picture(view: View, (width, height): (u16, u16)) -> String {
    let mut name = String::new();
    for letter in format!("{view:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    format!("{name}_{width}x{height}")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[rstest]
#[case::first(0)]
#[case::second(1)]
fn every_view_is_as_its_picture(#[case] size: usize) {
    for view in View::ALL {
        let size = sizes(*view)[size];
        let mut world = view.scene();
        let drawn = world.draw(size.0, size.1);
        assert_eq!(shown(&world.state), *view, "the scene shows something else:\n{drawn}");
        assert_snapshot!(picture(*view, size), drawn);
    }
}

#[test]
fn every_view_has_its_pictures_and_no_picture_is_without_a_view() {
    let prefix = "swiftdeploy__tui__tests__views__";
    let folder = root().join("src/tui/tests/snapshots");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let there: BTreeSet<String> = names
        .filter_map(|name| Some(name.to_str()?.strip_prefix(prefix)?.strip_suffix(".snap")?.to_owned()))
        .collect();
    let wanted: BTreeSet<String> =
        View::ALL.iter().flat_map(|view| sizes(*view).map(|size| picture(*view, size))).collect();
    assert_eq!(there, wanted);
}

#[test]
fn every_file_that_draws_has_a_view() {
    let folder = root().join(FOLDER);
    let listed = |below: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder.join(below)).unwrap();
        entries.map(|entry| Path::new(below).join(entry.unwrap().file_name())).collect()
    };
    let files = [listed(""), listed("overlay")].concat();
    let there: BTreeSet<String> = files
        .iter()
        .filter(|file| file.extension().is_some())
        .map(|file| file.to_str().unwrap().to_owned())
        .filter(|file| !PIECES.contains(&file.as_str()))
        .collect();
    let drawn: BTreeSet<String> = View::ALL.iter().map(|view| view.file().to_owned()).collect();
    assert_eq!(there, drawn);
}
