//! Whether a client has an active assignment window that does not decide, because its conversation is on another number
//! or closed. The explanation must not deny it.

use nightshift_db::Tx;

use super::facts::Facts;
use crate::Result;
use crate::ids::OrgId;

/// Returns whether a window of the client is active in another conversation than those on the number. Nothing is read if
/// the client has no conversation on the number, or one with an active window: then nothing is said about others.
/// Index: `message_threads_by_client`.
pub(super) async fn is_active(tx: &mut Tx, org: &OrgId, facts: &Facts) -> Result<bool> {
    let Some(client) = facts.client.as_ref().filter(|_| !facts.threads.is_empty() && !facts.has_active_window()) else {
        return Ok(false);
    };
    Ok(tx
        .query(
            "SELECT EXISTS (SELECT 1 FROM message_threads t JOIN assignment_windows w ON w.thread_id = t.id
                            WHERE t.client_id = $1 AND t.org_id = $2
                              AND w.cancelled_at IS NULL AND w.starts_at <= $3 AND $3 < w.ends_at)",
        )
        .bind(client)
        .bind(org)
        .bind(facts.at)
        .scalar()
        .await?)
}
