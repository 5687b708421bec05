//! The entry point. All code is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    nightshift::cli::main()
}
