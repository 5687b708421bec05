//! The rate at which a number may send.
//!
//! Each number gives out one slot a second, in the order of the requests. Only the texts that wait for earlier slots
//! can push a slot into the future. A stored slot further ahead than that was written by a clock that has since been
//! set back, and is ignored.

use std::time::Duration;

use nightshift_db::{Engine, Timestamp, Tx};

use super::outbound::lock;
use crate::ids::{MessageId, NumberId};
use crate::{Error, Result};

/// One text a second for each number; carriers drop texts that come faster.
const SEND_INTERVAL: Duration = Duration::from_secs(1);

/// A slot that passed unused longer ago than this is given up, so that texts delayed by an outage do not all leave at
/// once.
const SLOT_KEPT: Duration = Duration::from_secs(10);

/// Counts the other texts of a number that wait for their slot. Index: `message_events_waiting`.
const WAITING: &str = "SELECT COUNT(*) FROM message_events
                       WHERE from_number_id = $1 AND status = 'queued' AND send_slot_at IS NOT NULL AND id <> $2";

/// The slots that are taken after a moment. Index: `message_events_waiting`.
const TAKEN: &str = "SELECT send_slot_at FROM message_events
                     WHERE from_number_id = $1 AND status = 'queued' AND send_slot_at IS NOT NULL AND id <> $2
                       AND send_slot_at > $3
                     ORDER BY send_slot_at";

/// Returns the time at which a text may be sent from its number. A text keeps its slot unless the slot passed too long
/// ago or lies further ahead than the waiting texts explain.
///
/// # Errors
/// [`Error::NotFound`] if there is no such text or number.
pub async fn take_send_slot(tx: &mut Tx, number: &NumberId, message: &MessageId, now: Timestamp) -> Result<Timestamp> {
    let text = lock(tx, message).await?;
    let kept = text.send_slot_at.filter(|slot| *slot + SLOT_KEPT >= now);
    if let Some(slot) = kept.filter(|slot| *slot <= now) {
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
    let waiting: i64 = tx.query(WAITING).bind(number).bind(message).scalar().await?;
    // The latest possible slot: one second for each waiting text, and one for the text that was sent last.
    let latest = now + SEND_INTERVAL * u32::try_from(waiting).unwrap_or(u32::MAX).saturating_add(1);
    if let Some(slot) = kept.filter(|slot| *slot <= latest) {
        return Ok(slot);
    }
    let earliest = match next {
        Some(next) if next > latest => now + SEND_INTERVAL,
        Some(next) => next.max(now),
        None => now,
    };
    let slot = first_free(tx, number, message, earliest).await?;
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

/// Returns the first time from `earliest` on that is at least one interval away from every taken slot. Slots are given
/// out in order, so gaps come only from texts that were taken back and from slots written by another clock.
async fn first_free(tx: &mut Tx, number: &NumberId, message: &MessageId, earliest: Timestamp) -> Result<Timestamp> {
    let taken: Vec<(Timestamp,)> =
        tx.query(TAKEN).bind(number).bind(message).bind(earliest - SEND_INTERVAL).all().await?;
    let mut slot = earliest;
    for (taken,) in taken {
        if slot + SEND_INTERVAL <= taken {
            break;
        }
        slot = slot.max(taken + SEND_INTERVAL);
    }
    Ok(slot)
}
