//! Makes `assets/screenshot.svg` from the running app: the real binary on the
//! local target, in a pseudo-terminal, driven by keys through deploy, canary,
//! chaos and a denied promotion.
//!
//! `cargo run --example screenshot`
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a tool for the repository: it stops where something is not as expected"
)]

#[path = "../tests/support/screen.rs"]
mod screen;
#[path = "screenshot/svg.rs"]
mod svg;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use screen::{ENTER, Screen};

const ROWS: u16 = 36;
const COLUMNS: u16 = 120;
const SOON: Duration = Duration::from_secs(20);
const LATER: Duration = Duration::from_mins(1);

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let binary = binary(root);
    let folder = tempfile::tempdir().unwrap();
    let shop = Shop { binary, folder: folder.path().join("shop") };
    shop.make();
    let picture = shop.play();
    let path = root.join("assets/screenshot.svg");
    std::fs::write(&path, &picture).unwrap();
    println!("{}: {} kB", path.display(), picture.len() / 1000);
}

/// Builds the program, so that the picture shows what the source says, and
/// tells where it is: two folders above this one. Built together with this
/// example, since alone the program would have other features of its
/// dependencies, and all of them would be compiled again.
fn binary(root: &Path) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--bin", "swiftdeploy", "--example", "screenshot"])
        .current_dir(root)
        .status()
        .unwrap();
    assert!(built.success(), "the program does not build");
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("swiftdeploy")
}

/// The project that is shown.
struct Shop {
    binary: PathBuf,
    folder: PathBuf,
}

impl Shop {
    fn run(&self, arguments: &[&str], folder: &Path) {
        let ran = Command::new(&self.binary).args(arguments).current_dir(folder).output().unwrap();
        assert!(ran.status.success(), "{arguments:?}: {ran:?}");
    }

    /// Writes the starters with what makes a good picture in a short time.
    fn make(&self) {
        std::fs::create_dir(&self.folder).unwrap();
        self.run(&["new", ".", "--target", "local"], &self.folder);
        // The usual port where it is free, else any.
        let port = TcpListener::bind(("0.0.0.0", 8080))
            .or_else(|_| TcpListener::bind(("0.0.0.0", 0)))
            .and_then(|free| free.local_addr())
            .unwrap()
            .port();
        let manifest = self.folder.join("manifest.yaml");
        let text = std::fs::read_to_string(&manifest).unwrap();
        let text = text
            .replace("services:\n", "project: shop\nservices:\n")
            .replace("swift-deploy-1-node:latest", "shop/app:1.0")
            .replace("swiftdeploy-net", "shop-net")
            .replace("port: 8080", &format!("port: {port}\n  drain: 1s"));
        let short = "canary:\n  window: 10s\n  min_requests: 50\n  max_wait: 20s\nstatus:\n  interval: 1s\n";
        std::fs::write(&manifest, format!("{text}{short}")).unwrap();
        // How busy the machine is that makes the picture is of no interest.
        let limits = self.folder.join("policies/data.json");
        let text = std::fs::read_to_string(&limits).unwrap().replace("\"cpu_load\": 2.0", "\"cpu_load\": 50");
        std::fs::write(&limits, text).unwrap();
    }

    /// Plays the scene and draws its last moment.
    fn play(&self) -> String {
        let mut app = Screen::open(screen::program(&self.binary, &[], &self.folder), ROWS, COLUMNS);
        app.wait_for("nothing is deployed: d deploys", SOON);
        app.press("d");
        app.wait_for("app-blue serves stable", LATER);
        command(&mut app, "load more");
        app.wait_until("stable has traffic", LATER, |screen| screen.contains("needed) · stable"));
        std::thread::sleep(Duration::from_secs(12));
        app.press("p");
        app.wait_for("╭ promote ", SOON);
        app.press("c");
        app.wait_for("has the traffic; app-blue stays", LATER);
        app.wait_until("the canary passes", LATER, |screen| screen.contains("✓ canary PASS"));
        std::thread::sleep(Duration::from_secs(4));
        app.press("5");
        app.press("e");
        app.wait_for("error rate 50 % in green", SOON);
        app.wait_until("figures stand", LATER, |screen| {
            let (_, after) = screen.split_once("│ errors ").unwrap_or_default();
            after
                .split_whitespace()
                .next()
                .and_then(|rate| rate.parse().ok())
                .is_some_and(|rate: f64| rate > 47.0)
        });
        std::thread::sleep(Duration::from_secs(3));
        app.press("6");
        app.press("p");
        app.wait_for("╭ promote ", SOON);
        app.press("s");
        app.wait_for("promote stable  ✗ denied", LATER);
        app.wait_for("Promotion blocked", SOON);
        std::thread::sleep(Duration::from_secs(1));
        let text = app.text();
        for path in [self.folder.to_str().unwrap(), env!("CARGO_MANIFEST_DIR"), "/tmp"] {
            assert!(!text.contains(path), "{path} is to be seen:\n{text}");
        }
        app.cells(|cells| svg::draw(cells, "swiftdeploy — shop"))
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = Command::new(&self.binary).args(["teardown", "--yes"]).current_dir(&self.folder).output();
    }
}

/// Does what the palette calls by this name.
fn command(app: &mut Screen, name: &str) {
    app.press(":");
    app.wait_for("╭ command ", SOON);
    app.press(name);
    app.wait_for(&format!("▸ {name} "), SOON);
    app.press(ENTER);
    app.wait_until("the palette is closed", SOON, |screen| !screen.contains("╭ command "));
}
