//! No command: the terminal app.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;

use super::super::args::Common;
use super::super::failure::Failure;
use super::super::open::{self, Choice};
use super::super::print::line;
use crate::clock::SystemClock;
use crate::engine::Engine;
use crate::tui;

/// Opens the app on the manifest; where no target is named and no Docker
/// daemon answers, it offers the choice first.
pub(in super::super) async fn run(common: &Common) -> Result<ExitCode, Failure> {
    needs_terminal()?;
    let options = options(common);
    let target = match open::choose(common).await {
        Choice::Made(target) => target,
        Choice::Open(reason) => {
            match tui::choose_target(&reason, options).await.map_err(|error| broken(&error))? {
                Some(target) => target,
                None => return Ok(ExitCode::SUCCESS),
            }
        }
    };
    let engine = open::engine(common, target)?;
    show(&engine, options).await
}

/// The app needs a terminal on both sides.
pub(in super::super) fn needs_terminal() -> Result<(), Failure> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return Ok(());
    }
    Err(Failure::new(
        "the app needs a terminal, and there is none",
        "use a command: `swiftdeploy status --once`, `swiftdeploy deploy`, … (`swiftdeploy --help` lists them)",
    ))
}

/// What the command line decides about the app.
pub(in super::super) fn options(common: &Common) -> tui::Options {
    let is_plain = common.no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    tui::Options { no_color: is_plain, ..tui::Options::default() }
}

/// Runs the app over an engine until the person quits.
pub(in super::super) async fn show(engine: &Engine, options: tui::Options) -> Result<ExitCode, Failure> {
    engine.watch(None);
    let outcome = tui::run(Arc::new(engine.clone()), SystemClock::shared(), options).await;
    engine.close().await;
    let farewell = outcome.map_err(|error| broken(&error))?;
    if let Some(text) = farewell.still_running {
        line(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn broken(error: &tui::TuiError) -> Failure {
    Failure::new(error.to_string(), "use a command instead, or another terminal")
}
