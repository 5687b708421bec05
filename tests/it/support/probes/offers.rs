//! Offers of bookings to sitters.

use nightshift_db::Timestamp;
use sqlx::FromRow;

use super::{Probes, Rows, table};

#[derive(Debug, FromRow)]
pub struct Offer {
    pub id: String,
    pub booking_id: String,
    pub sitter_id: String,
    pub code: i64,
    pub status: String,
    pub expires_at: Timestamp,
    pub accepted_at: Option<Timestamp>,
    pub declined_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub answered_via: Option<String>,
    pub response_seconds: Option<i64>,
}

impl Probes {
    pub fn offers(&self) -> Rows<'_, Offer> {
        self.ask(table!("offer_events"))
    }
}

impl Rows<'_, Offer> {
    pub fn in_status(self, status: &str) -> Self {
        self.with("status = $1", status)
    }

    pub fn of_sitter(self, sitter: &str) -> Self {
        self.with("sitter_id = $1", sitter)
    }
}
