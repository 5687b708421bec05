//! Conversations with clients whose sitter leaves, or whose number becomes another sitter's.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::numbers::Number;
use super::threads;
use crate::Result;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::ids::{OrgId, SitterId, ThreadId};

/// Gives a sitter's open conversations with clients to the owner, with what is unread in them, because the sitter is no
/// longer active. Locks the conversations in the order of their ids.
///
/// # Errors
/// An error of the database.
pub async fn sitter_left(tx: &mut Tx, org: &OrgId, sitter: &SitterId, by: &Actor, now: Timestamp) -> Result<()> {
    let theirs: Vec<(ThreadId,)> = tx
        .query(
            "SELECT id FROM message_threads
             WHERE org_id = $1 AND assigned_sitter_id = $2 AND status = 'open'
               AND scope IN ('client_booking', 'client_general')
             ORDER BY id",
        )
        .bind(org)
        .bind(sitter)
        .all()
        .await?;
    give(tx, theirs, None, by, now).await
}

/// Gives the open general conversations on a sitter's own number to the sitter who has the number now: those of the
/// sitter before, and, if that one has left, those that the owner answers since. Those that were given to another sitter
/// stay. Locks the conversations in the order of their ids.
///
/// # Errors
/// An error of the database.
pub async fn number_moved(tx: &mut Tx, before: &Number, after: &Number, by: &Actor, now: Timestamp) -> Result<()> {
    let (Some(from), Some(to)) = (&before.assigned_sitter_id, &after.assigned_sitter_id) else { return Ok(()) };
    if from == to {
        return Ok(());
    }
    let theirs: Vec<(ThreadId,)> = tx
        .query(
            "SELECT id FROM message_threads
             WHERE org_id = $1 AND message_number_id = $2 AND status = 'open' AND scope = 'client_general'
               AND (assigned_sitter_id = $3
                    OR (assigned_sitter_id IS NULL
                        AND EXISTS (SELECT 1 FROM sitters s WHERE s.id = $3 AND NOT s.active)))
             ORDER BY id",
        )
        .bind(&after.org_id)
        .bind(&after.id)
        .bind(from)
        .all()
        .await?;
    let answers: bool =
        tx.query("SELECT EXISTS (SELECT 1 FROM sitters WHERE id = $1 AND active)").bind(to).scalar().await?;
    give(tx, theirs, answers.then_some(to), by, now).await
}

async fn give(
    tx: &mut Tx,
    conversations: Vec<(ThreadId,)>,
    to: Option<&SitterId>,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    for (id,) in conversations {
        let thread = threads::lock(tx, &id).await?;
        if thread.assigned_sitter_id.as_ref() == to {
            continue;
        }
        threads::set_sitter(tx, &id, to, now).await?;
        let changed = json!({"changed": {"assignedSitterId": to}});
        audit::record(tx, thread.entry(Event::ThreadChanged, "success", by).metadata(changed), now).await?;
        threads::announce(tx, &thread, to, now).await?;
    }
    Ok(())
}
