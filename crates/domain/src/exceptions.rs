//! The human work queue: things that went wrong in a way only a person can mend.
//!
//! The same trouble again (same fingerprint) while it is unresolved raises the count of the row that stands.

use nightshift_db::{Db, Json, Timestamp, Tx};
use serde::Serialize;
use serde_json::{Value, json};

use crate::ids::{BookingId, ClientId, ExceptionId, InboxId, OrgId, ThreadId};
use crate::page::{Cursor, Limit, Page};
use crate::{Error, Result, stream};

/// How urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Money or a client is at stake now.
    High,
    /// Somebody should look today.
    Medium,
    /// Good to know.
    Low,
}

impl Severity {
    /// The text stored in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// Trouble to be raised.
#[derive(Debug, Clone)]
pub struct Problem {
    kind: &'static str,
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
}

impl Problem {
    /// Trouble of a type, told from other trouble by its fingerprint.
    pub fn new(kind: &'static str, severity: Severity, fingerprint: impl Into<String>) -> Self {
        Self {
            kind,
            severity,
            fingerprint: fingerprint.into(),
            title: kind.replace('_', " "),
            detail: json!({}),
            org: None,
            booking: None,
            thread: None,
            client: None,
            job: None,
            inbox: None,
        }
    }

    /// One line for the list.
    #[must_use]
    pub fn title(mut self, title: &str) -> Self {
        title.clone_into(&mut self.title);
        self
    }

    /// Ids and facts.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }

    /// Whose it is.
    #[must_use]
    pub fn org(mut self, org: &OrgId) -> Self {
        self.org = Some(org.clone());
        self
    }

    /// The booking it is about.
    #[must_use]
    pub fn booking(mut self, booking: &BookingId) -> Self {
        self.booking = Some(booking.clone());
        self
    }

    /// The conversation it is about.
    #[must_use]
    pub fn thread(mut self, thread: &ThreadId) -> Self {
        self.thread = Some(thread.clone());
        self
    }

    /// The client it is about.
    #[must_use]
    pub fn client(mut self, client: &ClientId) -> Self {
        self.client = Some(client.clone());
        self
    }

    /// The job it is about.
    #[must_use]
    pub fn job(mut self, job: &str) -> Self {
        self.job = Some(job.to_owned());
        self
    }

    /// The delivery it is about.
    #[must_use]
    pub fn inbox(mut self, inbox: &InboxId) -> Self {
        self.inbox = Some(inbox.clone());
        self
    }
}

/// Raises `problem`: a new row, or one more occurrence of the row that stands, with the higher of both severities.
///
/// # Errors
/// A database error.
pub async fn raise(tx: &mut Tx, problem: &Problem, now: Timestamp) -> Result<ExceptionId> {
    let (id,): (ExceptionId,) = tx
        .query(
            "INSERT INTO exceptions (id, org_id, type, severity, fingerprint, title, detail, booking_id, thread_id,
                                     client_id, job_id, inbox_id, last_seen_at, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $13)
             ON CONFLICT (fingerprint) WHERE status <> 'resolved' DO UPDATE
             SET occurrences = exceptions.occurrences + 1, last_seen_at = $13, updated_at = $13,
                 detail = excluded.detail, title = excluded.title,
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
        .one()
        .await?;
    let data = json!({ "id": id, "type": problem.kind, "severity": problem.severity.as_str() });
    stream::append(tx, problem.org.as_ref(), "exceptions", "exception.changed", &data, now).await?;
    Ok(id)
}

/// Resolves the trouble with this fingerprint, if any stands: its cause is gone.
///
/// # Errors
/// A database error.
pub async fn resolve(tx: &mut Tx, fingerprint: &str, note: &str, now: Timestamp) -> Result<()> {
    let resolved: Option<(ExceptionId, Option<OrgId>)> = tx
        .query(
            "UPDATE exceptions
             SET status = 'resolved', resolved_by = 'system', resolved_at = $3, resolution_note = $2, updated_at = $3
             WHERE fingerprint = $1 AND status <> 'resolved' RETURNING id, org_id",
        )
        .bind(fingerprint)
        .bind(note)
        .bind(now)
        .optional()
        .await?;
    if let Some((id, org)) = resolved {
        let data = json!({ "id": id, "status": "resolved" });
        stream::append(tx, org.as_ref(), "exceptions", "exception.changed", &data, now).await?;
    }
    Ok(())
}

/// An item as the API shows it.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionView {
    id: ExceptionId,
    org_id: Option<OrgId>,
    #[sqlx(rename = "type")]
    #[serde(rename = "type")]
    kind: String,
    severity: String,
    status: String,
    title: String,
    #[serde(serialize_with = "as_json")]
    detail: Json<Value>,
    booking_id: Option<BookingId>,
    thread_id: Option<ThreadId>,
    client_id: Option<ClientId>,
    job_id: Option<String>,
    inbox_id: Option<InboxId>,
    occurrences: i64,
    last_seen_at: Timestamp,
    assigned_to: Option<String>,
    snoozed_until: Option<Timestamp>,
    resolution_note: Option<String>,
    created_at: Timestamp,
}

fn as_json<S: serde::Serializer>(value: &Json<Value>, serializer: S) -> Result<S::Ok, S::Error> {
    value.0.serialize(serializer)
}

/// Which items; what is not set does not narrow.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Those of one organisation; all, for ops.
    pub org: Option<OrgId>,
    /// By type.
    pub kind: Option<String>,
    /// By severity.
    pub severity: Option<String>,
    /// By status; `open` when not given.
    pub status: Option<String>,
    /// By booking.
    pub booking: Option<BookingId>,
}

/// How many items of each severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are those of the API's description")]
pub struct Counts {
    pub high: i64,
    pub medium: i64,
    pub low: i64,
}

#[derive(sqlx::FromRow)]
struct Ranked {
    rank: i64,
    #[sqlx(flatten)]
    view: ExceptionView,
}

/// One page of the items that match, the most urgent first, then the oldest.
///
/// # Errors
/// An unknown status, a bad cursor, or a database error.
pub async fn list(db: &Db, filter: &Filter, cursor: Option<&str>, limit: Limit) -> Result<Page<ExceptionView>> {
    let after = Cursor::parse(cursor)?;
    // The order has three parts; the cursor's id holds the first and the last.
    let after = match &after {
        None => None,
        Some(Cursor { at, id }) => {
            let (rank, id) = id.split_once('|').ok_or(Error::BadCursor)?;
            Some((rank.parse::<i64>().map_err(|_| Error::BadCursor)?, *at, id))
        }
    };
    let rows: Vec<Ranked> = db
        .read(
            "SELECT * FROM (
                 SELECT CAST(CASE severity WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END AS BIGINT) AS rank, id,
                        org_id, type, severity, status, title, detail, booking_id, thread_id, client_id, job_id,
                        inbox_id, occurrences, last_seen_at, assigned_to, snoozed_until, resolution_note, created_at
                 FROM exceptions
                 WHERE status = $1
                   AND (CAST($2 AS TEXT) IS NULL OR org_id = $2)
                   AND (CAST($3 AS TEXT) IS NULL OR type = $3)
                   AND (CAST($4 AS TEXT) IS NULL OR severity = $4)
                   AND (CAST($5 AS TEXT) IS NULL OR booking_id = $5)) AS ranked
             WHERE CAST($8 AS TEXT) IS NULL OR (rank, created_at, id) > ($6, $7, $8)
             ORDER BY rank, created_at, id
             LIMIT $9",
        )
        .bind(status_of(filter)?)
        .bind(&filter.org)
        .bind(&filter.kind)
        .bind(&filter.severity)
        .bind(&filter.booking)
        .bind(after.map(|(rank, _, _)| rank))
        .bind(after.map(|(_, at, _)| at))
        .bind(after.map(|(_, _, id)| id))
        .bind(limit.rows_wanted())
        .all()
        .await?;
    let (rows, next_cursor) =
        limit.cut(rows, |row| Cursor { at: row.view.created_at, id: format!("{}|{}", row.rank, row.view.id) });
    Ok(Page { items: rows.into_iter().map(|row| row.view).collect(), next_cursor })
}

/// How many items match, whatever their severity.
///
/// # Errors
/// An unknown status, or a database error.
pub async fn counts(db: &Db, filter: &Filter) -> Result<Counts> {
    let rows: Vec<(String, i64)> = db
        .read(
            "SELECT severity, count(*) FROM exceptions
             WHERE status = $1
               AND (CAST($2 AS TEXT) IS NULL OR org_id = $2)
               AND (CAST($3 AS TEXT) IS NULL OR type = $3)
               AND (CAST($4 AS TEXT) IS NULL OR booking_id = $4)
             GROUP BY severity",
        )
        .bind(status_of(filter)?)
        .bind(&filter.org)
        .bind(&filter.kind)
        .bind(&filter.booking)
        .all()
        .await?;
    let count = |wanted: Severity| rows.iter().find(|(word, _)| word == wanted.as_str()).map_or(0, |(_, count)| *count);
    Ok(Counts { high: count(Severity::High), medium: count(Severity::Medium), low: count(Severity::Low) })
}

fn status_of(filter: &Filter) -> Result<&str> {
    let status = filter.status.as_deref().unwrap_or("open");
    if ["open", "in_progress", "snoozed", "resolved"].contains(&status) {
        return Ok(status);
    }
    Err(Error::invalid("status", "must be open, in_progress, snoozed or resolved"))
}
