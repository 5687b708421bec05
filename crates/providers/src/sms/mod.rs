//! Texts, whatever carrier sends them: one trait, its errors, and a carrier that sends nothing.
//!
//! [`twilio`](crate::twilio) and [`openphone`](crate::openphone) implement [`Carrier`] with their clients. This module
//! knows neither of them.

mod carrier;
mod error;
mod likeness;
mod message;
mod mock;
mod refusal;

pub use carrier::{Carrier, Reply};
pub use error::{LookupError, SendError, Service, UnclearCause};
pub use message::{Candidate, Delivery, Intent, Lookup, SendMessage, SentMessage};
pub use mock::MockCarrier;
pub use refusal::Refusal;

pub(crate) use likeness::is_same_text;
pub(crate) use message::same_number;
