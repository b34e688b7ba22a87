//! The `genelift` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    genelift::cli::main()
}
