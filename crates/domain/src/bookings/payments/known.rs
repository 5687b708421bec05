//! What is known of each payment, independent of any booking.
//!
//! A payment and the checkout session that names its booking are two reports, which arrive in any order or at the same
//! moment. Code that acts on a report [`hold`]s the payment's row first and then its booking, so that the second report
//! sees the effects of the first.

use nightshift_db::{Timestamp, Tx};

use super::standing::One;
use crate::Result;
use crate::ids::BookingId;

/// The row of a payment, locked until the transaction ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Known {
    /// The booking that the payment is assigned to.
    pub booking_id: Option<BookingId>,
    /// Amount received, in minor units; `None` until it is reported.
    pub received_minor: Option<i64>,
    pub currency: Option<String>,
    /// Refunded so far, in minor units.
    pub refunded_minor: i64,
    pub fully_refunded: bool,
    /// Whether the payment is known to be for a subscription or another purchase of a client, and not for a booking.
    pub of_client: bool,
}

/// Locks and returns the payment with the provider's `id`, and inserts it if it is unknown. If a booking shows this
/// payment from before payments were stored, the new row takes the booking and its amounts from there.
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

/// Returns what is known of the payments of a booking, in the order in which they became known. The caller holds the
/// booking, so that the last of several reports sees the effects of the others.
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

/// Records the amount received, as the payment's own report states it or, until that arrives, its checkout.
pub(super) async fn received(tx: &mut Tx, id: &str, minor: i64, currency: Option<&str>) -> Result<()> {
    tx.query("UPDATE payments SET received_minor = $2, currency = $3 WHERE id = $1")
        .bind(id)
        .bind(minor)
        .bind(currency)
        .execute()
        .await?;
    Ok(())
}

/// Assigns the payment to a booking, unless it is assigned already.
pub(super) async fn place(tx: &mut Tx, id: &str, booking: &BookingId) -> Result<()> {
    tx.query("UPDATE payments SET booking_id = $2 WHERE id = $1 AND booking_id IS NULL")
        .bind(id)
        .bind(booking)
        .execute()
        .await?;
    Ok(())
}

/// Records the amount refunded so far. A smaller amount than the recorded one is outdated and changes nothing.
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

/// Records that the payment is not for a booking.
pub(super) async fn is_of_client(tx: &mut Tx, id: &str) -> Result<()> {
    tx.query("UPDATE payments SET of_client = TRUE WHERE id = $1").bind(id).execute().await?;
    Ok(())
}
