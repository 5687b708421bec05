//! A payment provider's report, and the result of acting on it.
//!
//! [`PaymentReport`] has one function for each fact that a provider reports. Each assigns the money to a booking,
//! raises or resolves exceptions, and returns what the caller must enqueue.

use nightshift_db::{Timestamp, Tx};

use super::known::{self, Known};
use crate::Result;
use crate::actor::Actor;
use crate::bookings::StatusChange;
use crate::ids::{InboxId, OrgId};
use crate::inbox::InboxStatus;

/// A report that is being processed.
#[derive(Debug, Clone, Copy)]
pub struct PaymentReport<'a> {
    /// The report's row in the inbox.
    pub inbox_id: &'a InboxId,
    pub by: &'a Actor,
    /// The event's type in the provider's words.
    pub event_type: &'a str,
    pub event_id: Option<&'a str>,
    /// Whether real money was moved, according to the event.
    pub livemode: bool,
}

/// The result of acting on a report.
#[derive(Debug)]
#[must_use = "enqueue what follows from its changes, and settle the delivery with its status"]
pub struct Handled {
    /// The new status of the delivery.
    pub status: InboxStatus,
    /// The organisation of the delivery, if it is known.
    pub org: Option<OrgId>,
    /// A short description for the job's result.
    pub word: &'static str,
    /// Status changes of the bookings that were paid. The caller must enqueue their jobs.
    pub changes: Vec<StatusChange>,
}

impl Handled {
    /// The report needs no action.
    pub fn ignored(word: &'static str) -> Self {
        Self { status: InboxStatus::Ignored, org: None, word, changes: Vec::new() }
    }

    pub(super) fn of(org: &OrgId, word: &'static str) -> Self {
        Self { status: InboxStatus::Processed, org: Some(org.clone()), word, changes: Vec::new() }
    }

    /// The report was processed, for no known organisation.
    pub(super) fn of_nobody(word: &'static str) -> Self {
        Self { status: InboxStatus::Processed, org: None, word, changes: Vec::new() }
    }
}

/// Locks the row of the payment, which must precede the lock of any booking. Without an id, nothing is locked.
pub(super) async fn hold(tx: &mut Tx, payment: Option<&str>, now: Timestamp) -> Result<Known> {
    match payment {
        Some(id) => known::hold(tx, id, now).await,
        None => Ok(Known::default()),
    }
}
