//! Deleting data past its retention time. Data that is kept for ever (audit log, status history) is not mentioned here:
//! the database itself moves the receipt of a deleted webhook event to the audit log.
//!
//! Ids sort by creation, so webhook events are found by their primary key, and the most frequent write of the program
//! needs no index for this.

use std::time::Duration;

use nightshift_db::{Bind, Db, Timestamp, lowest_id};
use serde::Serialize;

use crate::Result;
use crate::access::throttle;

/// Rows for each statement, so that a sweep never holds locks for long.
const BATCH: i64 = 1_000;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The number of rows changed or deleted, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Swept {
    /// Bodies of webhook events.
    pub inbox_payloads: u64,
    /// Webhook events.
    pub inbox_rows: u64,
    /// Events of live updates.
    pub stream_events: u64,
    /// Stored responses.
    pub idempotency_keys: u64,
    /// Ended sessions.
    pub sessions: u64,
    /// Failed sign-ins, as the previous version counts them.
    pub login_failures: u64,
    /// Counters of guessed passwords.
    pub sign_in_guesses: u64,
    /// Transcripts of calls.
    pub transcripts: u64,
}

/// The events before an id, newest first: the first id of a batch, and how many of the batch have a body.
const EVENTS_BEFORE: &str = "
SELECT min(id), count(payload)
FROM (SELECT id, payload FROM webhook_inbox WHERE id < $1 ORDER BY id DESC LIMIT $2) AS batch";
const EMPTY_EVENTS: &str = "UPDATE webhook_inbox SET payload = NULL WHERE id >= $1 AND id < $2 AND payload IS NOT NULL";
const FORGET_EVENTS: &str = "
DELETE FROM webhook_inbox WHERE id IN (SELECT id FROM webhook_inbox WHERE id < $1 ORDER BY id LIMIT $2)";

/// Deletes everything that is past its retention time.
///
/// # Errors
/// After a database error, the rows deleted until then stay deleted.
pub async fn sweep(db: &Db, now: Timestamp) -> Result<Swept> {
    Ok(Swept {
        inbox_payloads: emptied(db, now).await?,
        inbox_rows: in_batches(db, FORGET_EVENTS, lowest_id(now - 180 * DAY)).await?,
        stream_events: in_batches(
            db,
            "DELETE FROM stream_events
             WHERE seq IN (SELECT seq FROM stream_events WHERE created_at < $1 LIMIT $2)",
            now - DAY,
        )
        .await?,
        idempotency_keys: in_batches(
            db,
            "DELETE FROM idempotency_keys WHERE (principal, method, path, key) IN
                (SELECT principal, method, path, key FROM idempotency_keys WHERE expires_at < $1 LIMIT $2)",
            now,
        )
        .await?,
        sessions: in_batches(
            db,
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 LIMIT $2)",
            now - 30 * DAY,
        )
        .await?,
        login_failures: in_batches(
            db,
            "DELETE FROM login_failures WHERE id IN (SELECT id FROM login_failures WHERE created_at < $1 LIMIT $2)",
            now - throttle::PERIOD,
        )
        .await?,
        sign_in_guesses: expired_guesses(db, now).await?,
        transcripts: in_batches(
            db,
            "UPDATE booking_calls SET transcript = NULL
             WHERE id IN (SELECT id FROM booking_calls WHERE transcript IS NOT NULL AND ended_at < $1 LIMIT $2)",
            now - 180 * DAY,
        )
        .await?
            + in_batches(
                db,
                "UPDATE providers SET call_transcript = NULL
                 WHERE id IN (SELECT id FROM providers WHERE call_transcript IS NOT NULL AND last_call_at < $1 LIMIT $2)",
                now - 180 * DAY,
            )
            .await?,
    })
}

/// Deletes the bodies of webhook events that are older than 30 days.
///
/// It walks back to a batch without bodies, and then deletes bodies from the oldest one on. Bodies before that batch can't
/// exist, also after a sweep that was interrupted. So a sweep reads no more than what became too old since the last one.
async fn emptied(db: &Db, now: Timestamp) -> Result<u64> {
    let mut ends = vec![lowest_id(now - 30 * DAY)];
    while let Some(end) = ends.last() {
        let (first, bodies): (Option<String>, i64) = db.read(EVENTS_BEFORE).bind(end).bind(BATCH).one().await?;
        match first {
            Some(first) if bodies > 0 => ends.push(first),
            _ => break,
        }
    }
    let mut total = 0;
    for batch in ends.windows(2).rev() {
        total += db.write(EMPTY_EVENTS).bind(&batch[1]).bind(&batch[0]).execute().await?;
    }
    Ok(total)
}

async fn in_batches<'q>(db: &Db, sql: &'static str, before: impl Bind<'q> + Clone) -> Result<u64> {
    let mut total = 0;
    loop {
        let gone = db.write(sql).bind(before.clone()).bind(BATCH).execute().await?;
        total += gone;
        if gone < BATCH.unsigned_abs() {
            return Ok(total);
        }
    }
}

async fn expired_guesses(db: &Db, now: Timestamp) -> Result<u64> {
    let mut total = 0;
    loop {
        let mut tx = db.begin().await?;
        let gone = throttle::forget(&mut tx, BATCH, now).await?;
        tx.commit().await?;
        total += gone;
        if gone < BATCH.unsigned_abs() {
            return Ok(total);
        }
    }
}
