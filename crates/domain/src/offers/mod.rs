//! Offers: bookings that sitters may accept or decline, by API or by text.
//!
//! Every change of an offer is made under the lock of its booking, in one transaction with what follows from it. The
//! order of locks is the sitters (where offers are made, or a sitter leaves), the booking, its conversation (where a
//! sitter gets or loses the booking), its offers. What may change is one pure function (`lifecycle::outcome`).

mod answer;
mod assign;
mod by_text;
mod command;
mod create;
mod end;
mod follow;
mod held;
mod lifecycle;
mod list;
mod notify;
mod offer;
mod record;
mod status;
mod texts;
mod words;

pub use answer::{Answer, Answered, answer};
pub use by_text::{Reply, reply_to};
pub use command::{Command, command};
pub use create::{Draft, Made, create};
pub use end::{Expiry, Withdrawn, expire, sitter_left, withdraw};
pub use follow::{Followed, booking_changed};
pub use lifecycle::Refusal;
pub use list::{Filter, OfferView, list, view_in};
pub use notify::notify;
pub use offer::Offer;
pub use status::{OfferStatus, Via};
