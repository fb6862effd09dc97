//! What other programs read: schema, completions, manual page.

use std::io;
use std::process::ExitCode;

use clap::CommandFactory;

use super::super::args::Cli;
use super::super::failure::Failure;
use super::super::print::line;
use crate::manifest;

/// `schema`.
pub(in super::super) fn schema() -> Result<ExitCode, Failure> {
    let text = serde_json::to_string_pretty(&manifest::schema())
        .map_err(|error| Failure::new(error.to_string(), "report this as a defect"))?;
    line(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// `completions`.
pub(in super::super) fn completions(shell: clap_complete::Shell) -> ExitCode {
    clap_complete::generate(shell, &mut Cli::command(), "swiftdeploy", &mut io::stdout().lock());
    ExitCode::SUCCESS
}

/// `man`.
pub(in super::super) fn man() -> Result<ExitCode, Failure> {
    clap_mangen::Man::new(Cli::command()).render(&mut io::stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}
