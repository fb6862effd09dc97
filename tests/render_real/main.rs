//! What is generated, shown to the real tools: nginx in a container, Compose,
//! OPA. `SWIFTDEPLOY_TEST_DOCKER_HOST` names the Docker daemon of the tests,
//! `SWIFTDEPLOY_TEST_OPA` a real OPA; without them a test says so and passes,
//! but for `CI=true`, where it fails.

#![allow(missing_docs, reason = "test names say what they show")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what is left behind is told")]

#[path = "../render_support/mod.rs"]
mod render_support;

mod compose;
mod docker;
mod http;
mod nginx;
mod opa;
#[path = "../support/ports.rs"]
mod ports;
mod proxy;
#[path = "../support/skipped.rs"]
mod skipped;

use std::process::{Command, Output};

/// Runs a command to its end; what it said when it failed.
fn run(command: &mut Command) -> Result<String, String> {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    if status.success() {
        return Ok(stdout);
    }
    Err(format!("{command:?}: {status}\n{stdout}{}", String::from_utf8_lossy(&stderr)))
}

/// Asks again until an answer comes; fails with the last refusal.
fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Result<T, String>) -> T {
    let mut last = String::new();
    for _ in 0..200 {
        match ask() {
            Ok(answer) => return answer,
            Err(reason) => last = reason,
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("{what}: {last}")
}
