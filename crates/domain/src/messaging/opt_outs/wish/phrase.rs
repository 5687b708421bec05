//! A phrase that says that somebody wants no more texts.

pub(super) struct Phrase {
    pub(super) pattern: &'static str,
    /// If it is about a part only, or asks for something else instead, the text is none.
    pub(super) limited: bool,
}

pub(super) const fn phrase(pattern: &'static str) -> Phrase {
    Phrase { pattern, limited: true }
}

/// A phrase that says so, whatever is around it.
pub(super) const fn firm(pattern: &'static str) -> Phrase {
    Phrase { pattern, limited: false }
}
