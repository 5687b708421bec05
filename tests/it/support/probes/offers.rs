//! Offers of bookings to sitters.

use nightshift_db::Timestamp;
use sqlx::FromRow;

use super::{Probes, Rows, table};

#[derive(Debug, FromRow)]
pub struct Offer {
    pub status: String,
    pub expires_at: Timestamp,
    pub accepted_at: Option<Timestamp>,
    pub declined_at: Option<Timestamp>,
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
}
