//! The rules of the house that the compiler does not know: who may know whom,
//! every module says what it is, nobody reads a clock, nothing unbounded.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

use std::fs;
use std::path::{Path, PathBuf};

/// Every Rust file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Which folders of `src/` a folder must not know.
const FORBIDDEN: [(&str, &[&str]); 11] = [
    (
        "domain",
        &["manifest", "render", "runtime", "policy", "telemetry", "history", "engine", "cli", "tui", "clock"],
    ),
    ("manifest", &["render", "runtime", "policy", "telemetry", "history", "engine", "cli", "tui"]),
    ("render", &["policy", "telemetry", "history", "engine", "cli", "tui"]),
    ("runtime", &["manifest", "render", "policy", "telemetry", "history", "engine", "cli", "tui"]),
    ("policy", &["manifest", "render", "runtime", "telemetry", "history", "engine", "cli", "tui"]),
    ("telemetry", &["manifest", "render", "runtime", "policy", "history", "engine", "cli", "tui"]),
    ("history", &["manifest", "render", "runtime", "policy", "telemetry", "engine", "cli", "tui"]),
    ("engine", &["cli", "tui"]),
    ("tui", &["cli", "render", "history", "telemetry::scrape"]),
    ("cli", &["render"]),
    ("clock.rs", &["engine", "cli", "tui"]),
];

#[test]
fn folders_know_only_whom_they_may() {
    let mut offences = Vec::new();
    for (folder, forbidden) in FORBIDDEN {
        let place = root().join("src").join(folder);
        let files = if place.is_dir() { sources(&place) } else { vec![place] };
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for other in forbidden {
                if text.contains(&format!("crate::{other}::")) || text.contains(&format!("crate::{other};")) {
                    offences.push(format!("{} knows {other}", file.display()));
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn every_module_says_what_it_is() {
    let silent: Vec<String> = ["src", "service/src", "tests", "fuzz"]
        .iter()
        .map(|folder| root().join(folder))
        .flat_map(|folder| sources(&folder))
        .filter(|file| !fs::read_to_string(file).unwrap().starts_with("//!"))
        .map(|file| file.display().to_string())
        .collect();
    assert!(silent.is_empty(), "without a module doc:\n{}", silent.join("\n"));
}

#[test]
fn nothing_is_left_for_later() {
    let unfinished: Vec<String> = [root().join("src"), root().join("service/src")]
        .iter()
        .flat_map(|folder| sources(folder))
        .filter(|file| {
            let text = fs::read_to_string(file).unwrap();
            ["TODO", "FIXME", "XXX"].iter().any(|mark| text.contains(mark))
        })
        .map(|file| file.display().to_string())
        .collect();
    assert!(unfinished.is_empty(), "unfinished thoughts in:\n{}", unfinished.join("\n"));
}
