//! The record of every status a booking has had. Rows are added and read, never changed; the database refuses both.

use nightshift_db::{Db, Timestamp, Tx};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Booking, Status};
use crate::actor::Actor;
use crate::ids::{BookingId, HistoryId, OrgId, UserId};
use crate::viewer::Viewer;
use crate::{Error, Result};

/// One change of status, as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, ToSchema)]
#[schema(as = StatusChange)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// From 1, without gaps.
    pub seq: i64,
    /// What it was; none for the creation.
    pub from_status: Option<Status>,
    /// What it became.
    pub to_status: Status,
    /// When.
    pub changed_at: Timestamp,
    /// The signed-in person who did it, if one did.
    pub changed_by_user_id: Option<UserId>,
    /// That person's name.
    pub changed_by_name: Option<String>,
    /// `user`, `api_key`, `webhook` or `system`.
    pub actor_type: String,
    /// What was given as the reason.
    pub reason: Option<String>,
}

/// A history row as the job that follows it needs it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct StatusRecord {
    /// Its id.
    pub id: HistoryId,
    /// Whose.
    pub org_id: OrgId,
    /// Of which booking.
    pub booking_id: BookingId,
    /// Order within the booking.
    pub seq: i64,
    /// What it was.
    pub from_status: Option<Status>,
    /// What it became.
    pub to_status: Status,
    /// When.
    pub changed_at: Timestamp,
}

/// All status changes of a booking, oldest first.
///
/// # Errors
/// [`Error::NotFound`] for a booking that is not there or that the viewer may not see.
pub async fn status_history(db: &Db, viewer: &Viewer, booking: &BookingId) -> Result<Vec<HistoryEntry>> {
    let (org, sitter) = viewer.booking_rows()?;
    let history: Vec<HistoryEntry> = db
        .read(
            "SELECT h.seq, h.from_status, h.to_status, h.changed_at, h.changed_by_user_id, u.name AS changed_by_name,
                    h.actor_type, h.reason
             FROM booking_status_history h LEFT JOIN users u ON u.id = h.changed_by_user_id
             WHERE h.booking_id = $1 AND (CAST($2 AS TEXT) IS NULL OR h.org_id = $2)
               AND (CAST($3 AS TEXT) IS NULL
                    OR EXISTS (SELECT 1 FROM bookings b WHERE b.id = h.booking_id AND b.sitter_id = $3))
             ORDER BY h.seq",
        )
        .bind(booking)
        .bind(org)
        .bind(sitter)
        .all()
        .await?;
    if history.is_empty() {
        // Every booking has its first row.
        return Err(Error::NotFound);
    }
    Ok(history)
}

/// The history row a job was made for.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
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

/// Adds the row for a change that this transaction makes under the booking's lock.
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
