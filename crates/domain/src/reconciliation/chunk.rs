//! One chunk of a run: read and compared outside a transaction, then recorded in one.

use std::collections::BTreeSet;
use std::time::Duration;

use nightshift_db::{Db, Json, Timestamp, Tx};
use serde_json::{Value, json};

use super::drift::{Amounts, Drift, Thresholds, compare};
use super::runs::{ReconciliationRun, complete, run_columns};
use super::shield::Shielded;
use crate::Result;
use crate::actor::Actor;
use crate::audit::{self, Entry, Event};
use crate::exceptions::{self, ExceptionKind, NewException, Severity};
use crate::ids::{BookingId, DriftId, OrgId, SnapshotId};
use crate::people::organizations;
use crate::pricing::{Inputs, Line, NotComputable, Price, RuleBook};

/// A booking to compare. Index: `bookings_by_org`.
#[derive(sqlx::FromRow)]
struct Row {
    id: BookingId,
    snapshot_id: Option<SnapshotId>,
    service: String,
    start_at: Timestamp,
    end_at: Timestamp,
    quantity: i64,
    add_ons: Json<Vec<String>>,
    discount_minor: i64,
    total_minor: Option<i64>,
    inputs: Option<Json<Inputs>>,
    snapshot_minor: Option<i64>,
    priced_at: Option<Timestamp>,
}

const NEXT: &str = "
SELECT b.id, b.service, b.start_at, b.end_at, b.quantity, b.add_ons, b.discount_minor, b.total_minor,
       s.id AS snapshot_id, s.inputs, s.total_minor AS snapshot_minor, s.priced_at
FROM bookings AS b LEFT JOIN pricing_snapshots AS s ON s.id = b.pricing_snapshot_id
WHERE b.org_id = $1 AND b.id > $2 AND b.status <> 'cancelled' AND b.end_at >= $3
  AND b.created_at <= $4 AND b.updated_at <= $4
ORDER BY b.id LIMIT $5";

/// A booking whose price differs, with the recomputed lines.
struct Drifted {
    booking: BookingId,
    snapshot: Option<SnapshotId>,
    drift: Drift,
    changed: Vec<&'static str>,
    recomputed: Vec<Line>,
}

/// The result of examining a chunk.
pub struct Findings {
    /// The run's cursor after this chunk; `None` if no bookings were left.
    cursor: Option<BookingId>,
    /// Whether this is the last chunk.
    last: bool,
    checked: i64,
    skipped_no_snapshot: i64,
    drifted: Vec<Drifted>,
    not_computable: Vec<(BookingId, NotComputable)>,
    /// Fingerprints of exceptions whose cause is gone, and the note to resolve each with.
    gone: Vec<(String, &'static str)>,
}

/// The rules and settings of an organisation for a check. Loaded once for several chunks.
pub struct Check {
    book: RuleBook,
    thresholds: Thresholds,
    size: i64,
    lookback: Duration,
}

impl Check {
    /// Loads a check with chunks of `size` bookings, for bookings that ended at most `lookback` before the run began.
    /// `thresholds` apply to organisations that have none of their own.
    pub async fn load(db: &Db, org: &OrgId, size: i64, lookback: Duration, thresholds: Thresholds) -> Result<Self> {
        let book = RuleBook::load(db, org).await?;
        let thresholds = organizations::thresholds(db, org, thresholds).await?;
        Ok(Self { book, thresholds, size, lookback })
    }
}

/// Compares the next bookings of `run`. Only reads.
pub async fn examine(db: &Db, run: &ReconciliationRun, check: &Check) -> Result<Findings> {
    let Check { book, thresholds, size, lookback } = check;
    let after = run.cursor_booking_id.as_ref().map_or("", BookingId::as_str);
    let rows: Vec<Row> = db
        .read(NEXT)
        .bind(&run.org_id)
        .bind(after)
        .bind(run.cutoff_at - *lookback)
        .bind(run.cutoff_at)
        .bind(*size)
        .all()
        .await?;
    let last = i64::try_from(rows.len()).unwrap_or(i64::MAX) < *size;
    let mut findings = Findings {
        cursor: rows.last().map(|row| row.id.clone()),
        last,
        checked: 0,
        skipped_no_snapshot: 0,
        drifted: Vec::new(),
        not_computable: Vec::new(),
        gone: Vec::new(),
    };
    let mut in_order = BTreeSet::new();
    for row in rows {
        match compare_booking(book, &row, *thresholds) {
            Comparison::NoSnapshot => findings.skipped_no_snapshot += 1,
            Comparison::InOrder => {
                findings.checked += 1;
                in_order.insert(row.id);
            }
            Comparison::Drifted { drift, changed, price } => {
                findings.checked += 1;
                findings.drifted.push(Drifted {
                    booking: row.id,
                    snapshot: row.snapshot_id,
                    drift,
                    changed,
                    recomputed: price.lines,
                });
            }
            Comparison::NotComputable(why) => findings.not_computable.push((row.id, why)),
        }
    }
    let until = findings.cursor.as_ref().filter(|_| !last);
    findings.gone = gone(db, run, after, until, *lookback, &in_order).await?;
    Ok(findings)
}

enum Comparison {
    NoSnapshot,
    InOrder,
    Drifted { drift: Drift, changed: Vec<&'static str>, price: Price },
    NotComputable(NotComputable),
}

fn compare_booking(book: &RuleBook, row: &Row, thresholds: Thresholds) -> Comparison {
    let (Some(Json(priced)), Some(snapshot_minor), Some(priced_at)) = (&row.inputs, row.snapshot_minor, row.priced_at)
    else {
        return Comparison::NoSnapshot;
    };
    // The time zone is the one of the snapshot: a move of the organisation does not change the agreed price.
    let present = Inputs {
        service: row.service.clone(),
        start_at: row.start_at,
        end_at: row.end_at,
        quantity: row.quantity,
        add_ons: row.add_ons.0.clone(),
        discount_minor: row.discount_minor,
        timezone: priced.timezone.clone(),
    };
    let price = match book.price(&present, priced_at) {
        Ok(price) => price,
        Err(why) => return Comparison::NotComputable(why),
    };
    let amounts = Amounts { booking_minor: row.total_minor, snapshot_minor, recomputed_minor: price.total_minor };
    let changed = changed_inputs(priced, &present);
    match compare(amounts, !changed.is_empty(), thresholds) {
        None => Comparison::InOrder,
        Some(drift) => Comparison::Drifted { drift, changed, price },
    }
}

fn changed_inputs(priced: &Inputs, present: &Inputs) -> Vec<&'static str> {
    let fields = [
        ("service", priced.service != present.service),
        ("startAt", priced.start_at != present.start_at),
        ("endAt", priced.end_at != present.end_at),
        ("quantity", priced.quantity != present.quantity),
        ("addOns", priced.add_ons != present.add_ons),
        ("discountMinor", priced.discount_minor != present.discount_minor),
    ];
    fields.into_iter().filter_map(|(field, changed)| changed.then_some(field)).collect()
}

/// Finds exceptions of earlier runs, in the chunk's range of ids, whose cause is gone: the booking's price is right
/// now, or the booking is no longer checked. A booking that was changed since the cutoff is left to the next run.
async fn gone(
    db: &Db,
    run: &ReconciliationRun,
    after: &str,
    until: Option<&BookingId>,
    lookback: Duration,
    in_order: &BTreeSet<BookingId>,
) -> Result<Vec<(String, &'static str)>> {
    let standing: Vec<(String, BookingId, bool)> = db
        .read(
            "SELECT e.fingerprint, e.booking_id, b.status = 'cancelled' OR b.end_at < $4
             FROM exceptions AS e JOIN bookings AS b ON b.id = e.booking_id
             WHERE e.status <> 'resolved' AND e.type IN ('pricing_drift', 'reconciliation_failed')
               AND e.booking_id > $2 AND (CAST($3 AS TEXT) IS NULL OR e.booking_id <= $3) AND b.org_id = $1",
        )
        .bind(&run.org_id)
        .bind(after)
        .bind(until)
        .bind(run.cutoff_at - lookback)
        .all()
        .await?;
    let note = |booking: &BookingId, left: bool| match (in_order.contains(booking), left) {
        (true, _) => Some("The price is in order again."),
        (false, true) => Some("The booking is cancelled or long over and no longer checked."),
        (false, false) => None,
    };
    Ok(standing
        .into_iter()
        .filter_map(|(fingerprint, booking, left)| Some((fingerprint, note(&booking, left)?)))
        .collect())
}

/// The state of a run after a chunk.
#[derive(Debug, Clone)]
#[must_use = "enqueue what follows: `pricing.reconcile.chunk` while there are more bookings"]
pub enum RunProgress {
    /// Another job carries the run on, or the run has ended. Nothing was recorded.
    NotOurs,
    More(Box<ReconciliationRun>),
    Completed(Box<ReconciliationRun>),
}

/// Only the run's own job may advance the run, and only from the cursor that it read.
const ADVANCE: &str = run_columns!(
    "UPDATE reconciliation_runs
     SET cursor_booking_id = COALESCE($4, cursor_booking_id), checked = checked + $5,
         skipped_no_snapshot = skipped_no_snapshot + $6, not_computable = not_computable + $7, drifted = drifted + $8,
         high = high + $9, medium = medium + $10, low = low + $11, status = 'running', error = NULL,
         finished_at = NULL, updated_at = $12
     WHERE id = $1 AND job_id = $2 AND cursor_booking_id IS NOT DISTINCT FROM $3 AND status <> 'completed' RETURNING",
    ""
);

/// Records the findings of a chunk and the run's new cursor, in a transaction that cannot write bookings.
pub async fn record(
    shielded: &mut Shielded,
    run: &ReconciliationRun,
    findings: &Findings,
    job: &str,
    now: Timestamp,
) -> Result<RunProgress> {
    let tx = shielded.tx();
    let with = |severity: Severity| {
        let count = findings.drifted.iter().filter(|drifted| drifted.drift.severity == severity).count();
        i64::try_from(count).unwrap_or(i64::MAX)
    };
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let advanced: Option<ReconciliationRun> = tx
        .query(ADVANCE)
        .bind(&run.id)
        .bind(job)
        .bind(&run.cursor_booking_id)
        .bind(&findings.cursor)
        .bind(findings.checked)
        .bind(findings.skipped_no_snapshot)
        .bind(count(findings.not_computable.len()))
        .bind(count(findings.drifted.len()))
        .bind(with(Severity::High))
        .bind(with(Severity::Medium))
        .bind(with(Severity::Low))
        .bind(now)
        .optional()
        .await?;
    let Some(advanced) = advanced else { return Ok(RunProgress::NotOurs) };
    let by = Actor::system(job);
    for drifted in &findings.drifted {
        record_drift(tx, run, drifted, &by, job, now).await?;
    }
    for (booking, why) in &findings.not_computable {
        record_not_computable(tx, run, booking, why, &by, job, now).await?;
    }
    for (fingerprint, note) in &findings.gone {
        exceptions::resolve(tx, fingerprint, note, now).await?;
    }
    if !findings.last {
        return Ok(RunProgress::More(Box::new(advanced)));
    }
    complete(tx, &advanced, &by, job, now).await?;
    Ok(RunProgress::Completed(Box::new(advanced)))
}

async fn record_drift(
    tx: &mut Tx,
    run: &ReconciliationRun,
    drifted: &Drifted,
    by: &Actor,
    job: &str,
    now: Timestamp,
) -> Result<()> {
    let (id, drift) = (DriftId::new(now), &drifted.drift);
    let detail = json!({
        "snapshotId": drifted.snapshot, "changedInputs": drifted.changed, "recomputedLines": drifted.recomputed,
    });
    tx.query(
        "INSERT INTO pricing_drifts (id, org_id, run_id, booking_id, stored_minor, recomputed_minor, drift_minor,
                                     drift_percent, severity, cause, detail, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(&id)
    .bind(&run.org_id)
    .bind(&run.id)
    .bind(&drifted.booking)
    .bind(drift.stored_minor)
    .bind(drift.recomputed_minor)
    .bind(drift.drift_minor)
    .bind(drift.drift_percent)
    .bind(drift.severity)
    .bind(drift.cause)
    .bind(Json(&detail))
    .bind(now)
    .execute()
    .await?;
    let mut facts = json!(drift);
    facts["runId"] = json!(run.id);
    facts["driftId"] = json!(id);
    audit::record(tx, entry(Event::PricingDriftDetected, "warning", run, &drifted.booking, by, job, &facts), now)
        .await?;
    let title = if drift.drift_minor > 0 { "A client is charged too much" } else { "A client is charged too little" };
    let problem =
        NewException::new(ExceptionKind::PricingDrift, drift.severity, format!("pricing_drift:{}", drifted.booking))
            .title(title)
            .detail(facts)
            .org(&run.org_id)
            .booking(&drifted.booking)
            .drift(&id);
    exceptions::raise(tx, &problem, now).await?;
    Ok(())
}

async fn record_not_computable(
    tx: &mut Tx,
    run: &ReconciliationRun,
    booking: &BookingId,
    why: &NotComputable,
    by: &Actor,
    job: &str,
    now: Timestamp,
) -> Result<()> {
    let facts = json!({"runId": run.id, "error": why.to_string()});
    audit::record(tx, entry(Event::PricingReconciliationFailed, "failed", run, booking, by, job, &facts), now).await?;
    let problem = NewException::new(
        ExceptionKind::ReconciliationFailed,
        Severity::Low,
        format!("pricing_not_computable:{booking}"),
    )
    .title("A booking's price cannot be worked out")
    .detail(facts)
    .org(&run.org_id)
    .booking(booking);
    exceptions::raise(tx, &problem, now).await?;
    Ok(())
}

fn entry(
    event: Event,
    status: &'static str,
    run: &ReconciliationRun,
    booking: &BookingId,
    by: &Actor,
    job: &str,
    facts: &Value,
) -> Entry {
    Entry::new(event, status, by)
        .org(&run.org_id)
        .booking(booking)
        .correlation(booking.as_str())
        .job(job)
        .metadata(facts.clone())
}
