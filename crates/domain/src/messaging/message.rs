//! The stored values of a text: its direction, the kind of its author, its status and its recipient.

use crate::text_enum::text_enum;

text_enum! {
    pub enum Direction {
        /// From a client or a sitter to the organisation.
        Inbound = "inbound",
        /// From the organisation to a client or a sitter.
        Outbound = "outbound",
    }
}

text_enum! {
    pub enum ActorType {
        Client = "client",
        Sitter = "sitter",
        /// The owner, or an integration that acts for the organisation.
        Owner = "owner",
        Automation = "automation",
        /// The program itself.
        System = "system",
    }
}

text_enum! {
    /// The delivery status of a text.
    pub enum MessageStatus {
        /// An inbound text.
        Received = "received",
        /// Waits to be sent.
        Queued = "queued",
        /// The request to the carrier is about to be sent, or in flight.
        Sending = "sending",
        /// The carrier accepted it.
        Sent = "sent",
        /// The recipient's device received it.
        Delivered = "delivered",
        /// The carrier could not deliver it.
        Undelivered = "undelivered",
        /// The carrier refused it, or the program gave up.
        Failed = "failed",
        /// The request to the carrier ended without an answer, so it is unknown whether the text was sent.
        Unconfirmed = "unconfirmed",
    }
}

text_enum! {
    /// To whom an inbound text was routed.
    pub enum RoutedTo {
        Owner = "owner",
        /// The sitter whose window was active.
        Sitter = "sitter",
        None = "none",
    }
}
