//! Bookings as the API lists them, newest first.

use nightshift_db::{Db, Timestamp, Tx};

use super::booking::booking_columns;
use super::seen::seen_by_sitter;
use super::view::Row;
use super::{BookingView, Status};
use crate::ids::{BookingId, ClientId, SitterId};
use crate::list::{List, newest_first};
use crate::page::{Limit, Page};
use crate::viewer::Viewer;
use crate::{Error, Result};

macro_rules! select_rows {
    ($($rest:expr),+) => {
        concat!(
            "SELECT ",
            booking_columns!("b."),
            ", c.first_name, c.last_name, c.phone_number, s.name AS sitter_name
             FROM bookings b
             JOIN clients c ON c.id = b.client_id
             LEFT JOIN sitters s ON s.id = b.sitter_id ",
            $($rest),+
        )
    };
}

newest_first!(Row: "b.created_at" = booking.created_at, "b.id" = booking.id);

/// Selects bookings. A field that is `None` does not restrict the result.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub status: Option<Status>,
    /// Earliest start, inclusive.
    pub from: Option<Timestamp>,
    /// Latest start, exclusive.
    pub to: Option<Timestamp>,
    pub client_id: Option<ClientId>,
    /// A sitter who reads gets only their own bookings and those offered to them, whatever this field says.
    pub sitter_id: Option<SitterId>,
    /// A text that the client's name or phone number or the service must contain. Ignored for viewers who may not see
    /// clients' phone numbers.
    pub q: Option<String>,
}

const BY_ID: &str = select_rows!(
    "WHERE b.id = $1 AND b.org_id = $2 AND (CAST($3 AS TEXT) IS NULL OR ",
    seen_by_sitter!("b.", "$3"),
    ")"
);

/// Returns one booking for the API.
///
/// # Errors
/// [`Error::NotFound`] if the viewer's organisation has no such booking, or it neither belongs nor is offered to the
/// sitter who reads; [`Error::Forbidden`] for viewers without an organisation.
pub async fn view(db: &Db, viewer: &Viewer, id: &BookingId) -> Result<BookingView> {
    db.read(BY_ID)
        .bind(id)
        .bind(viewer.organization()?)
        .bind(viewer.sitter_id())
        .optional::<Row>()
        .await?
        .map(|row| row.into_view(viewer.audience()))
        .ok_or(Error::NotFound)
}

/// As [`view`], within a transaction.
///
/// # Errors
/// The errors of [`view`].
pub async fn view_in(tx: &mut Tx, viewer: &Viewer, id: &BookingId) -> Result<BookingView> {
    tx.query(BY_ID)
        .bind(id)
        .bind(viewer.organization()?)
        .bind(viewer.sitter_id())
        .optional::<Row>()
        .await?
        .map(|row| row.into_view(viewer.audience()))
        .ok_or(Error::NotFound)
}

/// Returns a page of the bookings of the viewer's organisation, newest first. Index: `bookings_newest`.
///
/// # Errors
/// [`Error::BadCursor`] for a cursor that no page of this list returned; [`Error::Forbidden`] for viewers without an
/// organisation.
pub async fn list(
    db: &Db,
    viewer: &Viewer,
    filter: &Filter,
    cursor: Option<&str>,
    limit: Limit,
) -> Result<Page<BookingView>> {
    let of_sitter = if viewer.sitter_id().is_some() { seen_by_sitter!("b.", "$1") } else { "b.sitter_id = $1" };
    let scope = viewer.sitter_scope("b.org_id = $1", of_sitter, filter.sitter_id.as_ref())?;
    let page: Page<Row> = List::new(db, select_rows!(""), scope)
        .filter("b.status = $1", filter.status)
        .filter("b.start_at >= $1", filter.from)
        .filter("b.start_at < $1", filter.to)
        .selective("b.client_id = $1", filter.client_id.as_ref())
        .filter(
            "LOWER(COALESCE(c.first_name, '') || ' ' || COALESCE(c.last_name, '')) LIKE $1 ESCAPE '\\'
             OR LOWER(b.service) LIKE $1 ESCAPE '\\'
             OR c.phone_number LIKE $1 ESCAPE '\\'",
            viewer.search(filter.q.as_deref()),
        )
        .page(cursor, limit)
        .await?;
    Ok(page.map(|row| row.into_view(viewer.audience())))
}
