//! A bar that shows how far something is, when somebody looks.

use indicatif::{ProgressBar, ProgressStyle};

/// Creates a bar of `length` steps on standard error. Hidden if standard error is not a terminal.
pub(super) fn bar(length: u64) -> ProgressBar {
    let template = "{bar:32} {percent:>3} %  {human_pos} of {human_len}  {per_sec}  {eta} left  {msg}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}
