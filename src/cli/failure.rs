//! A command that could not do its work, before or beside an operation.

use std::process::ExitCode;

use super::print::{complain, error_line, line};
use crate::engine::Obstacle;

/// What went wrong and what to do; exit code 1.
#[derive(Debug)]
pub(super) struct Failure {
    error: String,
    next: String,
}

impl Failure {
    pub(super) fn new(error: impl Into<String>, next: impl Into<String>) -> Self {
        Self { error: error.into(), next: next.into() }
    }

    /// Tells it, for people on standard error, as JSON on standard output.
    pub(super) fn tell(&self, json: bool) -> ExitCode {
        if json {
            let _ = line(&error_line(&self.error, &self.next).to_string());
        } else {
            complain(&format!("error: {}", self.error));
            complain(&format!("next:  {}", self.next));
        }
        ExitCode::FAILURE
    }
}

impl From<Obstacle> for Failure {
    fn from(Obstacle { error, next }: Obstacle) -> Self {
        Self { error, next }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(format!("output could not be written: {error}"), "check where the output goes")
    }
}
