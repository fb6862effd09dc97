//! What goes wrong from outside, one test for each: the message says what,
//! where and what to do, the exit code is right, and nothing is half done.

#[path = "../support/world.rs"]
mod world;

mod disk;
mod docker;
mod fake;
mod instance;
mod manifest;
mod metrics;
mod policy;
mod service;
mod terminal;
mod untouched;
