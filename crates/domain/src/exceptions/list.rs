//! Reads exceptions.

use nightshift_db::{Db, Json, Order, Timestamp};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{ExceptionKind, ExceptionStatus, Severity};
use crate::ids::{BookingId, ClientId, DriftId, ExceptionId, InboxId, OrgId, ThreadId};
use crate::list::{List, Listed};
use crate::page::{Cursor, Limit, Page};
use crate::viewer::Viewer;
use crate::{Error, Result};

/// An exception: something that a person must resolve.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow, Serialize, ToSchema)]
#[schema(as = Exception)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionView {
    pub id: ExceptionId,
    pub org_id: Option<OrgId>,
    #[sqlx(rename = "type")]
    #[serde(rename = "type")]
    pub kind: String,
    pub severity: Severity,
    pub status: ExceptionStatus,
    pub title: String,
    #[schema(value_type = Object)]
    pub detail: Json<Value>,
    pub booking_id: Option<BookingId>,
    pub thread_id: Option<ThreadId>,
    pub client_id: Option<ClientId>,
    pub job_id: Option<String>,
    pub inbox_id: Option<InboxId>,
    pub drift_id: Option<DriftId>,
    pub occurrences: i64,
    pub last_seen_at: Timestamp,
    pub assigned_to: Option<String>,
    pub snoozed_until: Option<Timestamp>,
    pub resolved_by: Option<String>,
    pub resolved_at: Option<Timestamp>,
    pub resolution_note: Option<String>,
    pub created_at: Timestamp,
}

impl ExceptionView {
    /// Returns the label of the kind, or the stored text if another version of the program raised the exception.
    #[must_use]
    pub fn label(&self) -> &str {
        match self.kind.parse::<ExceptionKind>() {
            Ok(kind) => kind.label(),
            Err(_) => &self.kind,
        }
    }
}

macro_rules! exception_columns {
    ($before:expr, $after:literal) => {
        concat!(
            $before,
            " id, org_id, type, severity, status, title, detail, booking_id, thread_id, client_id, job_id, inbox_id,
              drift_id, occurrences, last_seen_at, assigned_to, snoozed_until, resolved_by, resolved_at,
              resolution_note, created_at ",
            $after
        )
    };
}
pub(super) use exception_columns;

/// Selects exceptions. A field that is `None` does not restrict the result, except `status`.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// A text that is not an [`ExceptionKind`] may match rows of another version of the program.
    pub kind: Option<String>,
    pub severity: Option<Severity>,
    /// `None` means `open`.
    pub status: Option<ExceptionStatus>,
    pub booking: Option<BookingId>,
}

impl Filter {
    fn status(&self) -> ExceptionStatus {
        self.status.unwrap_or(ExceptionStatus::Open)
    }
}

/// Number of exceptions by severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ExceptionCounts)]
pub struct Counts {
    pub high: i64,
    pub medium: i64,
    pub low: i64,
}

/// Returns one exception.
///
/// # Errors
/// [`Error::NotFound`] if there is no such exception or it belongs to another organisation; [`Error::Forbidden`] for
/// sitters.
pub async fn get(db: &Db, viewer: &Viewer, id: &ExceptionId) -> Result<ExceptionView> {
    const BY_ID: &str =
        exception_columns!("SELECT", "FROM exceptions WHERE id = $1 AND (CAST($2 AS TEXT) IS NULL OR org_id = $2)");
    db.read(BY_ID).bind(id).bind(viewer.org_rows()?).optional().await?.ok_or(Error::NotFound)
}

/// The rank of a severity in the order of the list. An index contains this exact expression.
macro_rules! rank {
    () => {
        "CASE severity WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END"
    };
}

#[derive(sqlx::FromRow)]
struct Ranked {
    rank: i64,
    #[sqlx(flatten)]
    view: ExceptionView,
}

impl Listed for Ranked {
    const ORDER: Order = Order::ascending(&[rank!(), "created_at", "id"]);
    type Key = (i64, Timestamp, String);

    // The order has three parts. The cursor's id holds the first and the last of them.
    fn cursor(&self) -> Cursor {
        Cursor { at: self.view.created_at, id: format!("{}|{}", self.rank, self.view.id) }
    }

    fn key(cursor: Cursor) -> Result<Self::Key> {
        let (rank, id) = cursor.id.split_once('|').ok_or(Error::BadCursor)?;
        Ok((rank.parse().map_err(|_| Error::BadCursor)?, cursor.at, id.to_owned()))
    }
}

/// Applies the filters that lists and counts share. Severity is not among them.
fn matching<'c>(list: List<'c>, filter: &Filter) -> List<'c> {
    let status = filter.status();
    let list = match &filter.booking {
        // Uses the index `exceptions_of_bookings`, which holds the unresolved exceptions.
        Some(booking) if status != ExceptionStatus::Resolved => list
            .check("status = $1", Some(status))
            .only("status <> 'resolved'", ())
            .selective("booking_id = $1", Some(booking)),
        booking => list.only("status = $1", (status,)).filter("booking_id = $1", booking.as_ref()),
    };
    list.filter("type = $1", filter.kind.as_ref())
}

/// Returns a page of the matching exceptions that the viewer may see, the most urgent first, then the oldest.
///
/// # Errors
/// [`Error::BadCursor`] for an unknown cursor; [`Error::Forbidden`] for sitters.
pub async fn list(
    db: &Db,
    viewer: &Viewer,
    filter: &Filter,
    cursor: Option<&str>,
    limit: Limit,
) -> Result<Page<ExceptionView>> {
    const HEAD: &str = exception_columns!(concat!("SELECT CAST(", rank!(), " AS BIGINT) AS rank,"), "FROM exceptions");
    let page: Page<Ranked> = matching(List::new(db, HEAD, viewer.org_scope("org_id = $1")?), filter)
        .filter("severity = $1", filter.severity)
        .page(cursor, limit)
        .await?;
    Ok(page.map(|row| row.view))
}

/// Counts the matching exceptions that the viewer may see, by severity. The filter's severity is ignored.
///
/// # Errors
/// [`Error::Forbidden`] for sitters.
pub async fn counts(db: &Db, viewer: &Viewer, filter: &Filter) -> Result<Counts> {
    const HEAD: &str = "SELECT severity, count(*) FROM exceptions";
    let rows: Vec<(Severity, i64)> =
        matching(List::new(db, HEAD, viewer.org_scope("org_id = $1")?), filter).end("GROUP BY severity").all().await?;
    let count = |wanted: Severity| rows.iter().find(|(severity, _)| *severity == wanted).map_or(0, |(_, count)| *count);
    Ok(Counts { high: count(Severity::High), medium: count(Severity::Medium), low: count(Severity::Low) })
}
