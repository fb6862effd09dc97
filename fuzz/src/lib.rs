//! What must hold for any input whatever: one module for each text that comes
//! from outside, with one function, `check`, that panics where it does not.
//!
//! `fuzz/run TARGET SECONDS` searches for such inputs, `fuzz/corpus/` keeps the
//! ones worth starting from, and a test gives each of those to its `check`.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic is how a check says what does not hold"
)]

pub mod answer;
mod directives;
pub mod manifest;
pub mod parser;
pub mod window;

/// Survives an input, or panics.
pub type Check = fn(&[u8]);

/// Every check, by the name of its folder in `fuzz/corpus/`.
pub const TARGETS: [(&str, Check); 4] = [
    ("answer", answer::check),
    ("manifest", manifest::check),
    ("parser", parser::check),
    ("window", window::check),
];
