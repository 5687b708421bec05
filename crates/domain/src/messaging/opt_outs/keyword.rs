//! The keywords by which people opt out and in.

/// A keyword, which is the whole text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    Stop,
    Start,
    /// Means "start" to the carrier, which lifts its own block; else an ordinary text or an answer to an offer.
    Yes,
    Help,
}

/// Returns the keyword that a text consists of.
#[must_use]
pub fn keyword(body: &str) -> Option<Keyword> {
    match body.trim().to_uppercase().as_str() {
        "STOP" => Some(Keyword::Stop),
        "START" => Some(Keyword::Start),
        "YES" => Some(Keyword::Yes),
        "HELP" => Some(Keyword::Help),
        _ => None,
    }
}
