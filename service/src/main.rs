//! The sample service as a program of its own: `swiftdeploy-service` serves,
//! `swiftdeploy-service healthcheck` asks the running one.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use swiftdeploy_service::{Config, ServiceError, healthcheck, run};

const HELP: &str = "\
The sample service that SwiftDeploy deploys.

usage: swiftdeploy-service               serve until SIGTERM
       swiftdeploy-service healthcheck   exit 0 if the running one is well
       swiftdeploy-service --version

environment: MODE         stable (default) or canary
             APP_VERSION  default 1.0.0
             APP_PORT     default 3000
             APP_BIND     the address to listen on, default 0.0.0.0
";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(|argument| argument.to_str()).collect();
    match arguments.as_slice() {
        [] => serve().map_or_else(|error| fail(&error, error.next_step()), |()| ExitCode::SUCCESS),
        [Some("healthcheck")] => check(),
        [Some("--version" | "-V")] => print(concat!("swiftdeploy-service ", env!("CARGO_PKG_VERSION"), "\n")),
        [Some("--help" | "-h")] => print(HELP),
        _ => tell("error: unknown arguments\nnext:  swiftdeploy-service --help"),
    }
}

fn serve() -> Result<(), ServiceError> {
    let config = Config::from_env(std::env::vars_os())?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServiceError::Serve)?;
    runtime.block_on(run(config))
}

fn check() -> ExitCode {
    let config = match Config::from_env(std::env::vars_os()) {
        Ok(config) => config,
        Err(error) => return fail(&error, error.next_step()),
    };
    match healthcheck(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, "look at the service's log"),
    }
}

fn fail(error: &dyn Error, next_step: &str) -> ExitCode {
    tell(&format!("error: {error}\nnext:  {next_step}"))
}

fn tell(text: &str) -> ExitCode {
    // Whoever closed standard error does not want to know.
    let _ = writeln!(std::io::stderr(), "{text}");
    ExitCode::FAILURE
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
