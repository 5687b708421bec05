//! The offer row.

use nightshift_db::{Engine, Timestamp, Tx, row};

use super::status::OfferStatus;
use super::status::Via;
use crate::ids::{BookingId, OfferId, OrgId, SitterId};
use crate::{Error, Result};

row! {
    columns = offer_columns $;
    /// A booking that a sitter may accept or decline.
    #[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
    pub struct Offer {
        pub id: OfferId,
        pub org_id: OrgId,
        pub sitter_id: SitterId,
        pub booking_id: BookingId,
        /// What the sitter answers with if they have several: `YES 2`. No two pending offers of a sitter have the same.
        pub code: i64,
        pub status: OfferStatus,
        pub offered_at: Timestamp,
        /// From then on it can't be answered.
        pub expires_at: Timestamp,
        pub accepted_at: Option<Timestamp>,
        pub declined_at: Option<Timestamp>,
        /// When it stopped being pending.
        pub ended_at: Option<Timestamp>,
        /// What the sitter said when they declined.
        pub decline_reason: Option<String>,
        pub answered_via: Option<Via>,
        /// From the offer to the answer.
        pub response_seconds: Option<i64>,
    }
}
pub(super) use offer_columns;

const BY_ID: &str = concat!("SELECT ", offer_columns!(""), " FROM offer_events WHERE id = $1");
const OF_BOOKING: &str =
    concat!("SELECT ", offer_columns!(""), " FROM offer_events WHERE booking_id = $1 ORDER BY offered_at, id");
const OF_BOOKING_LOCKED: &str = concat!(
    "SELECT ",
    offer_columns!(""),
    " FROM offer_events WHERE booking_id = $1 ORDER BY offered_at, id FOR NO KEY UPDATE"
);

/// Returns an offer without locking it.
///
/// # Errors
/// [`Error::NotFound`] if there is no such offer.
pub(super) async fn load(tx: &mut Tx, id: &OfferId) -> Result<Offer> {
    tx.query(BY_ID).bind(id).optional().await?.ok_or(Error::NotFound)
}

/// Returns every offer of a booking, oldest first, and locks them until the transaction ends. The caller holds the
/// booking's lock.
pub(super) async fn lock_of_booking(tx: &mut Tx, booking: &BookingId) -> Result<Vec<Offer>> {
    let sql = match tx.engine() {
        Engine::Postgres => OF_BOOKING_LOCKED,
        Engine::Sqlite => OF_BOOKING,
    };
    Ok(tx.query(sql).bind(booking).all().await?)
}

/// Returns the offer that an answer by this sitter is about: the pending one, else the accepted one, else the last.
pub(super) fn answered_by<'a>(offers: &'a [Offer], sitter: &SitterId) -> Option<&'a Offer> {
    let theirs = || offers.iter().filter(|offer| offer.sitter_id == *sitter);
    let with = |status| theirs().find(|offer| offer.status == status);
    with(OfferStatus::Pending).or_else(|| with(OfferStatus::Accepted)).or_else(|| theirs().next_back())
}
