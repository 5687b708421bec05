//! Price snapshots: what each price was computed from. They are kept for ever.

use nightshift_db::{Db, Json, Timestamp, Tx};
use serde::Serialize;
use utoipa::ToSchema;

use super::calculate::{Inputs, Line, Price};
use super::rules::Rule;
use crate::Result;
use crate::ids::{BookingId, OrgId, RuleId, SnapshotId};

/// A price that was given to a booking, and what it was computed from.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow, Serialize, ToSchema)]
#[schema(as = PriceSnapshot)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    pub id: SnapshotId,
    pub booking_id: BookingId,
    pub rule_id: RuleId,
    #[schema(value_type = Inputs)]
    pub inputs: Json<Inputs>,
    #[schema(value_type = Vec<Line>)]
    pub lines: Json<Vec<Line>>,
    pub total_minor: i64,
    pub currency: String,
    pub priced_at: Timestamp,
}

const BY_ID: &str = "
SELECT id, booking_id, rule_id, inputs, lines, total_minor, currency, priced_at FROM pricing_snapshots WHERE id = $1";

pub(super) async fn get(db: &Db, id: &SnapshotId) -> Result<Snapshot> {
    db.read(BY_ID).bind(id).optional().await?.ok_or(crate::Error::NotFound)
}

/// Stores a snapshot of `price`.
pub(super) async fn insert(
    tx: &mut Tx,
    org: &OrgId,
    booking: &BookingId,
    rule: &Rule,
    inputs: Inputs,
    price: Price,
    now: Timestamp,
) -> Result<Snapshot> {
    let snapshot = Snapshot {
        id: SnapshotId::new(now),
        booking_id: booking.clone(),
        rule_id: rule.id.clone(),
        inputs: Json(inputs),
        lines: Json(price.lines),
        total_minor: price.total_minor,
        currency: rule.currency.clone(),
        priced_at: now,
    };
    tx.query(
        "INSERT INTO pricing_snapshots
             (id, org_id, booking_id, rule_id, inputs, lines, total_minor, currency, priced_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
    )
    .bind(&snapshot.id)
    .bind(org)
    .bind(booking)
    .bind(&rule.id)
    .bind(Json(&snapshot.inputs.0))
    .bind(Json(&snapshot.lines.0))
    .bind(snapshot.total_minor)
    .bind(&snapshot.currency)
    .bind(now)
    .execute()
    .await?;
    Ok(snapshot)
}
