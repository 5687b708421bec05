//! The words of a text's life: its direction, its author's kind, how far it has come.

use crate::text_enum::text_enum;

text_enum! {
    /// Which way a text goes.
    pub enum Direction {
        /// From outside to us.
        Inbound = "inbound",
        /// From us.
        Outbound = "outbound",
    }
}

text_enum! {
    /// Who wrote a text.
    pub enum ActorType {
        /// The client.
        Client = "client",
        /// A sitter.
        Sitter = "sitter",
        /// The owner, or an integration acting for the organisation.
        Owner = "owner",
        /// An automation.
        Automation = "automation",
        /// The program itself.
        System = "system",
    }
}

text_enum! {
    /// How far a text has come.
    pub enum MessageStatus {
        /// It came in.
        Received = "received",
        /// It waits to be sent.
        Queued = "queued",
        /// The provider is being asked.
        Sending = "sending",
        /// The provider has it.
        Sent = "sent",
        /// The recipient has it.
        Delivered = "delivered",
        /// The carrier could not deliver it.
        Undelivered = "undelivered",
        /// It was refused or given up.
        Failed = "failed",
        /// The provider was asked and nobody knows what it did.
        Unconfirmed = "unconfirmed",
    }
}

text_enum! {
    /// Whom an inbound text was given to.
    pub enum RoutedTo {
        /// The owner.
        Owner = "owner",
        /// The sitter whose window was open.
        Sitter = "sitter",
        /// Nobody.
        None = "none",
    }
}
