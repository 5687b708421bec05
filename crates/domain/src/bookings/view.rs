//! Bookings as the API shows them.

use nightshift_db::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Booking, PaymentStatus, Status};
use crate::audience::Audience;
use crate::ids::{BookingId, ClientId, SitterId, SnapshotId};
use crate::phone::PhoneNumber;

/// A booking.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Booking)]
#[serde(rename_all = "camelCase")]
pub struct BookingView {
    pub id: BookingId,
    pub client_id: ClientId,
    pub client: ClientView,
    pub sitter_id: Option<SitterId>,
    pub sitter_name: Option<String>,
    pub service: String,
    pub start_at: Timestamp,
    pub end_at: Timestamp,
    pub status: Status,
    pub quantity: i64,
    pub add_ons: Vec<String>,
    pub discount_minor: i64,
    pub address: Option<String>,
    pub notes: Option<String>,
    pub total_minor: Option<i64>,
    pub currency: Option<String>,
    pub payment_status: PaymentStatus,
    pub pricing_snapshot_id: Option<SnapshotId>,
    pub confirmed_at: Option<Timestamp>,
    pub version: i64,
    pub created_at: Timestamp,
}

/// The client of a booking.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Client)]
#[serde(rename_all = "camelCase")]
pub struct ClientView {
    /// The first name, if known.
    pub first_name: Option<String>,
    /// The last name, if known.
    pub last_name: Option<String>,
    /// The phone number, in full or masked, depending on who reads it.
    pub phone: String,
}

impl std::fmt::Debug for ClientView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientView")
    }
}

/// A booking with the names of its client and sitter.
#[derive(sqlx::FromRow)]
pub(super) struct Row {
    #[sqlx(flatten)]
    pub booking: Booking,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub phone_number: PhoneNumber,
    pub sitter_name: Option<String>,
}

impl Row {
    pub(super) fn into_view(self, audience: Audience) -> BookingView {
        let booking = self.booking;
        BookingView {
            client: ClientView {
                first_name: self.first_name,
                last_name: self.last_name,
                phone: audience.client_phone(&self.phone_number),
            },
            id: booking.id,
            client_id: booking.client_id,
            sitter_id: booking.sitter_id,
            sitter_name: self.sitter_name,
            service: booking.service,
            start_at: booking.start_at,
            end_at: booking.end_at,
            status: booking.status,
            quantity: booking.quantity,
            add_ons: booking.add_ons.0,
            discount_minor: booking.discount_minor,
            address: booking.address,
            notes: booking.notes,
            total_minor: booking.total_minor,
            currency: booking.currency,
            payment_status: booking.payment_status,
            pricing_snapshot_id: booking.pricing_snapshot_id,
            confirmed_at: booking.confirmed_at,
            version: booking.version,
            created_at: booking.created_at,
        }
    }
}
