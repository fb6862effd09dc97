//! Arguments in, terminal app or one command, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    swiftdeploy::cli::main()
}
