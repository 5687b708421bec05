//! Who wants no texts from an organisation.

mod keyword;
mod wish;

use nightshift_db::{Timestamp, Tx};

use crate::Result;
use crate::actor::Actor;
use crate::ids::{MessageId, OrgId};
use crate::phone::PhoneNumber;
use crate::text_enum::text_enum;

pub use keyword::{Keyword, keyword};
pub use wish::is_wish;

text_enum! {
    /// How it became known that a person wants no texts.
    pub enum OptOutSource {
        /// The person sent a keyword.
        Keyword = "keyword",
        /// The owner recorded it.
        Owner = "owner",
        /// The carrier reported it.
        Carrier = "carrier",
    }
}

/// A change of somebody's wish to get texts.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    pub org: &'a OrgId,
    /// The person, whatever else is known about them: a client, a sitter or a requester.
    pub phone: &'a PhoneNumber,
    /// The text that says so, if one does.
    pub message: Option<&'a MessageId>,
    /// The carrier's time of the text, or the time of the decision.
    pub at: Timestamp,
    pub by: &'a Actor,
}

/// Records that a person wants no more texts, unless they have asked for texts again after `change.at`. Returns whether
/// this is news.
pub async fn stop(tx: &mut Tx, change: &Change<'_>, source: OptOutSource, now: Timestamp) -> Result<bool> {
    let _ = (tx, change, source, now);
    Ok(false)
}

/// Records that a person wants texts again, unless they have asked for none after `change.at`. Returns whether this is
/// news.
pub async fn start(tx: &mut Tx, change: &Change<'_>, now: Timestamp) -> Result<bool> {
    let _ = (tx, change, now);
    Ok(false)
}

/// As [`start`], but lifts only what the carrier reported.
pub async fn lift_carrier(tx: &mut Tx, change: &Change<'_>, now: Timestamp) -> Result<bool> {
    let _ = (tx, change, now);
    Ok(false)
}

/// Whether this person wants no texts. Until the transaction ends, nobody else changes the answer.
pub async fn is_opted_out(tx: &mut Tx, org: &OrgId, phone: &PhoneNumber) -> Result<bool> {
    let _ = (tx, org, phone);
    Ok(false)
}
