//! Exceptions: the list of problems that only a person can resolve.
//!
//! If a problem occurs again while its exception is unresolved (same fingerprint), the count of the existing row is
//! incremented.

mod handle;
mod kind;
mod list;

use nightshift_db::{Json, Timestamp, Tx};
use serde_json::{Value, json};

pub use handle::{assign, close, snooze, wake};
pub use kind::ExceptionKind;
pub use list::{Counts, ExceptionView, Filter, counts, get, list};

use crate::ids::{BookingId, ClientId, DriftId, ExceptionId, InboxId, OrgId, ThreadId};
use crate::text_enum::text_enum;
use crate::{Result, stream};

text_enum! {
    pub enum Severity {
        /// Money or a client is affected now.
        High = "high",
        /// Somebody should act today.
        Medium = "medium",
        /// For information.
        Low = "low",
    }
}

text_enum! {
    pub enum ExceptionStatus {
        /// Not assigned to anybody.
        Open = "open",
        /// Assigned to a user.
        InProgress = "in_progress",
        /// Hidden until a given time.
        Snoozed = "snoozed",
        Resolved = "resolved",
    }
}

/// An exception to be raised.
#[derive(Debug, Clone)]
pub struct NewException {
    kind: ExceptionKind,
    severity: Severity,
    fingerprint: String,
    title: String,
    detail: Value,
    org: Option<OrgId>,
    booking: Option<BookingId>,
    thread: Option<ThreadId>,
    client: Option<ClientId>,
    job: Option<String>,
    inbox: Option<InboxId>,
    drift: Option<DriftId>,
}

impl NewException {
    /// Creates an exception of a kind. The fingerprint identifies the problem.
    pub fn new(kind: ExceptionKind, severity: Severity, fingerprint: impl Into<String>) -> Self {
        Self {
            kind,
            severity,
            fingerprint: fingerprint.into(),
            title: kind.label().to_owned(),
            detail: json!({}),
            org: None,
            booking: None,
            thread: None,
            client: None,
            job: None,
            inbox: None,
            drift: None,
        }
    }

    /// Sets the one-line title for lists. The default is the label of the kind.
    #[must_use]
    pub fn title(mut self, title: &str) -> Self {
        title.clone_into(&mut self.title);
        self
    }

    /// Sets ids and facts about the problem.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }

    #[must_use]
    pub fn org(mut self, org: &OrgId) -> Self {
        self.org = Some(org.clone());
        self
    }

    #[must_use]
    pub fn booking(mut self, booking: &BookingId) -> Self {
        self.booking = Some(booking.clone());
        self
    }

    #[must_use]
    pub fn thread(mut self, thread: &ThreadId) -> Self {
        self.thread = Some(thread.clone());
        self
    }

    #[must_use]
    pub fn client(mut self, client: &ClientId) -> Self {
        self.client = Some(client.clone());
        self
    }

    #[must_use]
    pub fn job(mut self, job: &str) -> Self {
        self.job = Some(job.to_owned());
        self
    }

    /// Sets the webhook delivery that the exception is about.
    #[must_use]
    pub fn inbox(mut self, inbox: &InboxId) -> Self {
        self.inbox = Some(inbox.clone());
        self
    }

    /// Sets the price difference that the exception is about.
    #[must_use]
    pub fn drift(mut self, drift: &DriftId) -> Self {
        self.drift = Some(drift.clone());
        self
    }
}

/// Raises an exception. If one with the same fingerprint is unresolved, its count is incremented and the higher
/// severity is kept.
pub async fn raise(tx: &mut Tx, problem: &NewException, now: Timestamp) -> Result<ExceptionId> {
    let (id,): (ExceptionId,) = tx
        .query(
            "INSERT INTO exceptions (id, org_id, type, severity, fingerprint, title, detail, booking_id, thread_id,
                                     client_id, job_id, inbox_id, drift_id, last_seen_at, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $14, $13, $13, $13)
             ON CONFLICT (fingerprint) WHERE status <> 'resolved' DO UPDATE
             SET occurrences = exceptions.occurrences + 1, last_seen_at = $13, updated_at = $13,
                 detail = excluded.detail, title = excluded.title, drift_id = excluded.drift_id,
                 severity = CASE WHEN 'high' IN (exceptions.severity, excluded.severity) THEN 'high'
                                 WHEN 'medium' IN (exceptions.severity, excluded.severity) THEN 'medium'
                                 ELSE 'low' END
             RETURNING id",
        )
        .bind(ExceptionId::new(now))
        .bind(&problem.org)
        .bind(problem.kind)
        .bind(problem.severity.as_str())
        .bind(&problem.fingerprint)
        .bind(&problem.title)
        .bind(Json(&problem.detail))
        .bind(&problem.booking)
        .bind(&problem.thread)
        .bind(&problem.client)
        .bind(&problem.job)
        .bind(&problem.inbox)
        .bind(now)
        .bind(&problem.drift)
        .one()
        .await?;
    let data = json!({ "id": id, "type": problem.kind, "severity": problem.severity.as_str() });
    stream::append(tx, problem.org.as_ref(), "exceptions", "exception.changed", &data, now).await?;
    Ok(id)
}

/// Resolves the exception with this fingerprint, if there is one, because its cause is gone.
pub async fn resolve(tx: &mut Tx, fingerprint: &str, note: &str, now: Timestamp) -> Result<()> {
    let resolved: Vec<Resolved> = tx
        .query(
            "UPDATE exceptions
             SET status = 'resolved', resolved_by = 'system', resolved_at = $3, resolution_note = $2, updated_at = $3
             WHERE fingerprint = $1 AND status <> 'resolved' RETURNING id, org_id",
        )
        .bind(fingerprint)
        .bind(note)
        .bind(now)
        .all()
        .await?;
    announce_resolved(tx, resolved, now).await
}

/// Resolves the exceptions of a kind that name this job, because a person handled it. Scans the unresolved exceptions.
pub async fn resolve_of_job(tx: &mut Tx, kind: ExceptionKind, job: &str, note: &str, now: Timestamp) -> Result<()> {
    let resolved: Vec<Resolved> = tx
        .query(
            "UPDATE exceptions
             SET status = 'resolved', resolved_by = 'system', resolved_at = $4, resolution_note = $3, updated_at = $4
             WHERE job_id = $2 AND type = $1 AND status <> 'resolved' RETURNING id, org_id",
        )
        .bind(kind)
        .bind(job)
        .bind(note)
        .bind(now)
        .all()
        .await?;
    announce_resolved(tx, resolved, now).await
}

type Resolved = (ExceptionId, Option<OrgId>);

async fn announce_resolved(tx: &mut Tx, resolved: Vec<Resolved>, now: Timestamp) -> Result<()> {
    for (id, org) in resolved {
        let data = json!({ "id": id, "status": "resolved" });
        stream::append(tx, org.as_ref(), "exceptions", "exception.changed", &data, now).await?;
    }
    Ok(())
}
