//! The automatic texts about an offer: the first one, and those that replaced an unsent one because the booking moved.

use nightshift_db::{Json, Timestamp, Tx};
use serde_json::Value;

use super::offer::Offer;
use crate::Result;
use crate::actor::Actor;
use crate::automations::AutomationType;
use crate::automations::runs::{self, AutomationRunStatus};
use crate::ids::{AutomationRunId, MessageId, OfferId};
use crate::messaging::delivery;
use crate::messaging::message::MessageStatus;

pub(super) const KIND: AutomationType = AutomationType::OfferNotification;

/// Returns the fact that causes the first text about an offer. Those of later texts begin with it and a colon.
pub(super) fn trigger_of(offer: &OfferId) -> String {
    format!("offer:{offer}")
}

/// A text about an offer, written or to be written.
#[derive(sqlx::FromRow)]
pub(super) struct OfferText {
    run: AutomationRunId,
    run_status: AutomationRunStatus,
    message: Option<MessageId>,
    message_status: Option<MessageStatus>,
    /// The start of the booking that it states, once it is written.
    pub states_start_at: Option<Timestamp>,
    pub metadata: Json<Value>,
}

/// Returns the texts about an offer, in the order in which they were caused.
pub(super) async fn texts_of(tx: &mut Tx, offer: &Offer) -> Result<Vec<OfferText>> {
    let texts = tx
        .query(
            "SELECT r.id AS run, r.status AS run_status, r.message_event_id AS message, e.status AS message_status,
                    r.states_start_at, r.metadata
             FROM automation_runs r LEFT JOIN message_events e ON e.id = r.message_event_id
             WHERE r.booking_id = $1 AND r.type = $2 AND (r.trigger_ref = $3 OR r.trigger_ref LIKE $3 || ':%')
             ORDER BY r.created_at, r.id",
        )
        .bind(&offer.booking_id)
        .bind(KIND)
        .bind(trigger_of(&offer.id))
        .all()
        .await?;
    Ok(texts)
}

impl OfferText {
    /// Whether it is to be written, or may not have been sent.
    pub(super) fn is_unsent(&self) -> bool {
        match self.message_status {
            Some(status) => {
                matches!(status, MessageStatus::Queued | MessageStatus::Sending | MessageStatus::Unconfirmed)
            }
            None => matches!(self.run_status, AutomationRunStatus::Pending | AutomationRunStatus::Blocked),
        }
    }

    /// Takes it back if it has not been sent. One that is being sent is locked too: if it comes back unsent, it is no
    /// longer true.
    pub(super) async fn take_back(self, tx: &mut Tx, reason: &'static str, by: &Actor, now: Timestamp) -> Result<()> {
        match self.message {
            Some(text) => delivery::take_back(tx, &text, reason, by, now).await,
            None => runs::set_skipped(tx, &self.run, reason, by, now).await,
        }
    }
}
