//! What a conversation is about, which decides who takes part in it and which numbers fit.

use crate::text_enum::text_enum;

text_enum! {
    /// What a conversation is about.
    pub enum Scope as ThreadScope {
        /// One booking, with its client.
        ClientBooking = "client_booking",
        /// Anything else with a client.
        ClientGeneral = "client_general",
        /// The owner with a sitter.
        OwnerSitter = "owner_sitter",
        /// Within the organisation.
        Internal = "internal",
    }
}
