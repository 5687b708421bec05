//! The kind of reader of a view, which decides the phone numbers that the view may show.

use serde::{Deserialize, Serialize};

use crate::phone::PhoneNumber;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// An owner, or an integration acting for the organisation: sees clients' numbers.
    Owner,
    /// A sitter: sees clients' numbers and business numbers masked.
    Sitter,
    /// The platform's operators: see business numbers in full and clients' numbers masked.
    Ops,
}

impl Audience {
    /// Formats a client's phone number for this reader.
    #[must_use]
    pub fn client_phone(self, phone: &PhoneNumber) -> String {
        match self {
            Self::Owner => phone.e164(),
            Self::Sitter | Self::Ops => phone.masked(),
        }
    }

    /// Formats a masking number for this reader.
    #[must_use]
    pub fn business_number(self, number: &PhoneNumber) -> String {
        match self {
            Self::Owner | Self::Ops => number.e164(),
            Self::Sitter => number.masked(),
        }
    }
}
