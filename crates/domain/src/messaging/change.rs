//! What people do with a thread: they read it, mark it as unread, put it away, close or open it, and assign it.

use nightshift_db::{Timestamp, Tx};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, json};
use utoipa::ToSchema;

use super::inbox;
use super::threads::{self, Scope, Thread, ThreadStatus};
use super::unread::{self, Reader};
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::ids::{OrgId, SitterId, ThreadId};
use crate::viewer::Viewer;
use crate::{Error, Result};

/// A change of a conversation. Missing fields stay unchanged.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(as = ThreadPatch)]
#[serde(rename_all = "camelCase", default)]
pub struct Patch {
    pub status: Option<ThreadStatus>,
    /// The sitter to whose mailbox the conversation moves; null moves it to the owner's. Only for conversations with
    /// clients. The booking and its window keep their sitter.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<SitterId>)]
    pub assigned_sitter_id: Option<Option<SitterId>>,
    /// Whether the conversation is put away. An inbound text brings it back.
    pub done: Option<bool>,
    /// True marks the conversation as unread for the owner, false as read.
    pub unread: Option<bool>,
}

/// Distinguishes a field that is null from one that is missing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<SitterId>>, D::Error> {
    Option::<SitterId>::deserialize(deserializer).map(Some)
}

/// Changes a thread for its owner. A change without an effect leaves no trace.
///
/// # Errors
/// [`Error::NotFound`] if the organisation has no such thread; [`Error::Invalid`] if it has no such active sitter, if a
/// thread that is not with a client is assigned, or if one with a sitter is closed; [`Error::Conflict`] `already_open` if a general thread is to be opened while
/// another one of the client is open on the same number.
pub async fn change(tx: &mut Tx, org: &OrgId, id: &ThreadId, patch: &Patch, by: &Actor, now: Timestamp) -> Result<()> {
    let thread = threads::lock(tx, id).await?;
    if thread.org_id != *org {
        return Err(Error::NotFound);
    }
    let mut changed = Map::new();
    if let Some(sitter) = patch.assigned_sitter_id.as_ref().filter(|sitter| **sitter != thread.assigned_sitter_id) {
        assign(tx, &thread, sitter.as_ref(), now).await?;
        changed.insert("assignedSitterId".to_owned(), json!({"from": thread.assigned_sitter_id, "to": sitter}));
    }
    if let Some(status) = patch.status.filter(|status| *status != thread.status) {
        set_status(tx, &thread, status, now).await?;
        changed.insert("status".to_owned(), json!({"from": thread.status, "to": status}));
    }
    if let Some(done) = patch.done.filter(|done| *done != thread.done_at.is_some()) {
        tx.query("UPDATE message_threads SET done_at = $2, updated_at = $3 WHERE id = $1")
            .bind(id)
            .bind(done.then_some(now))
            .bind(now)
            .execute()
            .await?;
        changed.insert("done".to_owned(), json!(done));
    }
    let marked = match patch.unread {
        Some(true) => unread::mark_unread(tx, id).await?,
        Some(false) => unread::read(tx, id, Reader::Owner, None).await?,
        None => false,
    };
    if marked {
        changed.insert("unread".to_owned(), json!(patch.unread));
    }
    if changed.is_empty() {
        return Ok(());
    }
    let entry = thread.entry(Event::ThreadChanged, "success", by).metadata(json!({"changed": changed}));
    audit::record(tx, entry, now).await?;
    let next = patch.assigned_sitter_id.as_ref().and_then(Option::as_ref);
    threads::announce(tx, &thread, next, now).await
}

/// Marks a thread as read for the viewer, who is the owner or the sitter of an active window: every text that had
/// arrived up to the arrival `up_to`, or every text if it is `None`. A text that arrived later stays unread.
///
/// # Errors
/// [`Error::NotFound`] if the viewer's organisation has no such thread, or if the viewer is a sitter to whom it is not
/// open at `now`; [`Error::Forbidden`] for viewers without an organisation.
pub async fn read(tx: &mut Tx, viewer: &Viewer, id: &ThreadId, up_to: Option<i64>, now: Timestamp) -> Result<()> {
    let thread = threads::lock(tx, id).await?;
    if thread.org_id != *viewer.organization()? || !inbox::is_open_to_in(tx, viewer, id, now).await? {
        return Err(Error::NotFound);
    }
    let reader = if viewer.sitter_id().is_some() { Reader::Sitter } else { Reader::Owner };
    if unread::read(tx, id, reader, up_to).await? {
        threads::announce(tx, &thread, None, now).await?;
    }
    Ok(())
}

async fn assign(tx: &mut Tx, thread: &Thread, sitter: Option<&SitterId>, now: Timestamp) -> Result<()> {
    const FIELD: &str = "assignedSitterId";
    if !matches!(thread.scope, Scope::ClientBooking | Scope::ClientGeneral) {
        return Err(Error::invalid(FIELD, "is only for conversations with clients"));
    }
    if let Some(sitter) = sitter {
        let known: bool = tx
            .query("SELECT EXISTS (SELECT 1 FROM sitters WHERE id = $1 AND org_id = $2 AND active)")
            .bind(sitter)
            .bind(&thread.org_id)
            .scalar()
            .await?;
        if !known {
            return Err(Error::invalid(FIELD, "is not an active sitter of this organisation"));
        }
    }
    threads::set_sitter(tx, &thread.id, sitter, now).await?;
    Ok(())
}

/// Opens or closes a thread. Those with sitters stay open: a sitter has only one, in which offers reach them. The index `message_threads_one_general` refuses a second open general thread of a client
/// on a number, also one that is created at the same time.
async fn set_status(tx: &mut Tx, thread: &Thread, status: ThreadStatus, now: Timestamp) -> Result<()> {
    if thread.scope == Scope::OwnerSitter && status == ThreadStatus::Closed {
        return Err(Error::invalid("status", "a conversation with a sitter stays open, because offers arrive in it"));
    }
    match threads::set_status(tx, &thread.id, status, now).await {
        Err(Error::Db(error)) if error.is_unique_violation() => {
            Err(Error::conflict("already_open", "another conversation with this client is open on this number"))
        }
        result => result.map(|_| ()),
    }
}
