//! Deleting data past its retention time. Data that is kept for ever (audit log, status history) is not mentioned here.

use std::time::Duration;

use nightshift_db::{Db, Timestamp};
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

/// Deletes everything that is past its retention time.
///
/// # Errors
/// After a database error, the rows deleted until then stay deleted.
pub async fn sweep(db: &Db, now: Timestamp) -> Result<Swept> {
    Ok(Swept {
        inbox_payloads: in_batches(
            db,
            "UPDATE webhook_inbox SET payload = NULL
             WHERE id IN (SELECT id FROM webhook_inbox WHERE payload IS NOT NULL AND received_at < $1 LIMIT $2)",
            now - 30 * DAY,
        )
        .await?,
        inbox_rows: in_batches(
            db,
            "DELETE FROM webhook_inbox
             WHERE id IN (SELECT id FROM webhook_inbox WHERE payload IS NULL AND received_at < $1 LIMIT $2)",
            now - 180 * DAY,
        )
        .await?,
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

async fn in_batches(db: &Db, sql: &'static str, before: Timestamp) -> Result<u64> {
    let mut total = 0;
    loop {
        let gone = db.write(sql).bind(before).bind(BATCH).execute().await?;
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
