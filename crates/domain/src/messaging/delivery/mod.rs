//! The delivery of an outbound text.
//!
//! `queued` -> `sending` -> `sent` -> `delivered`, `undelivered` or `failed`; `unconfirmed` if the answer to the
//! request was lost. The status `sending` is committed before the request to the carrier, in the transaction that
//! checks the opt-out, so a text in `sending` may have been sent. Reports of the carrier only move a text forward.
//! Every function is idempotent.

mod hours;
mod number;
mod outbound;
mod reply;
mod report;
mod revive;
mod send;
mod settle;
mod slot;
mod take_back;
mod unclear;

pub(in crate::messaging) use hours::free;
pub use hours::{GivenBack, Held, HoldReason, given_back, held, hold_for_carrier, next_window};
pub use number::number_in_service;
pub use outbound::{Outbound, effect_key, find_by_sid, load, lock};
pub use reply::{
    NewReply, ReplyChannel, ReplyState, answer_with_reply, give_up_reply, reopen_reply, reply_state, reply_to,
    send_reply, store_reply,
};
pub use report::{ReportOutcome, apply_report, rank};
pub use revive::revive;
pub use send::{Envelope, SendDecision, begin_send};
pub use settle::{
    Because, adopt_sid, back_to_queue, mark_unconfirmed, raise_unconfirmed, record_refused, record_reported,
    record_sent, resend_once,
};
pub use slot::take_send_slot;
pub(crate) use take_back::take_back;
pub use unclear::unclear;

/// The error code of a text for which it is unknown whether it was sent.
pub const POSSIBLY_SENT: &str = "possibly_sent";
/// The error code of a text that was not sent because its recipient opted out.
pub(crate) const OPTED_OUT: &str = "opted_out";
/// The error code of a confirmation of a STOP whose recipient has asked for texts again in the meantime.
pub(crate) const NO_LONGER_TRUE: &str = "no_longer_true";
