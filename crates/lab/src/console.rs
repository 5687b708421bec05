//! Where a command of the lab writes while it runs.
//!
//! The lab prints nothing itself: the program that runs it knows how a line is written when nobody reads, and whether
//! there is a terminal.

use std::fmt::Arguments;

/// Takes what a command has to tell.
pub trait Console: Sync {
    /// Writes one line of the result.
    fn say(&self, line: Arguments<'_>);

    /// Writes one line that is not part of the result: a warning, or what the command is waiting for.
    fn remark(&self, line: Arguments<'_>);

    /// Shows that `done` of `total` steps are over. The last call has `done == total`.
    fn progress(&self, done: u64, total: u64);
}
