//! A payment provider's report, and what acting on it came to.
//!
//! One function per fact a provider reports: each places the money, raises or resolves what people must look at, and
//! returns what the caller has to enqueue.

use nightshift_db::{Timestamp, Tx};

use super::known::{self, Known};
use crate::Result;
use crate::actor::Actor;
use crate::bookings::StatusChange;
use crate::ids::{InboxId, OrgId};
use crate::inbox::InboxStatus;

/// The report that is acted on.
#[derive(Debug, Clone, Copy)]
pub struct PaymentReport<'a> {
    /// Its row in the inbox.
    pub inbox_id: &'a InboxId,
    /// Who acts.
    pub by: &'a Actor,
    /// The event's type in the provider's words.
    pub event_type: &'a str,
    /// The event's id, when it has one.
    pub event_id: Option<&'a str>,
    /// Whether real money moved, as far as the event says.
    pub livemode: bool,
}

/// What acting on a report came to.
#[derive(Debug)]
#[must_use = "enqueue what follows from its changes, and settle the delivery with its status"]
pub struct Handled {
    /// What becomes of the delivery.
    pub status: InboxStatus,
    /// Whose it was, when that is known.
    pub org: Option<OrgId>,
    /// A few words on it, for the job's result.
    pub word: &'static str,
    /// The bookings that were paid; the work that follows is the caller's to enqueue.
    pub changes: Vec<StatusChange>,
}

impl Handled {
    /// The report is of no interest here.
    pub fn ignored(word: &'static str) -> Self {
        Self { status: InboxStatus::Ignored, org: None, word, changes: Vec::new() }
    }

    pub(super) fn of(org: &OrgId, word: &'static str) -> Self {
        Self { status: InboxStatus::Processed, org: Some(org.clone()), word, changes: Vec::new() }
    }

    /// Acted on, for no organisation.
    pub(super) fn of_nobody(word: &'static str) -> Self {
        Self { status: InboxStatus::Processed, org: None, word, changes: Vec::new() }
    }
}

/// Holds the payment's row, which comes before any booking's; a report that names no payment holds nothing.
pub(super) async fn hold(tx: &mut Tx, payment: Option<&str>, now: Timestamp) -> Result<Known> {
    match payment {
        Some(id) => known::hold(tx, id, now).await,
        None => Ok(Known::default()),
    }
}
