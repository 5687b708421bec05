//! Twilio as a carrier of texts.

use super::client::TwilioClient;
use super::codes;
use crate::sms::{Candidate, Carrier, Lookup, LookupError, Refusal, Reply, SendError, SendMessage, SentMessage};

impl Carrier for TwilioClient {
    fn name(&self) -> &'static str {
        "twilio"
    }

    fn send<'a>(&'a self, _: &'a str, message: &'a SendMessage) -> Reply<'a, SentMessage, SendError> {
        Box::pin(self.send(message))
    }

    fn candidates<'a>(&'a self, _: &'a str, lookup: &'a Lookup) -> Reply<'a, Vec<Candidate>, LookupError> {
        Box::pin(self.candidates(lookup))
    }

    fn undelivered(&self, code: &str) -> Option<Refusal> {
        codes::undelivered(code.parse().ok()?)
    }

    fn check(&self) -> Reply<'_, (), LookupError> {
        Box::pin(self.check())
    }
}
