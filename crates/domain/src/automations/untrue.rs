//! Texts to sitters: what they state about a booking, and when that is no longer true.

use nightshift_db::{Timestamp, Tx};

use super::AutomationType;
use super::stated::{self, CANCELLED, MOVED, shown_alike};
use crate::Result;
use crate::bookings::Status;
use crate::ids::{AutomationRunId, SitterId};

/// The reason of a text that was taken back, or not written, because the offer that it is about has ended.
pub(crate) const OFFER_ENDED: &str = "offer_ended";
/// The same for a text about an assignment of a booking that the sitter has no longer.
const REASSIGNED: &str = "booking_reassigned";
/// The same for a text about an assignment of a booking that has begun.
const STARTED: &str = "booking_started";

/// Returns why a text that came back unsent may not be sent again. Returns `None` if it may be sent. The caller holds
/// the text.
pub(crate) async fn outdated(tx: &mut Tx, run: &AutomationRunId, now: Timestamp) -> Result<Option<&'static str>> {
    match untrue(tx, run, now).await? {
        Some(reason) => Ok(Some(reason)),
        None => stated::outdated(tx, run).await,
    }
}

#[derive(sqlx::FromRow)]
struct Told {
    #[sqlx(rename = "type")]
    kind: AutomationType,
    sitter_id: Option<SitterId>,
    states_start_at: Option<Timestamp>,
    start_at: Timestamp,
    status: Status,
    holder: Option<SitterId>,
    offer_is_pending: bool,
}

/// Returns why the text of this run must not leave, whether or not it is written: a sitter may answer an offer only
/// while it is pending, and is assigned only while the booking is theirs and lies ahead; and a written text states when
/// the booking starts. Returns `None` if the text is true, or not about an offer or an assignment.
pub(crate) async fn untrue(tx: &mut Tx, run: &AutomationRunId, now: Timestamp) -> Result<Option<&'static str>> {
    let told: Option<Told> = tx
        .query(
            "SELECT r.type, r.sitter_id, r.states_start_at, b.start_at, b.status, b.sitter_id AS holder,
                    EXISTS (SELECT 1 FROM offer_events o
                            WHERE o.booking_id = r.booking_id AND o.sitter_id = r.sitter_id
                              AND (r.trigger_ref = 'offer:' || o.id OR r.trigger_ref LIKE 'offer:' || o.id || ':%')
                              AND o.status = 'pending' AND o.expires_at > $2) AS offer_is_pending
             FROM automation_runs r JOIN bookings b ON b.id = r.booking_id
             WHERE r.id = $1 AND r.type IN ('sitterAssignment', 'offerNotification')",
        )
        .bind(run)
        .bind(now)
        .optional()
        .await?;
    let Some(told) = told else { return Ok(None) };
    let moved = told.states_start_at.is_some_and(|stated| !shown_alike(stated, told.start_at));
    if told.kind == AutomationType::OfferNotification {
        let is_open = told.offer_is_pending && !told.status.is_final();
        return Ok(if is_open { moved.then_some(MOVED) } else { Some(OFFER_ENDED) });
    }
    Ok(match told.status {
        Status::Cancelled => Some(CANCELLED),
        _ if told.holder != told.sitter_id => Some(REASSIGNED),
        _ if told.start_at <= now || told.status.is_final() => Some(STARTED),
        _ => moved.then_some(MOVED),
    })
}
