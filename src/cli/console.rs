//! What the lab's commands tell, written as every command writes: results, remarks, and a bar on a terminal.

use std::fmt::Arguments;
use std::sync::OnceLock;

use indicatif::ProgressBar;
use nightshift_lab::Console;

use super::progress;
use crate::output;

/// Standard output and standard error.
#[derive(Default)]
pub(super) struct Terminal {
    /// Made by the first step, so that a command without steps shows none.
    bar: OnceLock<ProgressBar>,
}

impl Console for Terminal {
    fn say(&self, line: Arguments<'_>) {
        output::line(line);
    }

    fn remark(&self, line: Arguments<'_>) {
        output::remark(line);
    }

    fn progress(&self, done: u64, total: u64) {
        let bar = self.bar.get_or_init(|| progress::bar(total));
        bar.set_position(done);
        if done == total {
            bar.finish_and_clear();
        }
    }
}
