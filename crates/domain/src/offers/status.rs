//! The status of an offer, and how an offer was answered.

use crate::text_enum::text_enum;

text_enum! {
    pub enum OfferStatus {
        /// The sitter may answer it.
        Pending = "pending",
        Accepted = "accepted",
        Declined = "declined",
        /// Nobody answered it in time, as far as was known when it ended.
        Expired = "expired",
        /// The booking went to another sitter.
        Superseded = "superseded",
        /// A person took it back, its booking ended, or its sitter can't accept it any more. If it had been accepted, the
        /// sitter was taken off the booking, and it was offered again.
        Withdrawn = "withdrawn",
    }
}

text_enum! {
    /// How an offer was answered.
    pub enum Via as AnsweredVia {
        Sms = "sms",
        Web = "web",
        Api = "api",
    }
}
