//! Reading bookings for the API, newest first.

use nightshift_db::{Db, Timestamp, Tx};

use super::view::Row;
use super::{BookingView, Status};
use crate::ids::{BookingId, ClientId, SitterId};
use crate::page::{Cursor, Limit, Page};
use crate::viewer::Viewer;
use crate::{Error, Result};

macro_rules! select_rows {
    ($rest:literal) => {
        concat!(
            "SELECT b.id, b.client_id, c.first_name, c.last_name, c.phone_number, b.sitter_id, s.name AS sitter_name,
                    b.service, b.start_at, b.end_at, b.status, b.quantity, b.add_ons, b.address, b.notes,
                    b.discount_minor, b.total_minor, b.currency, b.pricing_snapshot_id, b.payment_status, b.confirmed_at, b.version, b.created_at
             FROM bookings b
             JOIN clients c ON c.id = b.client_id
             LEFT JOIN sitters s ON s.id = b.sitter_id ",
            $rest
        )
    };
}

/// Which bookings to list; what is none does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// That stand so.
    pub status: Option<Status>,
    /// That start then or later.
    pub from: Option<Timestamp>,
    /// That start before.
    pub to: Option<Timestamp>,
    /// Of this client.
    pub client_id: Option<ClientId>,
    /// Of this sitter; a sitter who reads gets their own whatever is asked for.
    pub sitter_id: Option<SitterId>,
    /// Whose client's name or phone, or whose service holds this text. Narrows nothing for viewers who are not shown
    /// clients' phones.
    pub q: Option<String>,
}

const BY_ID: &str =
    select_rows!("WHERE b.id = $1 AND b.org_id = $2 AND (CAST($3 AS TEXT) IS NULL OR b.sitter_id = $3)");

/// One booking for the API.
///
/// # Errors
/// [`Error::NotFound`] when the viewer's organisation has no such booking, or it is not the sitter's who reads;
/// [`Error::Forbidden`] for viewers without an organisation.
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

/// As [`view`], as a transaction sees it.
///
/// # Errors
/// As [`view`]'s.
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

/// A page of the bookings of the viewer's organisation, newest first. Index: `bookings_newest`.
///
/// # Errors
/// [`Error::BadCursor`] for a cursor that none of these pages gave; [`Error::Forbidden`] for viewers without an
/// organisation.
pub async fn list(
    db: &Db,
    viewer: &Viewer,
    filter: &Filter,
    cursor: Option<&str>,
    limit: Limit,
) -> Result<Page<BookingView>> {
    let after = Cursor::parse(cursor)?;
    let pattern = viewer.search(filter.q.as_deref());
    let rows: Vec<Row> = db
        .read(select_rows!(
            "WHERE b.org_id = $1
               AND ($2 IS NULL OR b.status = $2)
               AND ($3 IS NULL OR b.start_at >= $3)
               AND ($4 IS NULL OR b.start_at < $4)
               AND ($5 IS NULL OR b.client_id = $5)
               AND ($6 IS NULL OR b.sitter_id = $6)
               AND ($7 IS NULL
                    OR LOWER(COALESCE(c.first_name, '') || ' ' || COALESCE(c.last_name, '')) LIKE $7 ESCAPE '\\'
                    OR LOWER(b.service) LIKE $7 ESCAPE '\\'
                    OR c.phone_number LIKE $7 ESCAPE '\\')
               AND ($9 IS NULL OR (b.created_at, b.id) < ($8, $9))
             ORDER BY b.created_at DESC, b.id DESC
             LIMIT $10"
        ))
        .bind(viewer.organization()?)
        .bind(filter.status)
        .bind(filter.from)
        .bind(filter.to)
        .bind(&filter.client_id)
        .bind(viewer.sitter_id().or(filter.sitter_id.as_ref()))
        .bind(&pattern)
        .bind(after.as_ref().map(|cursor| cursor.at))
        .bind(after.as_ref().map(|cursor| cursor.id.as_str()))
        .bind(limit.rows_wanted())
        .all()
        .await?;
    let (rows, next_cursor) = limit.cut(rows, |row| Cursor { at: row.created_at, id: row.id.to_string() });
    Ok(Page { items: rows.into_iter().map(|row| row.into_view(viewer.audience())).collect(), next_cursor })
}
