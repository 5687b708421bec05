//! Reading the differences that runs have found.

use nightshift_db::{Db, Json, Timestamp};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::drift::Cause;
use crate::Result;
use crate::exceptions::Severity;
use crate::ids::{BookingId, DriftId, ReconciliationRunId};
use crate::list::{List, newest_first};
use crate::page::{Limit, Page};
use crate::pricing::Line;
use crate::viewer::Viewer;

/// A difference that a run found.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow, Serialize, ToSchema)]
#[schema(as = PriceDrift)]
#[serde(rename_all = "camelCase")]
pub struct DriftView {
    pub id: DriftId,
    pub run_id: ReconciliationRunId,
    pub booking_id: BookingId,
    pub stored_minor: i64,
    pub recomputed_minor: i64,
    pub drift_minor: i64,
    pub drift_percent: f64,
    pub severity: Severity,
    pub cause: Cause,
    #[schema(value_type = Object)]
    pub detail: Json<Value>,
    /// The lines of the price that was agreed on.
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

newest_first!(DriftView: "d.created_at" = created_at, "d.id" = id);

/// Returns a page of the differences that a run found, newest first.
///
/// # Errors
/// [`NotFound`](crate::Error::NotFound) if the run does not exist or belongs to another organisation;
/// [`BadCursor`](crate::Error::BadCursor) if the cursor is not from such a page; [`Forbidden`](crate::Error::Forbidden)
/// for sitters.
pub async fn list(
    db: &Db,
    viewer: &Viewer,
    run: &ReconciliationRunId,
    severity: Option<Severity>,
    cursor: Option<&str>,
    limit: Limit,
) -> Result<Page<DriftView>> {
    super::get(db, viewer, run).await?;
    List::new(db, drift_rows!(""), viewer.org_scope("d.org_id = $1")?)
        .only("d.run_id = $1", (run,))
        .filter("d.severity = $1", severity)
        .page(cursor, limit)
        .await
}

/// Returns the difference that an exception is about, if the viewer may see it.
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
