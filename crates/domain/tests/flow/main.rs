//! From a booking to the text about it, on both engines: bookings, messaging, automations and the confirmation.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may panic")]
#![expect(unused_must_use, reason = "there is no queue here: what would be enqueued is called by hand, or left out")]

mod automations;
mod bookings;
mod confirmation;
mod crowd;
mod delivery;
mod fixture;
mod hours;
mod late_answers;
mod lists;
mod messaging;
mod metrics;
mod offers;
mod opt_outs;
mod payments;
mod receipts;
mod requests;
mod retention;
mod sitters;
mod slots;
mod threads;
mod told;
mod unanswerable;
mod viewers;
