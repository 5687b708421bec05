//! What a thread is about, which decides who takes part in it and which numbers it may use.

use crate::text_enum::text_enum;

text_enum! {
    pub enum Scope as ThreadScope {
        /// One booking, with its client.
        ClientBooking = "client_booking",
        /// Everything else with a client.
        ClientGeneral = "client_general",
        /// The owner with a sitter.
        OwnerSitter = "owner_sitter",
        /// Within the organisation.
        Internal = "internal",
    }
}
