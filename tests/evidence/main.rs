//! What speaks for and against a canary, end to end through the engine: faults
//! of its metrics, several instances, requests that only the proxy saw, and
//! the wait for enough of them. Never a pass for a wrong reason.

#[path = "../support/keys.rs"]
mod keys;
#[path = "../support/screen.rs"]
mod screen;
#[path = "../support/world.rs"]
mod world;

mod app;
mod docker;
mod faults;
mod runtime;
mod several;
mod stage;
mod terminal;
mod unseen;
mod waiting;
mod warnings;
