//! Unread texts of a thread: how many the owner and the sitter have still to read.
//!
//! The counters follow from what is stored, so they can't drift. Each inbound text has a number, its arrival in the
//! thread from 1 on, and the thread stores up to which arrival the owner and the sitter have read. Every function here
//! changes one of these and counts again. The caller holds the thread's lock
//! ([`threads::lock`](super::threads::lock)), so arrivals are numbered in the order of their commits, and a text that
//! arrives while somebody reads stays unread.

use nightshift_db::{Timestamp, Tx};

use super::mailbox::{Mailbox, mailbox};
use super::scope::Scope;
use crate::ids::{MessageId, SitterId, ThreadId};
use crate::{Error, Result};

/// Whose unread texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    Owner,
    /// The sitter of the thread.
    Sitter,
}

/// What is stored about a thread's texts and their readers.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
struct Tally {
    scope: Scope,
    assigned_sitter_id: Option<SitterId>,
    /// Whether the owner marked the thread as unread since they read it last.
    marked_unread: bool,
    /// Texts routed to the owner that the owner has not read.
    for_owner: i64,
    /// Texts routed to the sitter that the sitter has not read.
    for_sitter: i64,
    /// Texts routed to the sitter that neither has read.
    for_either: i64,
    owner_unread: i64,
    sitter_unread: i64,
}

/// Returns the counters of the owner and of the sitter. Each unread text counts for one of them: for the one to whom it
/// was routed, but for the owner if the thread is in the owner's mailbox. So what a sitter has left unread passes to
/// the owner when the sitter is taken off the thread, and nothing unread disappears.
const fn counters(mailbox: Mailbox, tally: &Tally) -> (i64, i64) {
    let (owner, sitter) = match mailbox {
        Mailbox::Sitter => (tally.for_owner, tally.for_sitter),
        Mailbox::Owner => (tally.for_owner + tally.for_either, 0),
    };
    (if owner == 0 && tally.marked_unread { 1 } else { owner }, sitter)
}

const TALLY: &str = "
SELECT t.scope, t.assigned_sitter_id, t.marked_unread, t.owner_unread, t.sitter_unread,
       (SELECT COUNT(*) FROM message_events m
        WHERE m.thread_id = t.id AND m.routed_to = 'owner' AND m.arrival > t.owner_read) AS for_owner,
       (SELECT COUNT(*) FROM message_events m
        WHERE m.thread_id = t.id AND m.routed_to = 'sitter' AND m.arrival > t.sitter_read) AS for_sitter,
       (SELECT COUNT(*) FROM message_events m
        WHERE m.thread_id = t.id AND m.routed_to = 'sitter' AND m.arrival > t.sitter_read
          AND m.arrival > t.owner_read) AS for_either
FROM message_threads t WHERE t.id = $1";

/// Counts again, after the thread's mailbox has changed or one of its texts was read. Returns whether a counter
/// changed. Index: `message_events_arrived`.
pub(super) async fn recount(tx: &mut Tx, thread: &ThreadId) -> Result<bool> {
    let tally: Tally = tx.query(TALLY).bind(thread).optional().await?.ok_or(Error::NotFound)?;
    let (owner, sitter) = counters(mailbox(tally.scope, tally.assigned_sitter_id.as_ref()), &tally);
    if (owner, sitter) == (tally.owner_unread, tally.sitter_unread) {
        return Ok(false);
    }
    tx.query("UPDATE message_threads SET owner_unread = $2, sitter_unread = $3 WHERE id = $1")
        .bind(thread)
        .bind(owner)
        .bind(sitter)
        .execute()
        .await?;
    Ok(true)
}

/// Does what an inbound text changes in its thread, right after the text was stored: it is unread for the one to whom
/// it was routed, the thread is no longer done, and its times follow the carrier's time of the text. A text that was
/// taken in before changes nothing.
///
/// The caller holds the thread's lock.
///
/// # Errors
/// [`Error::NotFound`] if there is no such thread.
pub async fn received(
    tx: &mut Tx,
    thread: &ThreadId,
    message: &MessageId,
    provider_at: Timestamp,
    now: Timestamp,
) -> Result<()> {
    let numbered = tx
        .query(
            "UPDATE message_events SET arrival = (SELECT arrivals + 1 FROM message_threads WHERE id = $1)
             WHERE id = $2 AND thread_id = $1 AND direction = 'inbound' AND arrival IS NULL",
        )
        .bind(thread)
        .bind(message)
        .execute()
        .await?;
    if numbered == 0 {
        return Ok(());
    }
    // A carrier whose clock is ahead does not keep the thread at the top of the list. A text that was taken in late
    // does not set the times back.
    let at = provider_at.min(now);
    tx.query(
        "UPDATE message_threads
         SET arrivals = arrivals + 1, done_at = NULL, updated_at = $3,
             last_message_at = CASE WHEN last_message_at > $2 THEN last_message_at ELSE $2 END,
             last_inbound_at = CASE WHEN last_inbound_at > $2 THEN last_inbound_at ELSE $2 END
         WHERE id = $1",
    )
    .bind(thread)
    .bind(at)
    .bind(now)
    .execute()
    .await?;
    recount(tx, thread).await?;
    Ok(())
}

/// Marks what had arrived up to the arrival `up_to` as read, or everything if it is `None`. Returns whether a counter
/// changed.
///
/// The caller holds the thread's lock.
pub(super) async fn read(tx: &mut Tx, thread: &ThreadId, reader: Reader, up_to: Option<i64>) -> Result<bool> {
    let sql = match reader {
        Reader::Owner => {
            "UPDATE message_threads
             SET marked_unread = FALSE,
                 owner_read = CASE WHEN $2 < owner_read THEN owner_read WHEN $2 < arrivals THEN $2 ELSE arrivals END
             WHERE id = $1"
        }
        Reader::Sitter => {
            "UPDATE message_threads
             SET sitter_read = CASE WHEN $2 < sitter_read THEN sitter_read WHEN $2 < arrivals THEN $2 ELSE arrivals END
             WHERE id = $1"
        }
    };
    tx.query(sql).bind(thread).bind(up_to.unwrap_or(i64::MAX)).execute().await?;
    recount(tx, thread).await
}

/// Marks the thread as unread for the owner, until the owner reads it. Returns whether a counter changed.
///
/// The caller holds the thread's lock.
pub(super) async fn mark_unread(tx: &mut Tx, thread: &ThreadId) -> Result<bool> {
    tx.query("UPDATE message_threads SET marked_unread = TRUE WHERE id = $1").bind(thread).execute().await?;
    recount(tx, thread).await
}
