//! A carrier's report about a text: what it changes, and what becomes of one about an unknown text.
//!
//! A report may arrive before the answer to the request that sent the text. If the text is unknown, the job looks again
//! for two minutes. After that the report is about a text of somebody else, and is ignored.

use std::time::Duration;

use nightshift_db::{Timestamp, Tx};
use nightshift_domain::actor::Actor;
use nightshift_domain::inbox::InboxStatus;
use nightshift_domain::messaging::delivery::{self, Because, ReportOutcome, apply_report};
use nightshift_domain::messaging::message::MessageStatus;
use nightshift_providers::sms::{Delivery, Refusal};
use nightshift_queue::JobError;

use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::sms;

/// How long after its arrival a report may become one about a text that is known.
const KNOWN_WITHIN: Duration = Duration::from_secs(120);
/// The time after which a job looks again for the text of a report.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// A carrier's report about a text.
pub(crate) struct Report<'a> {
    /// The carrier's id of the text.
    pub(crate) sid: &'a str,
    pub(crate) delivery: Delivery,
    /// Why the text did not arrive, if the carrier says so.
    pub(crate) error_code: Option<&'a str>,
    /// What must be done about it, if anything. Counts only if the text did not arrive.
    pub(crate) refusal: Option<Refusal>,
    pub(crate) received_at: Timestamp,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// The text has a new status.
    Changed,
    /// The text had this status already, or a later one.
    Stale,
    /// The status says nothing about the text.
    NoNews,
    /// No text has this id.
    NotOurs,
}

impl Applied {
    /// Returns what becomes of the webhook that brought the report.
    pub(crate) fn inbox_status(self) -> InboxStatus {
        match self {
            Self::Changed | Self::Stale => InboxStatus::Processed,
            Self::NoNews | Self::NotOurs => InboxStatus::Ignored,
        }
    }

    /// Returns the verdict that the job reports.
    pub(crate) fn verdict(self) -> &'static str {
        match self {
            Self::Changed => "applied",
            Self::Stale | Self::NoNews => "no news",
            Self::NotOurs => "not about one of our texts",
        }
    }
}

/// Applies a report. `None` means that the text may become known: look again after [`LOOK_AGAIN`], and store nothing.
///
/// A text that the carrier gives back because of the recipient's hours is queued again instead, and its job enqueued.
pub(crate) async fn apply(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    report: &Report<'_>,
    by: &Actor,
    now: Timestamp,
) -> Result<Option<Applied>, JobError> {
    let Some(status) = our_status(report.delivery) else { return Ok(Some(Applied::NoNews)) };
    // What is said to have arrived was not refused, whatever the code says.
    let refusal = report.refusal.filter(|_| matches!(status, MessageStatus::Undelivered | MessageStatus::Failed));
    if refusal == Some(Refusal::Hours)
        && let Some(back) = delivery::given_back(tx, report.sid, by, now).await.or_job_error()?
    {
        if back.text.status == MessageStatus::Queued {
            sms::send_again(enqueuer, tx, &back.text, Some(back.held.until)).await?;
        }
        return Ok(Some(Applied::Changed));
    }
    delivery::record_reported(tx, report.sid, because(refusal), by, now).await.or_job_error()?;
    Ok(match apply_report(tx, report.sid, status, report.error_code, by, now).await.or_job_error()? {
        ReportOutcome::Applied(_) => Some(Applied::Changed),
        ReportOutcome::Stale => Some(Applied::Stale),
        ReportOutcome::Unknown if now < report.received_at + KNOWN_WITHIN => None,
        ReportOutcome::Unknown => Some(Applied::NotOurs),
    })
}

/// Returns what a refusal says about the recipient.
pub(crate) fn because(refusal: Option<Refusal>) -> Because {
    match refusal {
        Some(Refusal::OptedOut) => Because::OptedOut,
        Some(Refusal::Litigator) => Because::Litigator,
        _ => Because::Other,
    }
}

/// Returns the status of the text, or `None` while the carrier has not sent it yet.
pub(crate) fn our_status(delivery: Delivery) -> Option<MessageStatus> {
    match delivery {
        Delivery::Pending => None,
        Delivery::Sent => Some(MessageStatus::Sent),
        Delivery::Delivered => Some(MessageStatus::Delivered),
        Delivery::Undelivered => Some(MessageStatus::Undelivered),
        Delivery::Failed => Some(MessageStatus::Failed),
    }
}
