//! Slows down guessing: after 5 failed sign-ins to an account, or 20 from an address, within 15 minutes, no more are
//! tried until the oldest of them is that old.

use std::time::Duration;

use nightshift_db::{Db, Timestamp, new_id};
use sha2::{Digest, Sha256};

use crate::Result;
use crate::people::users::normal_email;

/// Failures are counted for so long.
pub const PERIOD: Duration = Duration::from_secs(15 * 60);
const PER_ACCOUNT: i64 = 5;
const PER_ADDRESS: i64 = 20;

/// How long this caller must wait before another sign-in is tried; none when it may be tried now.
///
/// # Errors
/// A database error.
pub async fn wait(db: &Db, email: &str, ip: &str, now: Timestamp) -> Result<Option<Duration>> {
    // The failure that must grow old: the 5th or 20th last.
    const BY_ACCOUNT: &str = "SELECT created_at FROM login_failures WHERE account = $1 AND created_at > $2
                              ORDER BY created_at DESC LIMIT 1 OFFSET $3";
    const BY_ADDRESS: &str = "SELECT created_at FROM login_failures WHERE ip = $1 AND created_at > $2
                              ORDER BY created_at DESC LIMIT 1 OFFSET $3";
    let mut longest = None;
    for (sql, who, allowed) in [(BY_ACCOUNT, account(email), PER_ACCOUNT), (BY_ADDRESS, ip.to_owned(), PER_ADDRESS)] {
        let failure: Option<(Timestamp,)> =
            db.read(sql).bind(who).bind(now - PERIOD).bind(allowed - 1).optional().await?;
        longest = longest.max(failure.map(|(at,)| (at + PERIOD).since(now)));
    }
    Ok(longest)
}

/// Counts a failed sign-in.
///
/// # Errors
/// A database error.
pub async fn failed(db: &Db, email: &str, ip: &str, now: Timestamp) -> Result<()> {
    db.write("INSERT INTO login_failures (id, account, ip, created_at) VALUES ($1, $2, $3, $4)")
        .bind(new_id(now))
        .bind(account(email))
        .bind(ip)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// People type passwords into the wrong field: what they typed as an address is not kept.
fn account(email: &str) -> String {
    hex::encode(Sha256::digest(normal_email(email)))
}
