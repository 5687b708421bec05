//! Answers of requests that carried an `Idempotency-Key`, so that a client that lost an answer may ask again.
//!
//! A key belongs to a caller, a method and a path. The first request with it holds it while it runs, and gives it back
//! when it changed nothing. One that could not (the database was away) leaves it to the next request of its process,
//! which knows that it no longer runs; one whose process was killed stops renewing it and loses it within seconds. Who
//! lost a key can't store anything any more: the answer is kept in the transaction of the change, and only for the
//! holder.

use std::time::Duration;

use nightshift_db::{Db, Timestamp, Tx, failpoint};
use sha2::{Digest, Sha256};

use crate::Result;

/// An answer is kept for so long.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// A key that is still held is renewed so often.
pub const RENEW_EVERY: Duration = Duration::from_secs(2);
/// A key that was not renewed for so long belongs to a process that is dead, frozen or cut off.
const ABANDONED_AFTER: Duration = Duration::from_secs(5);

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
    pub holder: Holder,
}

/// One request of one process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The process that runs it.
    pub process: String,
    /// Its id within the process.
    pub request: String,
}

impl Holder {
    fn stored(&self) -> String {
        format!("{}/{}", self.process, self.request)
    }

    /// Of a stored text; `None` for one of an earlier version, which names no process.
    fn parse(text: &str) -> Option<Self> {
        let (process, request) = text.split_once('/')?;
        Some(Self { process: process.to_owned(), request: request.to_owned() })
    }
}

/// What to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
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
    /// Another request with this key still runs, as far as the database knows.
    InProgress {
        /// That request; `None` when an earlier version of the program runs it.
        by: Option<Holder>,
    },
}

#[derive(sqlx::FromRow)]
struct Standing {
    request_sha256: String,
    state: String,
    status_code: Option<i64>,
    response_body: Option<String>,
    holder: Option<String>,
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
   OR (idempotency_keys.state = 'in_progress'
       AND (idempotency_keys.updated_at <= $8 OR idempotency_keys.holder = $10))
RETURNING state";

/// Asks whether a request is to be run, and takes its key when it is. `gone` is a request that is known to run no longer:
/// if it holds the key, it loses it.
///
/// # Errors
/// A database error. The key may have been taken all the same: [`abandon`] it.
pub async fn begin(
    db: &Db,
    request: &RequestKey,
    body: &[u8],
    gone: Option<&Holder>,
    now: Timestamp,
) -> Result<KeyState> {
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
        .bind(request.holder.stored())
        .bind(gone.map(Holder::stored))
        .optional()
        .await?;
    failpoint::hit("idempotency.after_take").await?;
    if taken.is_some() {
        return Ok(KeyState::Fresh);
    }
    let standing: Option<Standing> = db
        .read(
            "SELECT request_sha256, state, status_code, response_body, holder FROM idempotency_keys
             WHERE principal = $1 AND method = $2 AND path = $3 AND key = $4",
        )
        .bind(&request.principal)
        .bind(&request.method)
        .bind(&request.path)
        .bind(&request.key)
        .optional()
        .await?;
    Ok(match standing {
        Some(row) if row.request_sha256 != sha256 => KeyState::Mismatch,
        Some(Standing { state, status_code: Some(status), response_body: Some(body), .. }) if state == "done" => {
            KeyState::Replay { status: u16::try_from(status).unwrap_or(500), body }
        }
        // Given up this moment by the request that held it: the caller asks again like after any 409.
        other => KeyState::InProgress { by: other.and_then(|row| Holder::parse(&row.holder?)) },
    })
}

/// Keeps the key for a request that still runs. It does nothing for one that has lost its key or has ended.
///
/// # Errors
/// A database error.
pub async fn renew(db: &Db, request: &RequestKey, now: Timestamp) -> Result<()> {
    db.write(
        "UPDATE idempotency_keys SET updated_at = $6
         WHERE principal = $1 AND method = $2 AND path = $3 AND key = $4 AND holder = $5 AND state = 'in_progress'",
    )
    .bind(&request.principal)
    .bind(&request.method)
    .bind(&request.path)
    .bind(&request.key)
    .bind(request.holder.stored())
    .bind(now)
    .execute()
    .await?;
    Ok(())
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
        .bind(request.holder.stored())
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
    failpoint::hit("idempotency.before_abandon").await?;
    db.write(
        "DELETE FROM idempotency_keys
         WHERE principal = $1 AND method = $2 AND path = $3 AND key = $4 AND holder = $5 AND state = 'in_progress'",
    )
    .bind(&request.principal)
    .bind(&request.method)
    .bind(&request.path)
    .bind(&request.key)
    .bind(request.holder.stored())
    .execute()
    .await?;
    Ok(())
}
