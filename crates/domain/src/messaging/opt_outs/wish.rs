//! Wishes for no more texts in free words.
//!
//! A text is cut into sentences and these into words, without case, quotes and typing errors ([`words`]). A sentence is a
//! wish if one of the [`phrases`] is in it: somebody stops, refuses or does not want texts, or a number leaves a list.
//! What is stopped decides, not the word "stop": a walk, a car and a collar are no texts. Nothing is learned from data
//! and nothing is looked up, so that the same text always gets the same answer.
//!
//! The answer is a guess. It is put before a person.

mod pattern;
mod phrases;
mod words;

use self::words::sentences;

/// No person writes more before they come to the point. The rest of a longer text is not looked at.
const CHARS_READ: usize = 1600;

/// Whether a text seems to ask for no more texts. It is put before a person, and nobody is opted out by it.
#[must_use]
pub fn is_wish(body: &str) -> bool {
    let body: String = body.chars().take(CHARS_READ).collect();
    let sentences = sentences(&body);
    phrases::is_bare_stop(&sentences) || sentences.iter().any(|sentence| phrases::is_wish(sentence))
}
