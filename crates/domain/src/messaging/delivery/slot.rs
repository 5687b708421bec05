//! The rate at which a number may send.

use std::time::Duration;

use nightshift_db::{Engine, Timestamp, Tx};

use super::outbound::lock;
use crate::ids::{MessageId, NumberId};
use crate::{Error, Result};

/// A number sends one text a second; carriers drop what comes faster.
const SEND_INTERVAL: Duration = Duration::from_secs(1);

/// A slot that passed unused so long ago is given up: texts that waited out an outage must not all leave at once.
const SLOT_KEPT: Duration = Duration::from_secs(10);

/// The moment a text may leave its number. Each number gives out one slot a second, in the order they are asked for;
/// a text keeps the slot it has, unless that has long passed.
///
/// # Errors
/// [`Error::NotFound`] when there is no such text or number.
pub async fn take_send_slot(tx: &mut Tx, number: &NumberId, message: &MessageId, now: Timestamp) -> Result<Timestamp> {
    let text = lock(tx, message).await?;
    if let Some(slot) = text.send_slot_at.filter(|slot| *slot + SLOT_KEPT >= now) {
        return Ok(slot);
    }
    let next: Option<(Option<Timestamp>,)> = tx
        .query(match tx.engine() {
            Engine::Postgres => "SELECT next_send_at FROM message_numbers WHERE id = $1 FOR NO KEY UPDATE",
            Engine::Sqlite => "SELECT next_send_at FROM message_numbers WHERE id = $1",
        })
        .bind(number)
        .optional()
        .await?;
    let (next,) = next.ok_or(Error::NotFound)?;
    let slot = next.map_or(now, |next| next.max(now));
    tx.query("UPDATE message_numbers SET next_send_at = $2, updated_at = $3 WHERE id = $1")
        .bind(number)
        .bind(slot + SEND_INTERVAL)
        .bind(now)
        .execute()
        .await?;
    tx.query("UPDATE message_events SET send_slot_at = $2, updated_at = $3 WHERE id = $1")
        .bind(message)
        .bind(slot)
        .bind(now)
        .execute()
        .await?;
    Ok(slot)
}
