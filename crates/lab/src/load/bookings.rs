//! `nightshift load bookings`: fills a database with bookings, to measure the nightly price check.

use std::time::Instant;

use nightshift_db::Db;
use nightshift_domain::ids::OrgId;
use serde_json::{Value, json};

use crate::bulk::{self, Fill};
use crate::console::Console;

/// Number of bookings in one transaction.
const BATCH: i64 = 10_000;

/// Writes `count` bookings and returns how long it took.
///
/// # Errors
/// A database error, also if the bookings exist already.
pub async fn fill(db: &Db, fill: &Fill, count: i64, console: &dyn Console) -> anyhow::Result<Value> {
    let started = Instant::now();
    let mut tx = db.begin().await?;
    bulk::prepare(&mut tx, fill).await?;
    tx.commit().await?;
    console.progress(0, count.unsigned_abs());
    let mut from = 0;
    while from < count {
        let until = (from + BATCH).min(count);
        bulk::write(db, fill, from, until).await?;
        console.progress(until.unsigned_abs(), count.unsigned_abs());
        from = until;
    }
    bulk::analyze(db).await?;
    Ok(json!({"bookings": count, "seconds": seconds(started)}))
}

/// Measures one statement that reads everything that the price check must read, which is a lower bound for its time.
pub async fn time_floor(db: &Db, org: &OrgId) -> anyhow::Result<Value> {
    let started = Instant::now();
    let (rows, _) = bulk::read_all(db, org).await?;
    Ok(json!({"rows": rows, "seconds": seconds(started)}))
}

fn seconds(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 1000.0).round() / 1000.0
}
