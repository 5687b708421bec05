//! What is known of each payment, apart from any booking.
//!
//! A payment and the checkout session that names its booking are two reports, which come in any order or at the same
//! moment. Whoever acts on one [`hold`]s the payment's row first, then its booking: the second finds what the first did.

use nightshift_db::{Timestamp, Tx};

use super::standing::One;
use crate::Result;
use crate::ids::BookingId;

/// A payment, held until the transaction ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Known {
    /// The booking it was placed at.
    pub booking_id: Option<BookingId>,
    /// What was received, in minor units, once it was reported.
    pub received_minor: Option<i64>,
    /// Its currency.
    pub currency: Option<String>,
    /// Given back of it so far, in minor units.
    pub refunded_minor: i64,
    /// Whether all of it was given back.
    pub fully_refunded: bool,
    /// Whether it is known to pay a subscription or another matter of a client, and no booking.
    pub of_client: bool,
}

/// The payment with the provider's `id`, which from now on is known. One that paid a booking before payments were kept is
/// found at that booking, with what the booking tells of it.
pub(super) async fn hold(tx: &mut Tx, id: &str, now: Timestamp) -> Result<Known> {
    Ok(tx
        .query(
            "INSERT INTO payments (id, booking_id, received_minor, refunded_minor, fully_refunded, created_at, updated_at)
             SELECT told.id, b.id, CASE WHEN b.payment_status = 'paid' OR b.paid_minor > 0 THEN b.paid_minor END,
                    COALESCE(b.refunded_minor, 0), COALESCE(b.payment_status = 'refunded', FALSE), $2, $2
             FROM (SELECT $1 AS id) AS told LEFT JOIN bookings b ON b.stripe_payment_intent_id = told.id
             WHERE TRUE
             ON CONFLICT (id) DO UPDATE SET updated_at = $2
             RETURNING booking_id, received_minor, currency, refunded_minor, fully_refunded, of_client",
        )
        .bind(id)
        .bind(now)
        .one()
        .await?)
}

/// What is known of the payments of a booking, in the order in which they became known. The caller holds the booking, so
/// that the last of several reports sees what the others did.
pub(super) async fn of_booking(tx: &mut Tx, booking: &BookingId) -> Result<Vec<One>> {
    Ok(tx
        .query(
            "SELECT id, received_minor, currency, refunded_minor, fully_refunded FROM payments
             WHERE booking_id = $1 AND (received_minor IS NOT NULL OR refunded_minor > 0 OR fully_refunded)
             ORDER BY created_at, id",
        )
        .bind(booking)
        .all()
        .await?)
}

/// Notes what was received, as the payment itself says or, before it does, its checkout.
pub(super) async fn received(tx: &mut Tx, id: &str, minor: i64, currency: Option<&str>) -> Result<()> {
    tx.query("UPDATE payments SET received_minor = $2, currency = $3 WHERE id = $1")
        .bind(id)
        .bind(minor)
        .bind(currency)
        .execute()
        .await?;
    Ok(())
}

/// Notes the booking that the payment is for. The first one stays.
pub(super) async fn place(tx: &mut Tx, id: &str, booking: &BookingId) -> Result<()> {
    tx.query("UPDATE payments SET booking_id = $2 WHERE id = $1 AND booking_id IS NULL")
        .bind(id)
        .bind(booking)
        .execute()
        .await?;
    Ok(())
}

/// Notes what was given back so far; a report that was overtaken changes nothing.
pub(super) async fn given_back(tx: &mut Tx, id: &str, minor: i64, all: bool) -> Result<()> {
    tx.query(
        "UPDATE payments
         SET refunded_minor = CASE WHEN refunded_minor < $2 THEN $2 ELSE refunded_minor END,
             fully_refunded = (fully_refunded OR $3)
         WHERE id = $1",
    )
    .bind(id)
    .bind(minor)
    .bind(all)
    .execute()
    .await?;
    Ok(())
}

/// Notes that the payment is not for a booking.
pub(super) async fn is_of_client(tx: &mut Tx, id: &str) -> Result<()> {
    tx.query("UPDATE payments SET of_client = TRUE WHERE id = $1").bind(id).execute().await?;
    Ok(())
}
