//! A text whose attempt ended without an answer, as whoever asks the provider about it needs it.

use nightshift_db::{Timestamp, Tx};

use super::outbound::load;
use super::send::{Envelope, addresses};
use crate::ids::MessageId;
use crate::messaging::message::MessageStatus;
use crate::{Error, Result};

/// What was handed to the provider; none when the text's fate is known by now.
///
/// # Errors
/// [`Error::NotFound`] when there is no such outbound text, or its addresses are gone.
pub async fn unclear(tx: &mut Tx, id: &MessageId, now: Timestamp) -> Result<Option<Envelope>> {
    let text = load(tx, id).await?;
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
