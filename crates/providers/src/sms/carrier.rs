//! What every carrier of texts can do.

use std::fmt;
use std::pin::Pin;

use super::error::{LookupError, SendError};
use super::message::{Candidate, Lookup, SendMessage, SentMessage};
use super::refusal::Refusal;

/// The answer of a carrier, once it is awaited.
pub type Reply<'a, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

/// A company that sends texts, or its stand-in.
pub trait Carrier: fmt::Debug + Send + Sync {
    /// Returns the name under which numbers and metrics know the carrier.
    fn name(&self) -> &'static str;

    /// Returns whether the texts reach people.
    fn is_live(&self) -> bool {
        true
    }

    /// Sends a text with a single request. `event_id` is our id of the message.
    ///
    /// # Errors
    /// The text was not confirmed as accepted. The class of the error says whether it may be sent again.
    fn send<'a>(&'a self, event_id: &'a str, message: &'a SendMessage) -> Reply<'a, SentMessage, SendError>;

    /// Returns all messages with the same sender and recipient that were created since the attempt whose outcome is
    /// unknown, oldest first. A caller can exclude those whose SIDs it knows. Of the others, one with the same text is
    /// the message, and one with another text leaves the outcome unknown.
    ///
    /// # Errors
    /// The carrier could not be asked, so the outcome remains unknown.
    fn candidates<'a>(&'a self, event_id: &'a str, lookup: &'a Lookup) -> Reply<'a, Vec<Candidate>, LookupError>;

    /// Returns what must be done about a text that the carrier accepted and then reported as not delivered with this
    /// code, if anything.
    fn undelivered(&self, _code: &str) -> Option<Refusal> {
        None
    }

    /// Checks that the carrier answers and accepts the credentials.
    ///
    /// # Errors
    /// The carrier does not answer, or refuses the credentials.
    fn check(&self) -> Reply<'_, (), LookupError>;
}
