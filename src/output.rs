//! Prints the results of a command on standard output, and remarks on standard error.
//!
//! A closed pipe (`nightshift jobs list | head -1`) or a full disk must not stop a command: it completes its work.
//! [`ending`] then decides whether the results were written. A closed pipe is not an error, anything else is.
//!
//! **Invariant:** nothing else in the program prints. `println!` would panic where this module continues.

use std::fmt::Arguments;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Mutex;

/// The first error while printing results.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints a line on standard output. Unlike `println!`, it never panics.
macro_rules! say {
    () => { $crate::output::line(format_args!("")) };
    ($($told:tt)*) => { $crate::output::line(format_args!($($told)*)) };
}

/// Prints a line on standard error. Unlike `eprintln!`, it never panics.
macro_rules! complain {
    ($($told:tt)*) => { $crate::output::remark(format_args!($($told)*)) };
}

pub(crate) use {complain, say};

pub(crate) fn line(told: Arguments<'_>) {
    let mut out = io::stdout().lock();
    note(out.write_fmt(told).and_then(|()| out.write_all(b"\n")));
}

/// Prints a remark on standard error. Errors are ignored.
pub(crate) fn remark(told: Arguments<'_>) {
    let mut error = io::stderr().lock();
    let _ = error.write_fmt(told).and_then(|()| error.write_all(b"\n"));
}

fn note(written: io::Result<()>) {
    if let Err(error) = written {
        FAILED.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
    }
}

/// Returns the exit code of a command that ended with `code`: 1 if its results could not be written, with a line on
/// standard error. A closed pipe is not an error.
pub(crate) fn ending(code: ExitCode) -> ExitCode {
    note(io::stdout().flush());
    match FAILED.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain!("nightshift: the output can't be written: {error}");
            ExitCode::FAILURE
        }
        _ => code,
    }
}
