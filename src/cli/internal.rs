//! The programs that the executable runs itself again as, on the local
//! target. Not for people: the arguments are no part of the command line.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use swiftdeploy_service::{Config, ServiceError};

use crate::clock::SystemClock;
use crate::runtime::local::{PROXY_ARGS, SERVICE_ARGS, run_proxy};

/// Runs an internal program where the arguments (without the executable's
/// name) ask for one.
#[must_use]
pub fn dispatch(arguments: &[OsString]) -> Option<ExitCode> {
    match arguments {
        [proxy, state, folder] if [proxy.as_os_str(), state] == PROXY_ARGS.map(OsStr::new) => {
            Some(run(async { run_proxy(PathBuf::from(folder), SystemClock::shared()).await }))
        }
        [service] if [service.as_os_str()] == SERVICE_ARGS.map(OsStr::new) => Some(run(serve())),
        _ => None,
    }
}

/// The built-in sample service, configured as its own program is.
async fn serve() -> Result<(), ServiceError> {
    swiftdeploy_service::run(Config::from_env(std::env::vars_os())?).await
}

fn run<E: std::error::Error>(program: impl Future<Output = Result<(), E>>) -> ExitCode {
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(program).map_err(|error| error.to_string()));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // Standard error is the log file that the app shows.
            let _ = writeln!(io::stderr(), "error: {reason}");
            ExitCode::FAILURE
        }
    }
}
