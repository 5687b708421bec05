//! Wishes for no more texts in free words.

/// Whether a text seems to ask for no more texts. It is put before a person, and nobody is opted out by it.
#[must_use]
pub fn is_wish(body: &str) -> bool {
    let _ = body;
    false
}
