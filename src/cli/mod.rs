//! The command line: one file a subcommand, each arguments → settings → one library call → printed result.

/// Parses the arguments, runs the command, prints an error once; returns the exit code.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
