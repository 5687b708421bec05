//! Assignment windows: the time in which the sitter of a booking may write to its client.
//!
//! There is one for each booking, from its start to its end plus a grace period. Whether a window is open is not stored
//! but computed from the clock, with the start inclusive and the end exclusive.

use std::time::Duration;

use nightshift_db::{Db, Timestamp, Tx};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Result;
use crate::bookings::Booking;
use crate::ids::{BookingId, OrgId, SitterId, ThreadId, WindowId};
use crate::list::{List, newest_first};
use crate::page::{Limit, Page};
use crate::text_enum::text_enum;
use crate::viewer::Viewer;

text_enum! {
    /// The status of a window at some moment.
    pub enum WindowStatus {
        /// The sitter may write now.
        Active = "active",
        Future = "future",
        Past = "past",
        /// The booking was cancelled.
        Cancelled = "cancelled",
    }
}

#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Window {
    pub id: WindowId,
    pub org_id: OrgId,
    pub booking_id: BookingId,
    /// The thread that the window opens to the sitter.
    pub thread_id: Option<ThreadId>,
    pub sitter_id: Option<SitterId>,
    /// Inclusive.
    pub starts_at: Timestamp,
    /// Exclusive.
    pub ends_at: Timestamp,
    /// Set when the booking was cancelled.
    pub cancelled_at: Option<Timestamp>,
}

#[must_use]
pub fn status_at(
    starts_at: Timestamp,
    ends_at: Timestamp,
    cancelled_at: Option<Timestamp>,
    now: Timestamp,
) -> WindowStatus {
    if cancelled_at.is_some() {
        WindowStatus::Cancelled
    } else if now < starts_at {
        WindowStatus::Future
    } else if now < ends_at {
        WindowStatus::Active
    } else {
        WindowStatus::Past
    }
}

impl Window {
    #[must_use]
    pub fn status(&self, now: Timestamp) -> WindowStatus {
        status_at(self.starts_at, self.ends_at, self.cancelled_at, now)
    }
}

/// What [`upsert`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowChange {
    Created,
    /// The times, the sitter or the thread changed.
    Updated,
    Unchanged,
}

macro_rules! window_columns {
    ($before:literal, $after:literal) => {
        concat!($before, " id, org_id, booking_id, thread_id, sitter_id, starts_at, ends_at, cancelled_at ", $after)
    };
}

pub async fn of_booking(tx: &mut Tx, booking: &BookingId) -> Result<Option<Window>> {
    let window = tx
        .query(window_columns!("SELECT", "FROM assignment_windows WHERE booking_id = $1"))
        .bind(booking)
        .optional()
        .await?;
    Ok(window)
}

/// Creates a booking's window or updates it to match the booking. Returns also the sitter who loses it, if one does. The
/// caller holds the booking's lock.
pub async fn upsert(
    tx: &mut Tx,
    booking: &Booking,
    thread: Option<&ThreadId>,
    grace: Duration,
    now: Timestamp,
) -> Result<(Window, WindowChange, Option<SitterId>)> {
    let (starts_at, ends_at) = (booking.start_at, booking.end_at + grace);
    let standing = match of_booking(tx, &booking.id).await? {
        Some(window) => window,
        None => {
            let made: Option<Window> = tx
                .query(window_columns!(
                    "INSERT INTO assignment_windows
                         (id, org_id, booking_id, thread_id, sitter_id, starts_at, ends_at, created_at, updated_at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
                     ON CONFLICT (booking_id) DO NOTHING
                     RETURNING",
                    ""
                ))
                .bind(WindowId::new(now))
                .bind(&booking.org_id)
                .bind(&booking.id)
                .bind(thread)
                .bind(&booking.sitter_id)
                .bind(starts_at)
                .bind(ends_at)
                .bind(now)
                .optional()
                .await?;
            match made {
                Some(window) => return Ok((window, WindowChange::Created, None)),
                None => of_booking(tx, &booking.id).await?.ok_or(crate::Error::NotFound)?,
            }
        }
    };
    let right = standing.starts_at == starts_at
        && standing.ends_at == ends_at
        && standing.sitter_id == booking.sitter_id
        && thread.is_none_or(|thread| standing.thread_id.as_ref() == Some(thread));
    if right {
        return Ok((standing, WindowChange::Unchanged, None));
    }
    let window = tx
        .query(window_columns!(
            "UPDATE assignment_windows
             SET thread_id = COALESCE($2, thread_id), sitter_id = $3, starts_at = $4, ends_at = $5, updated_at = $6
             WHERE id = $1 RETURNING",
            ""
        ))
        .bind(&standing.id)
        .bind(thread)
        .bind(&booking.sitter_id)
        .bind(starts_at)
        .bind(ends_at)
        .bind(now)
        .one()
        .await?;
    let left = standing.sitter_id.filter(|sitter| booking.sitter_id.as_ref() != Some(sitter));
    Ok((window, WindowChange::Updated, left))
}

/// Gives a booking's window to another sitter. Returns `None` if the booking has no window or it is this sitter's.
pub(crate) async fn set_sitter(
    tx: &mut Tx,
    booking: &BookingId,
    sitter: Option<&SitterId>,
    now: Timestamp,
) -> Result<Option<Window>> {
    let window = tx
        .query(window_columns!(
            "UPDATE assignment_windows SET sitter_id = $2, updated_at = $3
             WHERE booking_id = $1 AND sitter_id IS DISTINCT FROM $2 RETURNING",
            ""
        ))
        .bind(booking)
        .bind(sitter)
        .bind(now)
        .optional()
        .await?;
    Ok(window)
}

/// Cancels a booking's window. Returns `None` if the booking has no window or it was cancelled before.
pub async fn cancel(tx: &mut Tx, booking: &BookingId, now: Timestamp) -> Result<Option<Window>> {
    let window = tx
        .query(window_columns!(
            "UPDATE assignment_windows SET cancelled_at = $2, updated_at = $2
             WHERE booking_id = $1 AND cancelled_at IS NULL RETURNING",
            ""
        ))
        .bind(booking)
        .bind(now)
        .optional()
        .await?;
    Ok(window)
}

/// Returns the status of the window that opens a thread to a sitter at `now`, preferring an active window; `None` if
/// there never was one.
pub async fn of_sitter(
    tx: &mut Tx,
    thread: &ThreadId,
    sitter: &SitterId,
    now: Timestamp,
) -> Result<Option<WindowStatus>> {
    let windows: Vec<Window> = tx
        .query(window_columns!("SELECT", "FROM assignment_windows WHERE thread_id = $1 AND sitter_id = $2"))
        .bind(thread)
        .bind(sitter)
        .all()
        .await?;
    Ok(windows.iter().map(|window| window.status(now)).min())
}

/// Which windows to list. A field that is `None` does not filter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub booking_id: Option<BookingId>,
    /// Ignored for viewers who are sitters: they get their own windows.
    pub sitter_id: Option<SitterId>,
    /// The status at the time of the request.
    pub status: Option<WindowStatus>,
    /// Windows that end after this time.
    pub from: Option<Timestamp>,
    /// Windows that start before this time.
    pub to: Option<Timestamp>,
}

/// An assignment window: the time in which the sitter of a booking may write to its client.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Window)]
#[serde(rename_all = "camelCase")]
pub struct WindowView {
    pub id: WindowId,
    pub booking_id: BookingId,
    pub thread_id: Option<ThreadId>,
    pub sitter_id: Option<SitterId>,
    pub sitter_name: Option<String>,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub status: WindowStatus,
}

#[derive(sqlx::FromRow)]
struct ViewRow {
    id: WindowId,
    booking_id: BookingId,
    thread_id: Option<ThreadId>,
    sitter_id: Option<SitterId>,
    sitter_name: Option<String>,
    starts_at: Timestamp,
    ends_at: Timestamp,
    cancelled_at: Option<Timestamp>,
}

newest_first!(ViewRow: "w.starts_at" = starts_at, "w.id" = id);

/// Returns a page of the windows of the viewer's organisation, latest start first. Index: `assignment_windows_by_org`.
///
/// # Errors
/// [`BadCursor`](crate::Error::BadCursor) for a cursor that no page of this list returned;
/// [`Forbidden`](crate::Error::Forbidden) for viewers without an organisation.
pub async fn list(
    db: &Db,
    viewer: &Viewer,
    filter: &Filter,
    cursor: Option<&str>,
    limit: Limit,
    now: Timestamp,
) -> Result<Page<WindowView>> {
    const HEAD: &str = "
        SELECT w.id, w.booking_id, w.thread_id, w.sitter_id, s.name AS sitter_name, w.starts_at, w.ends_at, w.cancelled_at
        FROM assignment_windows w LEFT JOIN sitters s ON s.id = w.sitter_id";
    let scope = viewer.sitter_scope("w.org_id = $1", "w.sitter_id = $1", filter.sitter_id.as_ref())?;
    let mut list = List::new(db, HEAD, scope)
        .filter("w.booking_id = $1", filter.booking_id.as_ref())
        .filter("w.ends_at > $1", filter.from)
        .filter("w.starts_at < $1", filter.to);
    // These conditions must agree with `status_at`.
    list = match filter.status {
        None => list,
        Some(WindowStatus::Cancelled) => list.only("w.cancelled_at IS NOT NULL", ()),
        Some(WindowStatus::Future) => list.only("w.cancelled_at IS NULL AND w.starts_at > $1", (now,)),
        Some(WindowStatus::Active) => {
            list.only("w.cancelled_at IS NULL AND w.starts_at <= $1 AND w.ends_at > $1", (now,))
        }
        Some(WindowStatus::Past) => {
            list.only("w.cancelled_at IS NULL AND w.starts_at <= $1 AND w.ends_at <= $1", (now,))
        }
    };
    let page: Page<ViewRow> = list.page(cursor, limit).await?;
    Ok(page.map(|row| WindowView {
        status: status_at(row.starts_at, row.ends_at, row.cancelled_at, now),
        id: row.id,
        booking_id: row.booking_id,
        thread_id: row.thread_id,
        sitter_id: row.sitter_id,
        sitter_name: row.sitter_name,
        starts_at: row.starts_at,
        ends_at: row.ends_at,
    }))
}
