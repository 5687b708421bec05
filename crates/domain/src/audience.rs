//! Who a view is made for, which decides what numbers it may show.

use serde::{Deserialize, Serialize};

use crate::phone::PhoneNumber;

/// The kind of reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// An owner or an integration acting for the organisation: entered the clients' numbers and sees them.
    Owner,
    /// A sitter: sees neither clients' numbers nor a business number in full.
    Sitter,
    /// The platform's operators: see business numbers in full, clients' numbers masked.
    Ops,
}

impl Audience {
    /// A client's phone number as this reader may see it.
    #[must_use]
    pub fn client_phone(self, phone: &PhoneNumber) -> String {
        match self {
            Self::Owner => phone.e164(),
            Self::Sitter | Self::Ops => phone.masked(),
        }
    }

    /// A masking number as this reader may see it.
    #[must_use]
    pub fn business_number(self, number: &PhoneNumber) -> String {
        match self {
            Self::Owner | Self::Ops => number.e164(),
            Self::Sitter => number.masked(),
        }
    }
}
