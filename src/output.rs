//! What a command tells people: results on standard output, remarks on standard error.
//!
//! Nobody may be there to read: `nightshift jobs list | head -1` closes the pipe after a line, and a disk may be full. A
//! line that can't be written stops nothing; the command does all it was asked to. [`ending`] then tells whether the
//! results got out: a reader that has gone away had enough, anything else is a failure.
//!
//! **Invariant:** nothing else in the program prints. `println!` panics where this goes on.

use std::fmt::Arguments;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Mutex;

/// The first line that could not be written.
static FAILED: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints a line on standard output, as `println!` does, but never panics.
macro_rules! say {
    () => { $crate::output::line(format_args!("")) };
    ($($told:tt)*) => { $crate::output::line(format_args!($($told)*)) };
}

/// Prints a line on standard error, as `eprintln!` does, but never panics.
macro_rules! complain {
    ($($told:tt)*) => { $crate::output::remark(format_args!($($told)*)) };
}

pub(crate) use {complain, say};

/// Prints a result.
pub(crate) fn line(told: Arguments<'_>) {
    let mut out = io::stdout().lock();
    note(out.write_fmt(told).and_then(|()| out.write_all(b"\n")));
}

/// Prints a remark beside the results; that nobody reads it is nobody's loss.
pub(crate) fn remark(told: Arguments<'_>) {
    let mut error = io::stderr().lock();
    let _ = error.write_fmt(told).and_then(|()| error.write_all(b"\n"));
}

fn note(written: io::Result<()>) {
    if let Err(error) = written {
        FAILED.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
    }
}

/// The exit code of a command that ended with `code`: 1, after one line on standard error, when its results could not be
/// written. A closed pipe is no failure.
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
