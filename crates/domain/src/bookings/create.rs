//! Making a booking.

use nightshift_db::{RowsStatement, Timestamp, Tx, columns};
use serde_json::json;

use super::booking::booking_columns;
use super::{Booking, NewBooking, Status, history, oddities};
use crate::Result;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::ids::{BookingId, ClientId, HistoryId, OrgId, SitterId};
use crate::people::clients;
use crate::pricing;
use crate::problems::Problems;
use crate::warning::Warning;

/// What a booking is made of.
struct NewRow<'r> {
    id: &'r BookingId,
    org: &'r OrgId,
    client: &'r ClientId,
    asked: &'r NewBooking,
    now: Timestamp,
}

columns! {
    /// What is written of a new booking; the rest has its defaults.
    struct NewColumns(new: NewRow<'r>, 'r) {
        id: text = new.id.as_str(),
        org_id: text = new.org.as_str(),
        client_id: text = new.client.as_str(),
        sitter_id: text = new.asked.sitter_id.as_ref().map(SitterId::as_str),
        service: text = new.asked.service.as_str(),
        start_at: timestamptz = new.asked.start_at,
        end_at: timestamptz = new.asked.end_at,
        quantity: bigint = new.asked.quantity,
        add_ons: json = json!(new.asked.add_ons).to_string(),
        address: text = new.asked.address.as_deref(),
        notes: text = new.asked.notes.as_deref(),
        discount_minor: bigint = new.asked.discount_minor,
        created_at: timestamptz = new.now,
        updated_at: timestamptz = new.now,
    }
}

static INSERT: RowsStatement<NewColumns> = RowsStatement::new(
    0,
    concat!("INSERT INTO bookings ({columns}) VALUES ({values}) RETURNING ", booking_columns!("")),
);

const PRICE: &str = "UPDATE bookings SET total_minor = $2, currency = $3, pricing_snapshot_id = $4 WHERE id = $1";

/// A booking that was just made.
#[derive(Debug, Clone)]
#[must_use = "enqueue what follows: `booking.status_changed` for its first status"]
pub struct Created {
    /// It.
    pub booking: Booking,
    /// Its first history row, nothing -> pending, which `booking.status_changed` follows.
    pub history_id: HistoryId,
    /// What is odd about it.
    pub warnings: Vec<Warning>,
}

/// Makes a pending booking; its client is found by phone or made, and it is priced if its service has a price.
///
/// # Errors
/// [`Error::Invalid`](crate::Error::Invalid) when the organisation has no such active sitter, or the service's price
/// none for an add-on.
pub async fn create(tx: &mut Tx, org: &OrgId, new: NewBooking, by: &Actor, now: Timestamp) -> Result<Created> {
    create_as(tx, BookingId::new(now), org, new, by, now).await
}

/// As [`create`], with an id that was given from outside.
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
        phone: new.phone.clone(),
        first_name: Some(new.first_name.clone()),
        last_name: Some(new.last_name.clone()),
        email: new.email.clone(),
    };
    let client = clients::find_or_create(tx, org, &contact, now).await?;
    let row = NewRow { id: &id, org, client: &client.id, asked: &new, now };
    let mut booking: Booking = INSERT.bind_values(tx.query(INSERT.sql(tx.engine())), &row).one().await?;
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

/// Refuses a sitter whom the organisation does not have or no longer sends out.
pub(super) async fn check_sitter(tx: &mut Tx, org: &OrgId, sitter: &SitterId) -> Result<()> {
    let known: bool = tx
        .query("SELECT EXISTS (SELECT 1 FROM sitters WHERE id = $1 AND org_id = $2 AND active)")
        .bind(sitter)
        .bind(org)
        .scalar()
        .await?;
    let mut problems = Problems::default();
    if !known {
        problems.add("sitterId", "is not an active sitter of this organisation");
    }
    problems.finish()
}
