//! Offers: bookings that sitters may accept or decline, by API or by text.

mod command;

use crate::text_enum::text_enum;

pub use command::{Command, command};

text_enum! {
    /// How an offer was answered.
    pub enum Via as AnsweredVia {
        Sms = "sms",
        Web = "web",
        Api = "api",
    }
}
