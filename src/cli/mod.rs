//! The commands: arguments in, events printed for people or as JSON lines,
//! exit code out. No logic of its own: every command builds an
//! [`crate::engine::Action`] or reads what the engine shows.

pub mod internal;

use std::process::ExitCode;

/// Runs what the arguments ask for.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some(code) = internal::dispatch(&arguments) {
        return code;
    }
    ExitCode::SUCCESS
}
