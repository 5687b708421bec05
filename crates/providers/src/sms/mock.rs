//! The carrier that accepts every text and sends none.
//!
//! It needs no network, and returns the same SID for a text however often it is sent.

use super::carrier::{Carrier, Reply};
use super::error::{LookupError, SendError};
use super::message::{Candidate, Delivery, Lookup, SendMessage, SentMessage};

/// Accepts every text and sends none.
#[derive(Debug, Clone, Copy)]
pub struct MockCarrier;

impl Carrier for MockCarrier {
    fn name(&self) -> &'static str {
        "mock"
    }

    fn is_live(&self) -> bool {
        false
    }

    fn send<'a>(&'a self, event_id: &'a str, _: &'a SendMessage) -> Reply<'a, SentMessage, SendError> {
        Box::pin(async move { Ok(accepted(event_id)) })
    }

    /// Returns the text itself, because the mock has accepted every text.
    fn candidates<'a>(&'a self, event_id: &'a str, _: &'a Lookup) -> Reply<'a, Vec<Candidate>, LookupError> {
        let known = Candidate { message: accepted(event_id), same_text: true, error_code: None };
        Box::pin(async move { Ok(vec![known]) })
    }

    fn check(&self) -> Reply<'_, (), LookupError> {
        Box::pin(async { Ok(()) })
    }
}

fn accepted(event_id: &str) -> SentMessage {
    SentMessage { sid: format!("SMmock-{event_id}"), delivery: Delivery::Pending }
}
