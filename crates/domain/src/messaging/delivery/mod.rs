//! The way of an outbound text to its recipient.
//!
//! `queued` -> `sending` -> `sent` -> `delivered`, `undelivered` or `failed`; `unconfirmed` when the provider was asked
//! and its answer is lost. The intent to send is committed as `sending` before the provider is asked, in the
//! transaction that looks at the opt-out, so that whoever finds a text in `sending` knows that it may have left.
//! Provider reports only move a text forward. Every function may be called twice.

mod number;
mod outbound;
mod report;
mod revive;
mod send;
mod settle;
mod slot;
mod take_back;
mod unclear;

pub use number::number_in_service;
pub use outbound::{Outbound, find_by_sid, load};
pub use report::{ReportOutcome, apply_report, rank};
pub use revive::revive;
pub use send::{Envelope, SendDecision, begin_send};
pub use settle::{
    adopt_sid, back_to_queue, mark_unconfirmed, record_refused, record_sent, resend_once, tell_unconfirmed,
};
pub use slot::take_send_slot;
pub(crate) use take_back::take_back;
pub use unclear::unclear;

/// The error code of a text of which it can't be told whether it left.
pub const POSSIBLY_SENT: &str = "possibly_sent";
/// The error code of a text that was not sent because its recipient wants no more.
pub(crate) const OPTED_OUT: &str = "opted_out";
