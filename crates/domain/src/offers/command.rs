//! The texts by which a sitter answers offers.

/// An answer to an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Command {
    pub accepts: bool,
    /// Which offer, if the text says so.
    pub code: Option<i64>,
}

/// Reads a text as an answer to an offer.
#[must_use]
pub fn command(body: &str) -> Option<Command> {
    match body.trim().to_uppercase().as_str() {
        "YES" => Some(Command { accepts: true, code: None }),
        "NO" => Some(Command { accepts: false, code: None }),
        _ => None,
    }
}
