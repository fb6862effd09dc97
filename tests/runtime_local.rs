//! The local target against real processes and real sockets.
//!
//! The service is either the built-in sample service or, where a test needs
//! more than that can do, this very test program run again as `helper_app`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests: a failure is a failed test, and what a service prints is its log"
)]

#[path = "runtime_local/app.rs"]
mod app;
#[path = "runtime_local/errors.rs"]
mod errors;
#[path = "runtime_local/failures.rs"]
mod failures;
#[path = "runtime_local/forwarding.rs"]
mod forwarding;
#[path = "runtime_local/lifetime.rs"]
mod lifetime;
#[path = "runtime_local/observing.rs"]
mod observing;
#[path = "runtime_local/platform.rs"]
mod platform;
#[path = "support/ports.rs"]
mod ports;
#[path = "runtime_local/promises.rs"]
mod promises;
#[path = "runtime_local/releases.rs"]
mod releases;
#[path = "support/runtime_suite.rs"]
mod runtime_suite;
#[path = "runtime_local/silence.rs"]
mod silence;
#[path = "runtime_local/swapping.rs"]
mod swapping;
#[path = "runtime_local/world.rs"]
mod world;

#[test]
#[ignore = "not a test: the service that other tests start"]
fn helper_app() {
    app::serve();
}

#[test]
#[ignore = "not a test: an app that starts a stack and ends"]
fn helper_short_lived_app() {
    lifetime::start_a_stack_and_end();
}
