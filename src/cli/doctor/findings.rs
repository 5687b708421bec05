//! What `nightshift doctor` has found: one line each, printed at once.

use crate::output::say;

#[derive(Default)]
pub(super) struct Findings {
    pub(super) wrong: u32,
}

impl Findings {
    pub(super) fn good(&mut self, what: &str, sentence: impl std::fmt::Display) {
        say!("ok     {what:12} {sentence}");
    }

    pub(super) fn note(&mut self, what: &str, sentence: impl std::fmt::Display) {
        say!("note   {what:12} {sentence}");
    }

    pub(super) fn warning(&mut self, what: &str, sentence: impl std::fmt::Display) {
        say!("WARN   {what:12} {sentence}");
    }

    pub(super) fn wrong(&mut self, what: &str, sentence: impl std::fmt::Display) {
        self.wrong += 1;
        say!("WRONG  {what:12} {sentence}");
    }
}
