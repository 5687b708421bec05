//! The output of the tools.
//!
//! This crate prints nothing itself. The program that calls it handles closed pipes, and knows whether there is a
//! terminal.

use std::fmt::Arguments;

/// Receives the output of a tool.
pub trait Console: Sync {
    /// Writes one line of the result.
    fn say(&self, line: Arguments<'_>);

    /// Writes one line that is not part of the result: a warning, or what the tool is waiting for.
    fn remark(&self, line: Arguments<'_>);

    /// Shows that `done` of `total` steps are over. The last call has `done == total`.
    fn progress(&self, done: u64, total: u64);
}
