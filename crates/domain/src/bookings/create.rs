//! Creates bookings.

use nightshift_db::{Json, RowsStatement, Timestamp, Tx};
use serde_json::json;

use super::booking::{WrittenColumns, booking_columns};
use super::{Booking, NewBooking, PaymentStatus, Status, history, oddities};
use crate::Result;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::field_errors::FieldErrors;
use crate::ids::{BookingId, HistoryId, OrgId, SitterId};
use crate::people::clients;
use crate::pricing;
use crate::warning::Warning;

static INSERT: RowsStatement<WrittenColumns> = RowsStatement::new(
    4,
    concat!(
        "INSERT INTO bookings (id, org_id, client_id, created_at, updated_at, {columns})
         VALUES ($1, $2, $3, $4, $4, {values}) RETURNING ",
        booking_columns!("")
    ),
);

const PRICE: &str = "UPDATE bookings SET total_minor = $2, currency = $3, pricing_snapshot_id = $4 WHERE id = $1";

/// A booking that was just created.
#[derive(Debug, Clone)]
#[must_use = "enqueue what follows: `booking.status_changed` for its first status"]
pub struct Created {
    pub booking: Booking,
    /// The first history row, from no status to `pending`, for which `booking.status_changed` must follow.
    pub history_id: HistoryId,
    /// Unusual values of the booking, such as a time in the past or a service without a price.
    pub warnings: Vec<Warning>,
}

/// Creates a pending booking. Its client is found by phone number or created. It is priced if its service has a price
/// rule.
///
/// # Errors
/// [`Error::Invalid`](crate::Error::Invalid) if the organisation has no such active sitter, or the price rule has no
/// price for an add-on.
pub async fn create(tx: &mut Tx, org: &OrgId, new: NewBooking, by: &Actor, now: Timestamp) -> Result<Created> {
    create_as(tx, BookingId::new(now), org, new, by, now).await
}

/// As [`create`], with a given id.
pub(crate) async fn create_as(
    tx: &mut Tx,
    id: BookingId,
    org: &OrgId,
    new: NewBooking,
    by: &Actor,
    now: Timestamp,
) -> Result<Created> {
    if let Some(sitter) = &new.sitter_id {
        check_sitter(tx, org, sitter).await?;
    }
    let contact = clients::Contact {
        phone: new.phone,
        first_name: Some(new.first_name),
        last_name: Some(new.last_name),
        email: new.email,
    };
    let client = clients::find_or_create(tx, org, &contact, now).await?;
    let booking = Booking {
        id,
        org_id: org.clone(),
        client_id: client.id,
        sitter_id: new.sitter_id,
        service: new.service,
        start_at: new.start_at,
        end_at: new.end_at,
        status: Status::Pending,
        quantity: new.quantity,
        add_ons: Json(new.add_ons),
        address: new.address,
        notes: new.notes,
        discount_minor: new.discount_minor,
        total_minor: None,
        currency: None,
        pricing_snapshot_id: None,
        payment_status: PaymentStatus::Unpaid,
        paid_minor: 0,
        refunded_minor: 0,
        stripe_payment_intent_id: None,
        confirmed_at: None,
        cancelled_at: None,
        version: 1,
        created_at: now,
    };
    let query = tx.query(INSERT.sql(tx.engine()));
    let query = query.bind(&booking.id).bind(&booking.org_id).bind(&booking.client_id).bind(booking.created_at);
    let mut booking: Booking = INSERT.bind_values(query, &&booking).one().await?;
    let priced = pricing::price_new(tx, &mut booking, now).await?;
    if priced {
        tx.query(PRICE)
            .bind(&booking.id)
            .bind(booking.total_minor)
            .bind(&booking.currency)
            .bind(&booking.pricing_snapshot_id)
            .execute()
            .await?;
    }
    let history_id = history::append(tx, &booking, None, Status::Pending, None, by, now).await?;
    let warnings = oddities::of_new(&booking, priced, now);
    let mut entry = booking.entry(Event::BookingCreated, by);
    if !warnings.is_empty() {
        entry = entry.metadata(json!({"warnings": oddities::codes(&warnings)}));
    }
    audit::record(tx, entry, now).await?;
    Ok(Created { booking, history_id, warnings })
}

/// Checks that the sitter is an active sitter of the organisation.
pub(super) async fn check_sitter(tx: &mut Tx, org: &OrgId, sitter: &SitterId) -> Result<()> {
    let known: bool = tx
        .query("SELECT EXISTS (SELECT 1 FROM sitters WHERE id = $1 AND org_id = $2 AND active)")
        .bind(sitter)
        .bind(org)
        .scalar()
        .await?;
    let mut field_errors = FieldErrors::default();
    if !known {
        field_errors.add("sitterId", "is not an active sitter of this organisation");
    }
    field_errors.finish()
}
