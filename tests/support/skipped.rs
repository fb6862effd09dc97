//! Tests that cannot show here what they are for: each says why and is counted
//! by `tests/run`; in CI, where leaving something out is a failure, it fails.
#![allow(dead_code, reason = "every test binary uses another part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests; clippy knows only test functions as tests"
)]

use std::io::Write;

/// Tells that the test of this thread does without something. `tests/run`
/// counts the names in the file that it names by `SWIFTDEPLOY_TEST_SKIPPED`;
/// they hold the program's name too, since two programs may have tests of the
/// same name.
#[track_caller]
pub fn note(without: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "cannot run in full here: {without}");
    println!("skipped: {without}");
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    if let Some(path) = std::env::var_os("SWIFTDEPLOY_TEST_SKIPPED") {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        // One write: other tests write to the same file.
        file.write_all(format!("{}::{name}\n", env!("CARGO_CRATE_NAME")).as_bytes()).unwrap();
    }
}

/// The value of a variable by which `tests/run` names something real; `None`
/// skips the test of this thread.
#[track_caller]
pub fn needs(variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        note(&format!("{variable} is not set; `tests/run` sets it"));
    }
    value
}
