//! The commands: arguments in, events printed for people or as JSON lines,
//! exit code out. No logic of its own: every command builds an
//! [`crate::engine::Action`] or reads what the engine shows.

use std::process::ExitCode;

/// Runs what the arguments ask for.
#[must_use]
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
