//! Sessions of signed-in users. Each is a row, so the server can end a session.
//!
//! A session expires 12 hours after its last use, and 30 days after the sign-in at the latest. The web layer signs the cookie that
//! holds its id.

use std::time::Duration;

use nightshift_db::{Db, Timestamp, Tx};

use crate::Result;
use crate::ids::{SessionId, UserId};
use crate::people::users::User;

/// Time from the last use to expiry.
pub const IDLE: Duration = Duration::from_secs(12 * 3600);
/// Time from the sign-in to expiry.
pub const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
/// Uses within this time of each other count as one, so that reading a page rarely writes a row.
const RENEW_AFTER: Duration = Duration::from_secs(5 * 60);

#[derive(Debug, Clone)]
pub struct Session {
    /// A secret: only the browser knows it.
    pub id: SessionId,
    /// Moves with a use, but not more often than every five minutes.
    pub expires_at: Timestamp,
}

/// Starts a session for a user whose password was verified.
pub async fn start(tx: &mut Tx, user: &UserId, ip: &str, user_agent: Option<&str>, now: Timestamp) -> Result<Session> {
    let session = Session { id: SessionId::new(now), expires_at: now + IDLE };
    tx.query(
        "INSERT INTO sessions (id, user_id, expires_at, ip, user_agent, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
    )
    .bind(&session.id)
    .bind(user)
    .bind(session.expires_at)
    .bind(ip)
    .bind(user_agent.map(|text| text.chars().filter(|letter| *letter != '\0').take(200).collect::<String>()))
    .bind(now)
    .execute()
    .await?;
    tx.query("UPDATE users SET last_login_at = $2 WHERE id = $1").bind(user).bind(now).execute().await?;
    Ok(session)
}

/// A session that has not expired.
#[derive(Debug, Clone)]
pub struct Live {
    pub user: User,
    /// The new expiry, if this use moved it. The cookie must be renewed then. `None` if it did not move.
    pub renewed_until: Option<Timestamp>,
}

/// Returns the user of a session and moves the session's expiry. Returns `None` if the session is unknown, expired or
/// revoked, or its user is inactive.
pub async fn resume(db: &Db, session: &SessionId, now: Timestamp) -> Result<Option<Live>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        session_created_at: Timestamp,
        expires_at: Timestamp,
        #[sqlx(flatten)]
        user: User,
    }
    let row: Option<Row> = db
        .read(
            "SELECT s.created_at AS session_created_at, s.expires_at, u.id, u.name, u.role, u.org_id, u.sitter_id
             FROM sessions s JOIN users u ON u.id = s.user_id
             WHERE s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND u.active",
        )
        .bind(session)
        .bind(now)
        .optional()
        .await?;
    let Some(Row { session_created_at, expires_at, user }) = row else { return Ok(None) };
    let until = (now + IDLE).min(session_created_at + LONGEST);
    if until.since(expires_at) < RENEW_AFTER {
        return Ok(Some(Live { user, renewed_until: None }));
    }
    db.write("UPDATE sessions SET expires_at = $2, updated_at = $3 WHERE id = $1 AND revoked_at IS NULL")
        .bind(session)
        .bind(until)
        .bind(now)
        .execute()
        .await?;
    Ok(Some(Live { user, renewed_until: Some(until) }))
}

pub async fn revoke(tx: &mut Tx, session: &SessionId, now: Timestamp) -> Result<()> {
    tx.query("UPDATE sessions SET revoked_at = $2, updated_at = $2 WHERE id = $1 AND revoked_at IS NULL")
        .bind(session)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}
