//! Offers as the API shows them, newest first.

use nightshift_db::{Db, Timestamp, Tx};
use serde::Serialize;
use utoipa::ToSchema;

use super::offer::{Offer, offer_columns};
use super::status::OfferStatus;
use super::status::Via;
use crate::ids::{BookingId, OfferId, SitterId};
use crate::list::{List, newest_first};
use crate::page::{Limit, Page};
use crate::viewer::Viewer;
use crate::{Error, Result};

/// An offer: a booking that a sitter may accept or decline.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Offer)]
#[serde(rename_all = "camelCase")]
pub struct OfferView {
    pub id: OfferId,
    pub booking_id: BookingId,
    pub sitter_id: SitterId,
    pub sitter_name: String,
    /// The number by which the sitter's text names the offer.
    pub code: i64,
    pub status: OfferStatus,
    /// The booking's service.
    pub service: String,
    /// When the booking starts.
    pub start_at: Timestamp,
    /// When the booking ends.
    pub end_at: Timestamp,
    pub offered_at: Timestamp,
    /// From then on it can't be answered.
    pub expires_at: Timestamp,
    pub accepted_at: Option<Timestamp>,
    pub declined_at: Option<Timestamp>,
    /// What the sitter said when they declined.
    pub decline_reason: Option<String>,
    pub answered_via: Option<Via>,
    /// The seconds from the offer to the answer.
    pub response_seconds: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    offer: Offer,
    sitter_name: String,
    service: String,
    start_at: Timestamp,
    end_at: Timestamp,
    created_at: Timestamp,
}

newest_first!(Row: "o.created_at" = created_at, "o.id" = offer.id);

impl From<Row> for OfferView {
    fn from(row: Row) -> Self {
        let Row { offer, sitter_name, service, start_at, end_at, created_at: _ } = row;
        Self {
            id: offer.id,
            booking_id: offer.booking_id,
            sitter_id: offer.sitter_id,
            sitter_name,
            code: offer.code,
            status: offer.status,
            service,
            start_at,
            end_at,
            offered_at: offer.offered_at,
            expires_at: offer.expires_at,
            accepted_at: offer.accepted_at,
            declined_at: offer.declined_at,
            decline_reason: offer.decline_reason,
            answered_via: offer.answered_via,
            response_seconds: offer.response_seconds,
        }
    }
}

macro_rules! select_rows {
    ($rest:literal) => {
        concat!(
            "SELECT ",
            offer_columns!("o."),
            ", s.name AS sitter_name, b.service, b.start_at, b.end_at, o.created_at
             FROM offer_events o
             JOIN sitters s ON s.id = o.sitter_id
             JOIN bookings b ON b.id = o.booking_id ",
            $rest
        )
    };
}

/// Selects offers. A field that is `None` does not restrict the result.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub status: Option<OfferStatus>,
    pub booking_id: Option<BookingId>,
    /// A sitter who reads gets only their own offers, whatever this field says.
    pub sitter_id: Option<SitterId>,
}

/// Returns a page of the offers of the viewer's organisation, newest first. Index: `offer_events_newest`.
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
) -> Result<Page<OfferView>> {
    let scope = viewer.sitter_scope("o.org_id = $1", "o.sitter_id = $1", filter.sitter_id.as_ref())?;
    let page: Page<Row> = List::new(db, select_rows!(""), scope)
        .filter("o.status = $1", filter.status)
        .selective("o.booking_id = $1", filter.booking_id.as_ref())
        .page(cursor, limit)
        .await?;
    Ok(page.map(OfferView::from))
}

const BY_ID: &str =
    select_rows!("WHERE o.id = $1 AND o.org_id = $2 AND (CAST($3 AS TEXT) IS NULL OR o.sitter_id = $3)");

/// Returns one offer within a transaction.
///
/// # Errors
/// [`Error::NotFound`] if the viewer's organisation has no such offer, or it belongs to another sitter than the viewer;
/// [`Error::Forbidden`] for viewers without an organisation.
pub async fn view_in(tx: &mut Tx, viewer: &Viewer, id: &OfferId) -> Result<OfferView> {
    tx.query(BY_ID)
        .bind(id)
        .bind(viewer.organization()?)
        .bind(viewer.sitter_id())
        .optional::<Row>()
        .await?
        .map(OfferView::from)
        .ok_or(Error::NotFound)
}
