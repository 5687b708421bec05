//! Deleting data past its retention time. Data that is kept for ever (audit log, status history) is not mentioned here:
//! the database itself moves the receipt of a deleted webhook event to the audit log.
//!
//! Webhook events are found by reading all of them, once a day, so the most frequent write of the program needs no index
//! for this.

use std::time::Duration;

use nightshift_db::{Bind, Db, Timestamp};
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

/// The next batch of events after an id: its last id, how many of its events have a body that is too old, and how many
/// are themselves too old.
const NEXT_EVENTS: &str = "
SELECT max(id), count(CASE WHEN has_body AND received_at < $3 THEN 1 END), count(CASE WHEN received_at < $4 THEN 1 END)
FROM (SELECT id, received_at, payload IS NOT NULL AS has_body FROM webhook_inbox WHERE id > $1 ORDER BY id LIMIT $2) AS batch";
const EMPTY_EVENTS: &str = "
UPDATE webhook_inbox SET payload = NULL WHERE id > $1 AND id <= $2 AND received_at < $3 AND payload IS NOT NULL";
const FORGET_EVENTS: &str = "DELETE FROM webhook_inbox WHERE id > $1 AND id <= $2 AND received_at < $3";

/// Deletes everything that is past its retention time.
///
/// # Errors
/// After a database error, the rows deleted until then stay deleted.
pub async fn sweep(db: &Db, now: Timestamp) -> Result<Swept> {
    let (inbox_payloads, inbox_rows) = inbox(db, now).await?;
    Ok(Swept {
        inbox_payloads,
        inbox_rows,
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

/// Deletes the bodies of webhook events that are older than 30 days, and events that are older than 180 days. Returns the
/// number of bodies and of events.
///
/// It reads every event, in the order of the ids. The order says little about the age: an id is ahead of its time if its
/// process's clock was once ahead, and the ids of a process whose clock was behind are among those of earlier days.
async fn inbox(db: &Db, now: Timestamp) -> Result<(u64, u64)> {
    let (body_limit, row_limit) = (now - 30 * DAY, now - 180 * DAY);
    let (mut bodies, mut rows) = (0, 0);
    let mut after = String::new();
    loop {
        let batch = db.read(NEXT_EVENTS).bind(&after).bind(BATCH).bind(body_limit).bind(row_limit);
        let (Some(last), old_bodies, old_rows): (Option<String>, i64, i64) = batch.one().await? else {
            return Ok((bodies, rows));
        };
        if old_rows > 0 {
            rows += db.write(FORGET_EVENTS).bind(&after).bind(&last).bind(row_limit).execute().await?;
        }
        if old_bodies > 0 {
            bodies += db.write(EMPTY_EVENTS).bind(&after).bind(&last).bind(body_limit).execute().await?;
        }
        after = last;
    }
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
