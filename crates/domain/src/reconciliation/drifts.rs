//! Reading what runs found.

use nightshift_db::{Db, Json, Timestamp};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::drift::Cause;
use crate::Result;
use crate::exceptions::Severity;
use crate::ids::{BookingId, DriftId, RunId};
use crate::page::{Cursor, Limit, Page};
use crate::pricing::Line;
use crate::viewer::Viewer;

/// A difference as the API shows it.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow, Serialize, ToSchema)]
#[schema(as = PriceDrift)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are those of the table `pricing_drifts`")]
pub struct DriftView {
    pub id: DriftId,
    pub run_id: RunId,
    pub booking_id: BookingId,
    pub stored_minor: i64,
    pub recomputed_minor: i64,
    pub drift_minor: i64,
    pub drift_percent: f64,
    pub severity: Severity,
    pub cause: Cause,
    #[schema(value_type = Object)]
    pub detail: Json<Value>,
    /// The lines that were agreed on.
    #[schema(value_type = Vec<Line>)]
    pub stored_lines: Json<Vec<Line>>,
    pub currency: String,
    pub created_at: Timestamp,
}

macro_rules! drift_rows {
    ($rest:literal) => {
        concat!(
            "SELECT d.id, d.run_id, d.booking_id, d.stored_minor, d.recomputed_minor, d.drift_minor, d.drift_percent,
                    d.severity, d.cause, d.detail, s.lines AS stored_lines, s.currency, d.created_at
             FROM pricing_drifts AS d JOIN pricing_snapshots AS s ON s.id = d.detail->>'snapshotId' ",
            $rest
        )
    };
}

/// One page of what a run found, newest first.
///
/// # Errors
/// [`NotFound`](crate::Error::NotFound) for another organisation's run; [`BadCursor`](crate::Error::BadCursor);
/// [`Forbidden`](crate::Error::Forbidden) for sitters.
pub async fn list(
    db: &Db,
    viewer: &Viewer,
    run: &RunId,
    severity: Option<Severity>,
    cursor: Option<&str>,
    limit: Limit,
) -> Result<Page<DriftView>> {
    super::get(db, viewer, run).await?;
    let cursor = Cursor::parse(cursor)?;
    let rows: Vec<DriftView> = db
        .read(drift_rows!(
            "WHERE d.run_id = $1
               AND (CAST($2 AS TEXT) IS NULL OR d.severity = $2)
               AND (CAST($4 AS TEXT) IS NULL OR (d.created_at, d.id) < ($3, $4))
             ORDER BY d.created_at DESC, d.id DESC LIMIT $5"
        ))
        .bind(run)
        .bind(severity)
        .bind(cursor.as_ref().map(|cursor| cursor.at))
        .bind(cursor.as_ref().map(|cursor| cursor.id.as_str()))
        .bind(limit.rows_wanted())
        .all()
        .await?;
    let (items, next_cursor) = limit.cut(rows, |row| Cursor { at: row.created_at, id: row.id.to_string() });
    Ok(Page { items, next_cursor })
}

/// The difference that an exception is about, if it is there for the viewer.
///
/// # Errors
/// [`Forbidden`](crate::Error::Forbidden) for sitters.
pub async fn drift_of_exception(db: &Db, viewer: &Viewer, drift: &DriftId) -> Result<Option<DriftView>> {
    let found = db
        .read(drift_rows!("WHERE d.id = $1 AND (CAST($2 AS TEXT) IS NULL OR d.org_id = $2)"))
        .bind(drift)
        .bind(viewer.org_rows()?)
        .optional()
        .await?;
    Ok(found)
}
