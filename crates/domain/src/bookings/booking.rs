//! The booking row.

use nightshift_db::{Db, Engine, Json, Timestamp, Tx, columns, row};

use super::seen::seen_by_sitter;
use super::{PaymentStatus, Status};
use crate::actor::Actor;
use crate::audit::{Entry, Event};
use crate::ids::{BookingId, ClientId, OrgId, SitterId, SnapshotId};
use crate::viewer::Viewer;
use crate::{Error, Result};

row! {
    columns = booking_columns $;
    #[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
    pub struct Booking {
        pub id: BookingId,
        pub org_id: OrgId,
        pub client_id: ClientId,
        /// `None` until a sitter is assigned.
        pub sitter_id: Option<SitterId>,
        /// Service code, e.g. `dog_walking`.
        pub service: String,
        pub start_at: Timestamp,
        /// Later than `start_at`.
        pub end_at: Timestamp,
        pub status: Status,
        /// Pets or visits, at least 1.
        pub quantity: i64,
        /// Codes of extra services.
        pub add_ons: Json<Vec<String>>,
        pub address: Option<String>,
        /// Notes for the sitter.
        pub notes: Option<String>,
        /// Discount on the price, in minor units.
        pub discount_minor: i64,
        /// Price in minor units; `None` until the booking is priced.
        pub total_minor: Option<i64>,
        /// ISO 4217 code of the price's currency.
        pub currency: Option<String>,
        /// The snapshot of the last pricing.
        pub pricing_snapshot_id: Option<SnapshotId>,
        pub payment_status: PaymentStatus,
        /// Received in minor units, before refunds.
        pub paid_minor: i64,
        /// Refunded in minor units.
        pub refunded_minor: i64,
        /// The Stripe payment that the booking shows.
        pub stripe_payment_intent_id: Option<String>,
        /// Time of the first confirmation.
        pub confirmed_at: Option<Timestamp>,
        pub cancelled_at: Option<Timestamp>,
        /// Incremented with every change.
        pub version: i64,
        pub created_at: Timestamp,
    }
}
pub(super) use booking_columns;

columns! {
    /// The columns that are written when a booking is created and with every change.
    pub(super) struct WrittenColumns(booking: &'r Booking, 'r) {
        sitter_id: text = booking.sitter_id.as_ref().map(SitterId::as_str),
        service: text = booking.service.as_str(),
        start_at: timestamptz = booking.start_at,
        end_at: timestamptz = booking.end_at,
        status: text = booking.status.as_str(),
        quantity: bigint = booking.quantity,
        add_ons: json = serde_json::json!(booking.add_ons).to_string(),
        address: text = booking.address.as_deref(),
        notes: text = booking.notes.as_deref(),
        payment_status: text = booking.payment_status.as_str(),
        paid_minor: bigint = booking.paid_minor,
        refunded_minor: bigint = booking.refunded_minor,
        stripe_payment_intent_id: text = booking.stripe_payment_intent_id.as_deref(),
        confirmed_at: timestamptz = booking.confirmed_at,
        cancelled_at: timestamptz = booking.cancelled_at,
        discount_minor: bigint = booking.discount_minor,
        total_minor: bigint = booking.total_minor,
        currency: text = booking.currency.as_deref(),
        pricing_snapshot_id: text = booking.pricing_snapshot_id.as_ref().map(SnapshotId::as_str),
    }
    all fields of Booking but id, org_id, client_id, version, created_at
}

const SEEN: &str = concat!(
    "SELECT ",
    booking_columns!("b."),
    " FROM bookings b
     WHERE b.id = $1 AND (CAST($2 AS TEXT) IS NULL OR b.org_id = $2) AND (CAST($3 AS TEXT) IS NULL OR ",
    seen_by_sitter!("b.", "$3"),
    ")"
);
const BY_ID: &str = concat!("SELECT ", booking_columns!(""), " FROM bookings WHERE id = $1");
const BY_ID_LOCKED: &str = concat!("SELECT ", booking_columns!(""), " FROM bookings WHERE id = $1 FOR NO KEY UPDATE");

/// Returns one booking.
///
/// # Errors
/// [`Error::NotFound`] if there is no such booking or the viewer may not see it; [`Error::Forbidden`] for viewers who
/// may see no bookings.
pub async fn get(db: &Db, viewer: &Viewer, id: &BookingId) -> Result<Booking> {
    let (org, sitter) = viewer.booking_rows()?;
    db.read(SEEN).bind(id).bind(org).bind(sitter).optional().await?.ok_or(Error::NotFound)
}

/// Returns the booking and locks it until the transaction ends, so that decisions based on it stay valid. On SQLite the
/// transaction is already the only writer.
///
/// # Errors
/// [`Error::NotFound`] if there is no such booking.
pub async fn lock(tx: &mut Tx, id: &BookingId) -> Result<Booking> {
    let sql = match tx.engine() {
        Engine::Postgres => BY_ID_LOCKED,
        Engine::Sqlite => BY_ID,
    };
    tx.query(sql).bind(id).optional().await?.ok_or(Error::NotFound)
}

/// As [`lock`], for a caller who may see only one organisation's bookings.
pub(crate) async fn lock_of(tx: &mut Tx, org: &OrgId, id: &BookingId) -> Result<Booking> {
    lock(tx, id).await.and_then(|booking| if booking.org_id == *org { Ok(booking) } else { Err(Error::NotFound) })
}

impl Booking {
    /// Creates an audit entry about this booking with the outcome `success`.
    pub(crate) fn entry(&self, event: Event, by: &Actor) -> Entry {
        self.entry_with(event, "success", by)
    }

    /// Creates an audit entry about this booking with another outcome.
    pub(crate) fn entry_with(&self, event: Event, status: &'static str, by: &Actor) -> Entry {
        let mut entry = crate::audit_entry(event, status, by)
            .org(&self.org_id)
            .booking(&self.id)
            .client(&self.client_id)
            .correlation(self.id.as_ref());
        if let Some(sitter) = &self.sitter_id {
            entry = entry.sitter(sitter);
        }
        entry
    }
}
