//! Reading the work queue.

use nightshift_db::{Db, Json, Timestamp};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{ExceptionKind, Severity, Status};
use crate::ids::{BookingId, ClientId, DriftId, ExceptionId, InboxId, OrgId, ThreadId};
use crate::page::{Cursor, Limit, Page};
use crate::viewer::Viewer;
use crate::{Error, Result};

/// An item as the API shows it.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow, Serialize, ToSchema)]
#[schema(as = Exception)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are those of the table `exceptions`")]
pub struct ExceptionView {
    pub id: ExceptionId,
    pub org_id: Option<OrgId>,
    #[sqlx(rename = "type")]
    #[serde(rename = "type")]
    pub kind: String,
    pub severity: Severity,
    pub status: Status,
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
    /// The kind in words for people; the stored text when another version of the program raised it.
    #[must_use]
    pub fn label(&self) -> &str {
        match self.kind.parse::<ExceptionKind>() {
            Ok(kind) => kind.label(),
            Err(_) => &self.kind,
        }
    }
}

macro_rules! exception_columns {
    ($before:literal, $after:literal) => {
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

/// Which items; what is not set does not narrow.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// By type; a text that is no [`ExceptionKind`] may match rows of another version of the program.
    pub kind: Option<String>,
    /// By severity.
    pub severity: Option<Severity>,
    /// By status; `open` when not given.
    pub status: Option<Status>,
    /// By booking.
    pub booking: Option<BookingId>,
}

impl Filter {
    fn status(&self) -> Status {
        self.status.unwrap_or(Status::Open)
    }
}

/// How many items of each severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ExceptionCounts)]
#[expect(missing_docs, reason = "the fields are those of the API's description")]
pub struct Counts {
    pub high: i64,
    pub medium: i64,
    pub low: i64,
}

/// One item.
///
/// # Errors
/// [`Error::NotFound`], also for another organisation's; [`Error::Forbidden`] for sitters.
pub async fn get(db: &Db, viewer: &Viewer, id: &ExceptionId) -> Result<ExceptionView> {
    const BY_ID: &str =
        exception_columns!("SELECT", "FROM exceptions WHERE id = $1 AND (CAST($2 AS TEXT) IS NULL OR org_id = $2)");
    db.read(BY_ID).bind(id).bind(viewer.org_rows()?).optional().await?.ok_or(Error::NotFound)
}

#[derive(sqlx::FromRow)]
struct Ranked {
    rank: i64,
    #[sqlx(flatten)]
    view: ExceptionView,
}

/// One page of the items that a viewer may see and that match, the most urgent first, then the oldest.
///
/// # Errors
/// [`Error::BadCursor`]; [`Error::Forbidden`] for sitters.
pub async fn list(
    db: &Db,
    viewer: &Viewer,
    filter: &Filter,
    cursor: Option<&str>,
    limit: Limit,
) -> Result<Page<ExceptionView>> {
    const PAGE: &str = exception_columns!(
        "SELECT * FROM (
             SELECT CAST(CASE severity WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END AS BIGINT) AS rank,",
        "FROM exceptions
             WHERE status = $1
               AND (CAST($2 AS TEXT) IS NULL OR org_id = $2)
               AND (CAST($3 AS TEXT) IS NULL OR type = $3)
               AND (CAST($4 AS TEXT) IS NULL OR severity = $4)
               AND (CAST($5 AS TEXT) IS NULL OR booking_id = $5)) AS ranked
         WHERE CAST($8 AS TEXT) IS NULL OR (rank, created_at, id) > ($6, $7, $8)
         ORDER BY rank, created_at, id
         LIMIT $9"
    );
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
        .read(PAGE)
        .bind(filter.status())
        .bind(viewer.org_rows()?)
        .bind(&filter.kind)
        .bind(filter.severity)
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

/// How many items a viewer may see that match, whatever their severity.
///
/// # Errors
/// [`Error::Forbidden`] for sitters.
pub async fn counts(db: &Db, viewer: &Viewer, filter: &Filter) -> Result<Counts> {
    let rows: Vec<(Severity, i64)> = db
        .read(
            "SELECT severity, count(*) FROM exceptions
             WHERE status = $1
               AND (CAST($2 AS TEXT) IS NULL OR org_id = $2)
               AND (CAST($3 AS TEXT) IS NULL OR type = $3)
               AND (CAST($4 AS TEXT) IS NULL OR booking_id = $4)
             GROUP BY severity",
        )
        .bind(filter.status())
        .bind(viewer.org_rows()?)
        .bind(&filter.kind)
        .bind(&filter.booking)
        .all()
        .await?;
    let count = |wanted: Severity| rows.iter().find(|(severity, _)| *severity == wanted).map_or(0, |(_, count)| *count);
    Ok(Counts { high: count(Severity::High), medium: count(Severity::Medium), low: count(Severity::Low) })
}
