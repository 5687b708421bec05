//! Bookings, the history of their status, the windows of sitters, and clients.

use nightshift_db::Timestamp;
use sqlx::FromRow;

use super::{Probes, Rows, table};

#[derive(Debug, FromRow)]
pub struct Booking {
    pub id: String,
    pub paid_minor: i64,
    pub refunded_minor: i64,
    pub stripe_payment_intent_id: Option<String>,
    pub created_at: Timestamp,
}

#[derive(Debug, FromRow)]
pub struct StatusChange {
    pub changed_at: Timestamp,
}

/// The time in which the sitter of a booking may write to its client.
#[derive(Debug, FromRow)]
pub struct Window {
    pub ends_at: Timestamp,
}

#[derive(Debug, FromRow)]
pub struct Client {
    pub phone_number: String,
}

impl Probes {
    pub fn bookings(&self) -> Rows<'_, Booking> {
        self.ask(table!("bookings"))
    }

    pub fn status_changes(&self) -> Rows<'_, StatusChange> {
        self.ask(table!("booking_status_history"))
    }

    pub fn windows(&self) -> Rows<'_, Window> {
        self.ask(table!("assignment_windows"))
    }

    pub fn clients(&self) -> Rows<'_, Client> {
        self.ask(table!("clients"))
    }
}

impl Rows<'_, Booking> {
    pub fn confirmed(self) -> Self {
        self.only("status = 'confirmed'")
    }

    /// Bookings whose payment status is `paid`.
    pub fn paid(self) -> Self {
        self.only("payment_status = 'paid'")
    }

    pub fn with_a_thread(self) -> Self {
        self.only("id IN (SELECT booking_id FROM message_threads)")
    }

    pub fn with_a_window(self) -> Self {
        self.only("id IN (SELECT booking_id FROM assignment_windows)")
    }

    /// Bookings for which this amount was received, in minor units.
    pub fn that_received(self, minor: i64) -> Self {
        self.with("paid_minor = $1", minor)
    }

    /// Bookings of which this amount was refunded, in minor units.
    pub fn that_refunded(self, minor: i64) -> Self {
        self.with("refunded_minor = $1", minor)
    }
}

impl Rows<'_, StatusChange> {
    pub fn to(self, status: &str) -> Self {
        self.with("to_status = $1", status)
    }
}

impl Rows<'_, Window> {
    pub fn starting_at(self, time: &str) -> Self {
        self.with("starts_at = $1", time.parse::<Timestamp>().expect("a time"))
    }
}
