//! What staff do with exceptions: assign, snooze and close them.

use nightshift_db::{Timestamp, Tx};
use serde_json::{Value, json};

use super::ExceptionStatus;
use super::list::{ExceptionView, exception_columns};
use crate::actor::Actor;
use crate::audit::{self, Entry, Event};
use crate::ids::{ExceptionId, OrgId, UserId};
use crate::viewer::Viewer;
use crate::{Error, Result, stream};

const BY_ID: &str =
    exception_columns!("SELECT", "FROM exceptions WHERE id = $1 AND (CAST($2 AS TEXT) IS NULL OR org_id = $2)");
const CLOSE: &str = exception_columns!(
    "UPDATE exceptions
     SET status = 'resolved', resolved_by = $2, resolved_at = $3, resolution_note = $4, snoozed_until = NULL,
         updated_at = $3
     WHERE id = $1 AND status <> 'resolved' RETURNING",
    ""
);
const SNOOZE: &str = exception_columns!(
    "UPDATE exceptions SET status = 'snoozed', snoozed_until = $2, updated_at = $3
     WHERE id = $1 AND status <> 'resolved' RETURNING",
    ""
);
const ASSIGN: &str = exception_columns!(
    "UPDATE exceptions SET status = 'in_progress', assigned_to = $2, snoozed_until = NULL, updated_at = $3
     WHERE id = $1 AND status <> 'resolved' RETURNING",
    ""
);

/// Closes an exception. A closed exception stays unchanged.
///
/// # Errors
/// [`Error::NotFound`] if there is no such exception or it belongs to another organisation; [`Error::Invalid`] without
/// a note.
pub async fn close(
    tx: &mut Tx,
    viewer: &Viewer,
    id: &ExceptionId,
    note: &str,
    by: &Actor,
    now: Timestamp,
) -> Result<ExceptionView> {
    const NOTE_CHARS_MAX: usize = 4_000;
    let note = note.trim();
    if note.is_empty() || note.contains('\0') || note.chars().count() > NOTE_CHARS_MAX {
        return Err(Error::invalid("note", format!("is required, at most {NOTE_CHARS_MAX} characters")));
    }
    let before = find(tx, viewer, id).await?;
    let who = by.actor_id().unwrap_or(by.actor_type());
    let Some(closed) = tx.query(CLOSE).bind(id).bind(who).bind(now).bind(note).optional().await? else {
        return Ok(before);
    };
    told(tx, closed, Event::ExceptionResolved, json!({"note": note}), by, now).await
}

/// Hides an exception from the list of open ones until a given time.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] if the time is in the past; [`Error::Conflict`] if the exception is closed.
pub async fn snooze(
    tx: &mut Tx,
    viewer: &Viewer,
    id: &ExceptionId,
    until: Timestamp,
    by: &Actor,
    now: Timestamp,
) -> Result<ExceptionView> {
    find(tx, viewer, id).await?;
    if until <= now {
        return Err(Error::invalid("until", "must be in the future"));
    }
    let snoozed = tx.query(SNOOZE).bind(id).bind(until).bind(now).optional().await?.ok_or_else(closed)?;
    told(tx, snoozed, Event::ExceptionSnoozed, json!({"until": until}), by, now).await
}

/// Assigns an exception to a user who may work on it: an owner of its organisation, or one of the operations staff.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] if the user may not work on it; [`Error::Conflict`] if the exception is
/// closed.
pub async fn assign(
    tx: &mut Tx,
    viewer: &Viewer,
    id: &ExceptionId,
    user: &UserId,
    by: &Actor,
    now: Timestamp,
) -> Result<ExceptionView> {
    let before = find(tx, viewer, id).await?;
    let known: bool = tx
        .query(
            "SELECT EXISTS (SELECT 1 FROM users
             WHERE id = $1 AND active AND (role = 'ops' OR (role = 'owner' AND org_id = $2)))",
        )
        .bind(user)
        .bind(&before.org_id)
        .scalar()
        .await?;
    if !known {
        return Err(Error::invalid("userId", "is nobody who can work on this"));
    }
    let assigned = tx.query(ASSIGN).bind(id).bind(user).bind(now).optional().await?.ok_or_else(closed)?;
    told(tx, assigned, Event::ExceptionAssigned, json!({"userId": user}), by, now).await
}

/// Reopens the exceptions that were snoozed until `now` or earlier, and returns how many there were.
pub async fn wake(tx: &mut Tx, now: Timestamp) -> Result<usize> {
    let woken: Vec<(ExceptionId, Option<OrgId>, ExceptionStatus)> = tx
        .query(
            "UPDATE exceptions
             SET status = CASE WHEN assigned_to IS NULL THEN 'open' ELSE 'in_progress' END, snoozed_until = NULL,
                 updated_at = $1
             WHERE status = 'snoozed' AND snoozed_until <= $1 RETURNING id, org_id, status",
        )
        .bind(now)
        .all()
        .await?;
    for (id, org, status) in &woken {
        let data = json!({"id": id, "status": status});
        stream::append(tx, org.as_ref(), "exceptions", "exception.changed", &data, now).await?;
    }
    Ok(woken.len())
}

async fn find(tx: &mut Tx, viewer: &Viewer, id: &ExceptionId) -> Result<ExceptionView> {
    tx.query(BY_ID).bind(id).bind(viewer.org_rows()?).optional().await?.ok_or(Error::NotFound)
}

fn closed() -> Error {
    Error::conflict("exception_resolved", "the exception is resolved")
}

async fn told(
    tx: &mut Tx,
    item: ExceptionView,
    event: Event,
    mut facts: Value,
    by: &Actor,
    now: Timestamp,
) -> Result<ExceptionView> {
    facts["exceptionId"] = json!(item.id);
    facts["type"] = json!(item.kind);
    let mut entry = Entry::new(event, "success", by).metadata(facts);
    if let Some(org) = &item.org_id {
        entry = entry.org(org);
    }
    if let Some(booking) = &item.booking_id {
        entry = entry.booking(booking).correlation(booking.as_str());
    }
    audit::record(tx, entry, now).await?;
    let data = json!({"id": item.id, "status": item.status});
    stream::append(tx, item.org_id.as_ref(), "exceptions", "exception.changed", &data, now).await?;
    Ok(item)
}
