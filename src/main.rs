//! Starts the command that was typed; everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    nightshift::cli::main()
}
