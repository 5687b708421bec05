//! OpenPhone as a carrier of texts.

use super::client::OpenPhoneClient;
use crate::sms::{Candidate, Carrier, Lookup, LookupError, Reply, SendError, SendMessage, SentMessage};

impl Carrier for OpenPhoneClient {
    fn name(&self) -> &'static str {
        "openphone"
    }

    fn send<'a>(&'a self, _: &'a str, message: &'a SendMessage) -> Reply<'a, SentMessage, SendError> {
        Box::pin(self.send(message))
    }

    fn candidates<'a>(&'a self, _: &'a str, lookup: &'a Lookup) -> Reply<'a, Vec<Candidate>, LookupError> {
        Box::pin(self.candidates(lookup))
    }

    fn check(&self) -> Reply<'_, (), LookupError> {
        Box::pin(self.check())
    }
}
