//! Answers of requests that carried an `Idempotency-Key`, so that a client that lost an answer may ask again.
//!
//! A key belongs to a caller, a method and a path. The first request with it holds it while it runs, and gives it back
//! when it changed nothing; one that never ended, because its process was killed, loses it after a minute.

use std::time::Duration;

use nightshift_db::{Db, Timestamp, Tx};
use sha2::{Digest, Sha256};

use crate::Result;

/// An answer is kept for so long.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// A request that has not ended by then never will: it is far beyond the longest time a request may take.
const ABANDONED_AFTER: Duration = Duration::from_secs(60);

/// What names a request. Each request that is sent has a value of its own: see [`RequestKey::holder`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// Who asks.
    pub principal: String,
    /// `POST`.
    pub method: String,
    /// The path.
    pub path: String,
    /// The header's value.
    pub key: String,
    /// This very request among all that come with the key: only the one that holds it may end it.
    pub holder: String,
}

/// What to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Run it; then [`finish`] or [`abandon`].
    Fresh,
    /// Answer this, it ran before.
    Replay {
        /// The answer's status.
        status: u16,
        /// The answer's body.
        body: String,
    },
    /// The key was used for another body.
    Mismatch,
    /// The first request with this key still runs.
    InProgress,
}

#[derive(sqlx::FromRow)]
struct Standing {
    request_sha256: String,
    state: String,
    status_code: Option<i64>,
    response_body: Option<String>,
}

/// Takes the key, also from a request that expired or was given up. The primary key decides between two at once.
const TAKE: &str = "
INSERT INTO idempotency_keys
    (principal, method, path, key, request_sha256, state, expires_at, created_at, updated_at, holder)
VALUES ($1, $2, $3, $4, $5, 'in_progress', $6, $7, $7, $9)
ON CONFLICT (principal, method, path, key) DO UPDATE
SET request_sha256 = excluded.request_sha256, state = 'in_progress', status_code = NULL, response_body = NULL,
    expires_at = excluded.expires_at, created_at = excluded.created_at, updated_at = excluded.updated_at,
    holder = excluded.holder
WHERE idempotency_keys.expires_at <= $7
   OR (idempotency_keys.state = 'in_progress' AND idempotency_keys.updated_at <= $8)
RETURNING state";

/// Asks whether a request is to be run, and takes its key when it is.
///
/// # Errors
/// A database error. The key may have been taken all the same: [`abandon`] it.
pub async fn begin(db: &Db, request: &RequestKey, body: &[u8], now: Timestamp) -> Result<Begun> {
    let sha256 = hex::encode(Sha256::digest(body));
    let taken: Option<(String,)> = db
        .write(TAKE)
        .bind(&request.principal)
        .bind(&request.method)
        .bind(&request.path)
        .bind(&request.key)
        .bind(&sha256)
        .bind(now + KEPT)
        .bind(now)
        .bind(now - ABANDONED_AFTER)
        .bind(&request.holder)
        .optional()
        .await?;
    if taken.is_some() {
        return Ok(Begun::Fresh);
    }
    let standing: Option<Standing> = db
        .read(
            "SELECT request_sha256, state, status_code, response_body FROM idempotency_keys
             WHERE principal = $1 AND method = $2 AND path = $3 AND key = $4",
        )
        .bind(&request.principal)
        .bind(&request.method)
        .bind(&request.path)
        .bind(&request.key)
        .optional()
        .await?;
    Ok(match standing {
        Some(row) if row.request_sha256 != sha256 => Begun::Mismatch,
        Some(Standing { state, status_code: Some(status), response_body: Some(body), .. }) if state == "done" => {
            Begun::Replay { status: u16::try_from(status).unwrap_or(500), body }
        }
        // Given up this moment by the request that held it: the caller asks again like after any 409.
        _ => Begun::InProgress,
    })
}

/// Keeps the answer of a request that ran, in the transaction of what it changed. False when the key was taken over
/// meanwhile: then the request must not change anything.
///
/// # Errors
/// A database error.
pub async fn finish(tx: &mut Tx, request: &RequestKey, status: u16, body: &str, now: Timestamp) -> Result<bool> {
    let kept = tx
        .query(
            "UPDATE idempotency_keys SET state = 'done', status_code = $6, response_body = $7, updated_at = $8
         WHERE principal = $1 AND method = $2 AND path = $3 AND key = $4 AND holder = $5 AND state = 'in_progress'",
        )
        .bind(&request.principal)
        .bind(&request.method)
        .bind(&request.path)
        .bind(&request.key)
        .bind(&request.holder)
        .bind(i64::from(status))
        .bind(body)
        .bind(now)
        .execute()
        .await?;
    Ok(kept > 0)
}

/// Gives the key back if `request` holds it, because it changed nothing and may be sent again.
///
/// # Errors
/// A database error.
pub async fn abandon(db: &Db, request: &RequestKey) -> Result<()> {
    db.write(
        "DELETE FROM idempotency_keys
         WHERE principal = $1 AND method = $2 AND path = $3 AND key = $4 AND holder = $5 AND state = 'in_progress'",
    )
    .bind(&request.principal)
    .bind(&request.method)
    .bind(&request.path)
    .bind(&request.key)
    .bind(&request.holder)
    .execute()
    .await?;
    Ok(())
}
