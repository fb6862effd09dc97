//! A command that is one action: run it, print what happens, end with its
//! exit code. The first Ctrl-C or SIGTERM cancels at the next safe point, the
//! second ends at once.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use tokio::sync::broadcast::error::TryRecvError;

use super::super::args::Common;
use super::super::failure::Failure;
use super::super::open;
use super::super::print::{Json, Paint, People, Printer, complain};
use super::super::signals::Signals;
use crate::engine::{Action, Engine, Event, Outcome};

/// Another operation holds the lock.
const BUSY: u8 = 4;

/// The code of a command that a signal ended.
const INTERRUPTED: u8 = 130;

/// Runs an action to its end.
pub(in super::super) async fn run(common: &Common, action: Action) -> Result<ExitCode, Failure> {
    let target = match action {
        Action::Validate | Action::ExportAudit { .. } => open::target_for_files(common).await?,
        _ => open::target(common).await?,
    };
    let engine = open::engine(common, target)?;
    let mut printer: Box<dyn Printer> =
        if common.json { Box::new(Json) } else { Box::new(People::new(Paint::detect(common.no_color))) };
    let code = perform(&engine, action, &mut *printer).await?;
    engine.close().await;
    Ok(code)
}

/// Runs an action and prints what happens meanwhile.
pub(in super::super) async fn perform(
    engine: &Engine,
    action: Action,
    printer: &mut dyn Printer,
) -> Result<ExitCode, Failure> {
    let mut events = engine.subscribe();
    let mut signals = Signals::listen()?;
    let running = engine.run(action);
    tokio::pin!(running);
    let mut output = Output { printer, broken: None };
    let mut is_cancelled = false;
    let outcome = loop {
        tokio::select! {
            outcome = &mut running => break outcome,
            event = events.recv() => {
                // A reader that lags loses progress, never the outcome, which
                // comes from the operation itself.
                if let Ok(event) = event {
                    output.print(&event);
                }
            }
            () = signals.next() => {
                if is_cancelled {
                    return Ok(ExitCode::from(INTERRUPTED));
                }
                is_cancelled = true;
                engine.cancel();
            }
        }
    };
    loop {
        match events.try_recv() {
            Ok(event) => output.print(&event),
            Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    output.finish()?;
    Ok(ExitCode::from(outcome.as_ref().map_or(BUSY, Outcome::exit_code)))
}

/// Where events go. Output that cannot be written never stops an operation in
/// its middle; it is told in the end.
struct Output<'p> {
    printer: &'p mut dyn Printer,
    broken: Option<io::Error>,
}

impl Output<'_> {
    fn print(&mut self, event: &Event) {
        if self.broken.is_none() {
            self.broken = self.printer.event(event).err();
        }
    }

    /// A reader that went away (`| head`) is no error.
    fn finish(self) -> Result<(), Failure> {
        match self.broken {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// `teardown` asks before it destroys, unless told not to; without a terminal
/// there is nobody to ask.
pub(in super::super) async fn confirm_teardown(common: &Common, is_sure: bool) -> Result<bool, Failure> {
    if is_sure {
        return Ok(true);
    }
    if common.json || !io::stdin().is_terminal() {
        return Err(Failure::new(
            "teardown removes the stack and nobody can be asked",
            "say `teardown --yes`",
        ));
    }
    let target = open::target(common).await?;
    let engine = open::engine(common, target)?;
    let belongings =
        engine.belongings().await.map_err(|error| Failure::new(error, "see `swiftdeploy doctor`"))?;
    if belongings.is_empty() {
        return Ok(true);
    }
    complain("This goes:");
    for name in &belongings {
        complain(&format!("  {name}"));
    }
    let _ = write!(io::stderr(), "Type yes to remove it: ");
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map(|_| answer)
    })
    .await
    .map_err(|stopped| Failure::new(stopped.to_string(), "repeat"))??;
    Ok(answer.trim() == "yes")
}
