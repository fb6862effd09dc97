//! The commands: arguments in, events printed for people or as JSON lines,
//! exit code out. No logic of its own: every command builds an
//! [`crate::engine::Action`] or reads what the engine shows.

mod args;
mod command;
mod failure;
mod internal;
mod open;
mod print;
mod signals;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use args::{AuditCommand, Cli, Command};
use failure::Failure;

/// Runs what the arguments ask for.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some(code) = internal::dispatch(&arguments) {
        return code;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misread(&error, arguments.iter().any(|argument| argument == "--json")),
    };
    let json = cli.common.json;
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let next = "check the limits of processes and open files";
            return Failure::new(format!("cannot start: {error}"), next).tell(json);
        }
    };
    let code = runtime.block_on(run(cli)).unwrap_or_else(|failure| failure.tell(json));
    // A blocked reader of standard input must not keep the program.
    runtime.shutdown_background();
    code
}

/// Tells why the arguments make no command, or the help that they ask for.
/// The code is 1: clap's own 2 would be taken for a denial.
fn misread(error: &clap::Error, json: bool) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if json {
        let text = error.render().to_string();
        let what = text.split("\n\nUsage:").next().unwrap_or_default();
        let what = what.strip_prefix("error: ").unwrap_or(what).trim();
        return Failure::new(what, "see `swiftdeploy --help`").tell(true);
    }
    let _ = error.print();
    ExitCode::FAILURE
}

async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let common = &cli.common;
    let Some(asked) = cli.command else {
        return command::app::run(common).await;
    };
    if let Some(action) = asked.action() {
        if let Command::Teardown { yes, .. } = asked
            && !command::operation::confirm_teardown(common, yes).await?
        {
            print::complain("nothing was removed");
            return Ok(ExitCode::FAILURE);
        }
        return command::operation::run(common, action).await;
    }
    match asked {
        Command::New { dir } => command::new::run(common, &dir),
        Command::Status { once, interval } => command::status::run(common, once, interval).await,
        Command::Audit { command: Some(AuditCommand::Verify), .. } => command::audit::verify(common),
        Command::Logs { name, follow, tail } => command::logs::run(common, name, follow, tail).await,
        Command::Metrics { from, to, window, check } => {
            command::metrics::run(common, command::metrics::Question { from, to, window, check }).await
        }
        Command::Policy { command } => command::policy::run(common, command).await,
        Command::Demo { pace } => command::demo::run(common, Duration::from_secs_f64(pace)).await,
        Command::Doctor => command::doctor::run(common).await,
        Command::Schema => command::reference::schema(),
        Command::Completions { shell } => Ok(command::reference::completions(shell)),
        Command::Man => command::reference::man(),
        Command::Init { .. }
        | Command::Validate
        | Command::Plan
        | Command::Deploy
        | Command::Promote { .. }
        | Command::Rollback
        | Command::Chaos { .. }
        | Command::Load { .. }
        | Command::Teardown { .. }
        | Command::Audit { command: None, .. } => Ok(ExitCode::SUCCESS),
    }
}
