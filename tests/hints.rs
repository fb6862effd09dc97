//! What a message says to type can be typed: every command that the sources and the
//! texts name is one.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn files(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.to_owned()];
    }
    fs::read_dir(place).unwrap().flat_map(|entry| files(&entry.unwrap().path())).collect()
}

/// The commands between backticks, without what is filled in when they are told.
fn commands(text: &str) -> impl Iterator<Item = String> + '_ {
    // A line of a string goes on after a backslash, one of a comment after its mark.
    text.split('`').filter_map(|quoted| quoted.strip_prefix("swiftdeploy ")).map(|arguments| {
        let words = arguments.split_whitespace().filter(|word| !["\\", "//!", "///", "//"].contains(word));
        words.map(|word| word.replace("{target}", "local").replace("{}", "7")).collect::<Vec<_>>().join(" ")
    })
}

#[test]
fn every_command_that_is_named_is_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named: BTreeSet<String> = ["src", "docs", "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"]
        .iter()
        .flat_map(|place| files(&root.join(place)))
        // Not what screens looked like.
        .filter(|file| file.extension().is_some_and(|end| end == "rs" || end == "md"))
        .filter_map(|file| fs::read_to_string(file).ok())
        .flat_map(|text| commands(&text).collect::<Vec<_>>())
        .collect();
    assert!(named.len() > 20, "they are not found any more: {named:?}");
    let unknown: Vec<String> = named.into_iter().filter(|arguments| !is_known(arguments)).collect();
    assert!(unknown.is_empty(), "no such command: {unknown:#?}");
}

/// Whether the arguments are understood; `--help` keeps them from being obeyed.
fn is_known(arguments: &str) -> bool {
    let words = arguments.split(' ').chain(["--help"]);
    let output = Command::new(env!("CARGO_BIN_EXE_swiftdeploy")).args(words).output().unwrap();
    output.status.success()
}

#[test]
fn a_command_that_is_none_is_found() {
    let text = "say `swiftdeploy deploy --fast`, or `swiftdeploy load --rps {} --for {}s`, or `docker ps`";
    let named: Vec<String> = commands(text).collect();
    assert_eq!(named, ["deploy --fast", "load --rps 7 --for 7s"]);
    assert_eq!(named.iter().map(|arguments| is_known(arguments)).collect::<Vec<_>>(), [false, true]);
}
