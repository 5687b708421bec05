//! A phrase that says that somebody wants no more texts.

/// What around a phrase may say that it means something else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    /// What is before it, and what is after it: a request for less, a promise, a question.
    Both,
    /// What is after it, and that it is asked: somebody tells who they are.
    After,
    /// Nothing.
    Nothing,
}

pub(super) struct Phrase {
    pub(super) pattern: &'static str,
    pub(super) around: Around,
}

pub(super) const fn phrase(pattern: &'static str) -> Phrase {
    Phrase { pattern, around: Around::Both }
}

/// A phrase that tells something.
pub(super) const fn told(pattern: &'static str) -> Phrase {
    Phrase { pattern, around: Around::After }
}

/// A phrase that says so, whatever is around it.
pub(super) const fn firm(pattern: &'static str) -> Phrase {
    Phrase { pattern, around: Around::Nothing }
}
