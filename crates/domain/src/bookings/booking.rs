//! The booking row.

use nightshift_db::{Db, Engine, Json, Timestamp, Tx, columns, row};

use super::{PaymentStatus, Status};
use crate::actor::Actor;
use crate::audit::{Entry, Event};
use crate::ids::{BookingId, ClientId, OrgId, SitterId, SnapshotId};
use crate::viewer::Viewer;
use crate::{Error, Result};

row! {
    columns = booking_columns $;
    /// A booking as it is stored.
    #[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
    pub struct Booking {
        /// Its id.
        pub id: BookingId,
        /// The organisation that serves it.
        pub org_id: OrgId,
        /// Who asked for it.
        pub client_id: ClientId,
        /// Who does it, once known.
        pub sitter_id: Option<SitterId>,
        /// Service code, e.g. `dog_walking`.
        pub service: String,
        /// When it starts.
        pub start_at: Timestamp,
        /// When it ends; later than the start.
        pub end_at: Timestamp,
        /// Where it stands.
        pub status: Status,
        /// Pets or visits, at least one.
        pub quantity: i64,
        /// Codes of what was ordered on top.
        pub add_ons: Json<Vec<String>>,
        /// Where it takes place.
        pub address: Option<String>,
        /// What the sitter should know.
        pub notes: Option<String>,
        /// Taken off its price, in minor units.
        pub discount_minor: i64,
        /// Price in minor units, once priced.
        pub total_minor: Option<i64>,
        /// ISO currency of the price.
        pub currency: Option<String>,
        /// What it was last priced with.
        pub pricing_snapshot_id: Option<SnapshotId>,
        /// What is known of the payment.
        pub payment_status: PaymentStatus,
        /// Received for it, in minor units, before refunds.
        pub paid_minor: i64,
        /// Given back of it, in minor units.
        pub refunded_minor: i64,
        /// The Stripe payment that paid it.
        pub stripe_payment_intent_id: Option<String>,
        /// When it was first confirmed.
        pub confirmed_at: Option<Timestamp>,
        /// When it was cancelled.
        pub cancelled_at: Option<Timestamp>,
        /// Raised by one with every change.
        pub version: i64,
        /// When it was made.
        pub created_at: Timestamp,
    }
}
pub(super) use booking_columns;

columns! {
    /// What is written of a booking when it is made and with every change.
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

const BY_ID: &str = concat!("SELECT ", booking_columns!(""), " FROM bookings WHERE id = $1");
const BY_ID_LOCKED: &str = concat!("SELECT ", booking_columns!(""), " FROM bookings WHERE id = $1 FOR NO KEY UPDATE");

/// One booking.
///
/// # Errors
/// [`Error::NotFound`], also for one that the viewer may not see; [`Error::Forbidden`] for viewers who see no bookings.
pub async fn get(db: &Db, viewer: &Viewer, id: &BookingId) -> Result<Booking> {
    let (org, sitter) = viewer.booking_rows()?;
    let booking: Option<Booking> = db.read(BY_ID).bind(id).optional().await?;
    let seen = |booking: &Booking| {
        org.is_none_or(|org| booking.org_id == *org)
            && sitter.is_none_or(|sitter| booking.sitter_id.as_ref() == Some(sitter))
    };
    booking.filter(seen).ok_or(Error::NotFound)
}

/// The booking, held until the transaction ends, so that what is decided from it stays true. On SQLite the
/// transaction already is the only writer.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub async fn lock(tx: &mut Tx, id: &BookingId) -> Result<Booking> {
    let sql = match tx.engine() {
        Engine::Postgres => BY_ID_LOCKED,
        Engine::Sqlite => BY_ID,
    };
    tx.query(sql).bind(id).optional().await?.ok_or(Error::NotFound)
}

/// [`lock`], for a caller who may only see one organisation's bookings.
pub(crate) async fn lock_of(tx: &mut Tx, org: &OrgId, id: &BookingId) -> Result<Booking> {
    lock(tx, id).await.and_then(|booking| if booking.org_id == *org { Ok(booking) } else { Err(Error::NotFound) })
}

impl Booking {
    /// The start of an audit entry about this booking.
    pub(crate) fn entry(&self, event: Event, by: &Actor) -> Entry {
        self.entry_with(event, "success", by)
    }

    /// The start of an audit entry about this booking with another outcome than success.
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
