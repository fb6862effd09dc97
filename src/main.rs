//! Arguments in, terminal app or one command, exit code out.

use std::process::ExitCode;

/// A decision makes thousands of small values and drops them again: with this
/// allocator it takes a seventh less time than with glibc's (`benches/decision.rs`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    swiftdeploy::cli::main()
}
