//! Bookings as the API shows them.

use nightshift_db::{Json, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::{PaymentStatus, Status};
use crate::audience::Audience;
use crate::ids::{BookingId, ClientId, SitterId, SnapshotId};
use crate::phone::PhoneNumber;

/// A booking in JSON.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Booking)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are those of the API's description")]
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

/// A booking's client in JSON.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Client)]
#[serde(rename_all = "camelCase")]
pub struct ClientView {
    /// First name, if known.
    pub first_name: Option<String>,
    /// Last name, if known.
    pub last_name: Option<String>,
    /// In the form the reader may see.
    pub phone: String,
}

impl std::fmt::Debug for ClientView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientView")
    }
}

/// A row that joins a booking with the names around it.
#[derive(sqlx::FromRow)]
pub(super) struct Row {
    pub id: BookingId,
    pub client_id: ClientId,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub phone_number: PhoneNumber,
    pub sitter_id: Option<SitterId>,
    pub sitter_name: Option<String>,
    pub service: String,
    pub start_at: Timestamp,
    pub end_at: Timestamp,
    pub status: Status,
    pub quantity: i64,
    pub add_ons: Json<Vec<String>>,
    pub discount_minor: i64,
    pub address: Option<String>,
    pub notes: Option<String>,
    pub total_minor: Option<i64>,
    pub currency: Option<String>,
    pub pricing_snapshot_id: Option<SnapshotId>,
    pub payment_status: PaymentStatus,
    pub confirmed_at: Option<Timestamp>,
    pub version: i64,
    pub created_at: Timestamp,
}

impl Row {
    pub(super) fn into_view(self, audience: Audience) -> BookingView {
        BookingView {
            client: ClientView {
                first_name: self.first_name,
                last_name: self.last_name,
                phone: audience.client_phone(&self.phone_number),
            },
            id: self.id,
            client_id: self.client_id,
            sitter_id: self.sitter_id,
            sitter_name: self.sitter_name,
            service: self.service,
            start_at: self.start_at,
            end_at: self.end_at,
            status: self.status,
            quantity: self.quantity,
            add_ons: self.add_ons.0,
            discount_minor: self.discount_minor,
            address: self.address,
            notes: self.notes,
            total_minor: self.total_minor,
            currency: self.currency,
            payment_status: self.payment_status,
            pricing_snapshot_id: self.pricing_snapshot_id,
            confirmed_at: self.confirmed_at,
            version: self.version,
            created_at: self.created_at,
        }
    }
}
