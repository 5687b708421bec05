//! `nightshift load bookings`: fills a database, to measure the nightly price check with.

use std::time::Instant;

use nightshift_db::Db;
use nightshift_domain::ids::OrgId;
use serde_json::{Value, json};

use crate::bulk::{self, Fill};
use crate::console::Console;

/// Bookings of one transaction.
const BATCH: i64 = 10_000;

/// Writes `count` bookings and tells how long it took.
///
/// # Errors
/// A database error, also when there are such bookings already.
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

/// Tells how long one statement takes that reads what the price check of all these bookings must read.
///
/// # Errors
/// A database error.
pub async fn time_floor(db: &Db, org: &OrgId) -> anyhow::Result<Value> {
    let started = Instant::now();
    let (rows, _) = bulk::read_all(db, org).await?;
    Ok(json!({"rows": rows, "seconds": seconds(started)}))
}

fn seconds(since: Instant) -> f64 {
    (since.elapsed().as_secs_f64() * 1000.0).round() / 1000.0
}
