//! A text whose attempt ended without an answer, with what is needed to ask the carrier about it.

use nightshift_db::{Timestamp, Tx};

use super::outbound::lock;
use super::send::{Envelope, addresses};
use crate::ids::MessageId;
use crate::messaging::message::MessageStatus;
use crate::{Error, Result};

/// Returns what was sent to the carrier, or `None` if the outcome is known by now. Locks the text until the transaction
/// ends.
///
/// # Errors
/// [`Error::NotFound`] if there is no such outbound text, or if its addresses no longer exist.
pub async fn unclear(tx: &mut Tx, id: &MessageId, now: Timestamp) -> Result<Option<Envelope>> {
    let text = lock(tx, id).await?;
    if text.status != MessageStatus::Unconfirmed || text.provider_message_sid.is_some() {
        return Ok(None);
    }
    let addresses = addresses(tx, &text).await?;
    let (Some(to), Some(from), Some(provider)) = (addresses.recipient(), addresses.from, addresses.provider) else {
        return Err(Error::NotFound);
    };
    Ok(Some(Envelope {
        message_id: text.id,
        org_id: text.org_id,
        thread_id: text.thread_id,
        provider,
        from,
        to,
        body: addresses.body,
        send_started_at: text.send_started_at.unwrap_or(now),
    }))
}
