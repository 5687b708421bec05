//! The history of every status of a booking. Rows are only inserted; the database refuses updates and deletes.

use nightshift_db::{Db, Timestamp, Tx};
use serde::Serialize;
use utoipa::ToSchema;

use super::seen::seen_by_sitter;
use super::{Booking, Status};
use crate::actor::Actor;
use crate::ids::{BookingId, HistoryId, OrgId, UserId};
use crate::viewer::Viewer;
use crate::{Error, Result};

/// One change of a booking's status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, ToSchema)]
#[schema(as = StatusChange)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// Number of the change within the booking, from 1 without gaps.
    pub seq: i64,
    /// The status before the change; null for the creation.
    pub from_status: Option<Status>,
    /// The status after the change.
    pub to_status: Status,
    /// Time of the change.
    pub changed_at: Timestamp,
    /// The signed-in user who made the change; null if none did.
    pub changed_by_user_id: Option<UserId>,
    /// The name of that user.
    pub changed_by_name: Option<String>,
    /// Who made the change: `user`, `api_key`, `webhook` or `system`.
    pub actor_type: String,
    /// The reason that was given, if any.
    pub reason: Option<String>,
}

/// A history row with the columns that its job needs.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StatusRecord {
    pub id: HistoryId,
    pub org_id: OrgId,
    pub booking_id: BookingId,
    /// Number of the change within the booking, from 1 without gaps.
    pub seq: i64,
    /// `None` for the creation.
    pub from_status: Option<Status>,
    pub to_status: Status,
    pub changed_at: Timestamp,
}

/// Returns all status changes of a booking, oldest first.
///
/// # Errors
/// [`Error::NotFound`] if there is no such booking or the viewer may not see it.
pub async fn status_history(db: &Db, viewer: &Viewer, booking: &BookingId) -> Result<Vec<HistoryEntry>> {
    let (org, sitter) = viewer.booking_rows()?;
    let history: Vec<HistoryEntry> = db
        .read(concat!(
            "SELECT h.seq, h.from_status, h.to_status, h.changed_at, h.changed_by_user_id,
                        u.name AS changed_by_name, h.actor_type, h.reason
                 FROM booking_status_history h
                 JOIN bookings b ON b.id = h.booking_id
                 LEFT JOIN users u ON u.id = h.changed_by_user_id
                 WHERE h.booking_id = $1 AND (CAST($2 AS TEXT) IS NULL OR h.org_id = $2)
                   AND (CAST($3 AS TEXT) IS NULL OR ",
            seen_by_sitter!("b.", "$3"),
            ") ORDER BY h.seq"
        ))
        .bind(booking)
        .bind(org)
        .bind(sitter)
        .all()
        .await?;
    if history.is_empty() {
        // The creation of a booking writes its first row, so there is no booking without history.
        return Err(Error::NotFound);
    }
    Ok(history)
}

/// Returns the history row that a job was created for.
///
/// # Errors
/// [`Error::NotFound`] if there is no such row.
pub async fn load_record(tx: &mut Tx, id: &HistoryId) -> Result<StatusRecord> {
    tx.query(
        "SELECT id, org_id, booking_id, seq, from_status, to_status, changed_at
         FROM booking_status_history WHERE id = $1",
    )
    .bind(id)
    .optional()
    .await?
    .ok_or(Error::NotFound)
}

/// Inserts the row for a change that this transaction makes under the booking's lock.
pub(super) async fn append(
    tx: &mut Tx,
    booking: &Booking,
    from: Option<Status>,
    to: Status,
    reason: Option<&str>,
    by: &Actor,
    now: Timestamp,
) -> Result<HistoryId> {
    let id = HistoryId::new(now);
    tx.query(
        "INSERT INTO booking_status_history
             (id, org_id, booking_id, seq, from_status, to_status, changed_by_user_id, actor_type, reason, source_ref,
              changed_at)
         VALUES ($1, $2, $3, (SELECT COALESCE(MAX(seq), 0) + 1 FROM booking_status_history WHERE booking_id = $3),
                 $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(&id)
    .bind(&booking.org_id)
    .bind(&booking.id)
    .bind(from)
    .bind(to)
    .bind(by.changed_by_user_id())
    .bind(by.actor_type())
    .bind(reason)
    .bind(by.source_ref())
    .bind(now)
    .execute()
    .await?;
    Ok(id)
}
