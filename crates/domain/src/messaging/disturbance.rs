//! Which texts may leave during an organisation's quiet hours.
//!
//! Quiet hours hold back everything that the recipient does not expect. What they expect is decided when a text is
//! written, and stored with it as the time until which it may leave; see [`delivery::held`](super::delivery::held).

use std::time::Duration;

use nightshift_db::{Timestamp, Tx};

use crate::Result;
use crate::automations::AutomationType;
use crate::ids::BookingId;
use crate::messaging::threads::Thread;

/// A text that answers one received within this time belongs to a running conversation.
const CONVERSATION: Duration = Duration::from_secs(24 * 3600);
/// Somebody who has just paid or booked expects to hear of it.
const OWN_ACT: Duration = Duration::from_secs(10 * 60);
/// How long a text may leave at any hour that somebody sends regardless of the hour, or that answers an offer. If it
/// waits longer, for a number for example, nobody expects it any more.
const REGARDLESS: Duration = Duration::from_secs(24 * 3600);

/// Returns until when a text may leave that is sent regardless of the hour.
#[must_use]
pub fn regardless(now: Timestamp) -> Timestamp {
    now + REGARDLESS
}

/// Returns until when a text to the person of `thread` may leave because it answers their own text; `None` if they have
/// not written lately.
///
/// The person may have written in another thread: it is one conversation to them.
pub async fn answers(tx: &mut Tx, thread: &Thread, now: Timestamp) -> Result<Option<Timestamp>> {
    let wrote_at: Option<Timestamp> = match &thread.client_id {
        Some(client) => {
            tx.query("SELECT MAX(last_inbound_at) FROM message_threads WHERE client_id = $1 AND org_id = $2")
                .bind(client)
                .bind(&thread.org_id)
                .scalar()
                .await?
        }
        None => thread.last_inbound_at,
    };
    Ok(lasting(wrote_at, CONVERSATION, now))
}

/// Returns until when a text about a booking may leave because its client has just booked or paid; `None` if not.
///
/// A booking that a signed-in user entered is an act of that user. One that a program entered, such as the business's
/// website, is the client's.
pub async fn own_act(tx: &mut Tx, booking: &BookingId, now: Timestamp) -> Result<Option<Timestamp>> {
    let acts: (Option<Timestamp>, Option<Timestamp>) = tx
        .query(
            "SELECT (SELECT MAX(changed_at) FROM booking_status_history
                     WHERE booking_id = $1 AND (actor_type IN ('api_key', 'webhook')
                                                OR actor_type = 'user' AND changed_by_user_id IS NULL)),
                    (SELECT MAX(created_at) FROM payments WHERE booking_id = $1)",
        )
        .bind(booking)
        .one()
        .await?;
    Ok(lasting(acts.0.max(acts.1), OWN_ACT, now))
}

/// Whether an automatic text of this kind is about an offer, or answers one.
#[must_use]
pub fn is_about_an_offer(kind: AutomationType, trigger_ref: &str) -> bool {
    kind == AutomationType::OfferNotification || trigger_ref.starts_with("offer:")
}

/// Returns the end of the time `lasts` after `at`, if it has not passed.
fn lasting(at: Option<Timestamp>, lasts: Duration, now: Timestamp) -> Option<Timestamp> {
    at.map(|at| at + lasts).filter(|until| now < *until)
}
