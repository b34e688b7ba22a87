//! The `genelift` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Mesa's device-select layer orders adapters for desktops and complains on servers without one; genelift
    // chooses by itself.
    // SAFETY: the first statement of the program, before any other thread.
    unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    let arguments: Vec<_> = std::env::args_os().collect();
    ExitCode::from(genelift::cli::main(&arguments))
}
