//! What is recorded when a thread begins, whatever creates it: a confirmed booking, a text that arrives, or a text that
//! is written for somebody who has no thread yet.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::threads::Thread;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::ids::InboxId;
use crate::{Result, stream};

/// Records a thread that was created in this transaction: an entry in the event log, and a live update for the owners.
/// `inbox` is the webhook that caused it, if one did.
///
/// # Errors
/// An error of the database.
pub(crate) async fn record(
    tx: &mut Tx,
    thread: &Thread,
    inbox: Option<&InboxId>,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let metadata = json!({"scope": thread.scope, "messageNumberId": thread.message_number_id});
    let mut entry = thread.entry(Event::ThreadCreated, "success", by).metadata(metadata);
    if let Some(inbox) = inbox {
        entry = entry.inbox(inbox);
    }
    audit::record(tx, entry, now).await?;
    let data = json!({"threadId": thread.id, "bookingId": thread.booking_id, "scope": thread.scope});
    for topic in ["threads".to_owned(), format!("thread:{}", thread.id)] {
        stream::append(tx, Some(&thread.org_id), &topic, "thread.created", &data, now).await?;
    }
    Ok(())
}
