//! Responses to requests with an `Idempotency-Key`, so that a client that lost a response may send the request again.
//!
//! A key belongs to a caller, a method and a path. The first request with a key holds it while it runs, and releases it
//! if it changed nothing. If the request could not release it because the database was down, the next request to the
//! same process takes it over, since that process knows that the holder has ended. A holder renews its key; if its
//! process is killed, the key expires within seconds. A request that lost its key can't store anything: the response is
//! stored in the transaction of the change, and only for the holder.

use std::time::Duration;

use nightshift_db::{Db, Timestamp, Tx, failpoint};
use sha2::{Digest, Sha256};

use crate::Result;

/// How long a response is kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// How often the holder renews its key.
pub const RENEW_EVERY: Duration = Duration::from_secs(2);
/// A key that was not renewed for this long belongs to a process that is dead, frozen or disconnected.
const ABANDONED_AFTER: Duration = Duration::from_secs(5);

/// Identifies a request by its key. Two requests with the same key differ in [`RequestKey::holder`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// The caller, who owns the key.
    pub principal: String,
    /// The HTTP method.
    pub method: String,
    pub path: String,
    /// The value of the header `Idempotency-Key`.
    pub key: String,
    /// Identifies this request among those with the same key. Only the holder may end it.
    pub holder: Holder,
}

/// One request in one process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The id of the process.
    pub process: String,
    /// The id of the request within the process.
    pub request: String,
}

impl Holder {
    fn stored(&self) -> String {
        format!("{}/{}", self.process, self.request)
    }

    /// Parses the stored form. Returns `None` for a row of an earlier version, which names no process.
    fn parse(text: &str) -> Option<Self> {
        let (process, request) = text.split_once('/')?;
        Some(Self { process: process.to_owned(), request: request.to_owned() })
    }
}

/// What to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// Run the request, then call [`finish`] or [`abandon`].
    Fresh,
    /// The request ran before. Send this response again.
    Replay { status: u16, body: String },
    /// The key was used for another body.
    Mismatch,
    /// As far as the database knows, another request with this key still runs.
    InProgress {
        /// The other request; `None` if an earlier version of the program runs it.
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

/// Takes the key, also from a request that expired or was abandoned. The primary key decides between concurrent
/// requests.
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

/// Decides whether a request is to be run, and takes the key if so. `gone` is a request that is known to have ended: if
/// it holds the key, it loses the key.
///
/// # Errors
/// After an error the key may have been taken nevertheless: [`abandon`] it.
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
        // The holder released the key just now: the caller retries as after any 409.
        other => KeyState::InProgress { by: other.and_then(|row| Holder::parse(&row.holder?)) },
    })
}

/// Renews the key of a request that still runs. Does nothing if the request has lost its key or has ended.
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

/// Stores the response of a request in the transaction of its changes. Returns false if another request took the key
/// over, in which case this request must not change anything.
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

/// Releases the key if `request` holds it, because the request changed nothing and may be sent again.
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
