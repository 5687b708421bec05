//! Renews the leases of this process.
//!
//! A thread with its own runtime and connection renews all leases with one statement every ten seconds, so handlers
//! that block all other threads can't make the process lose its leases. The statement also returns which jobs must be
//! cancelled and which leases are lost; those jobs are stopped. A hint that a job may have to be cancelled causes only
//! a query: hints may arrive many times a second, and on SQLite a write would cause the next one.
//!
//! Leases are renewed only by a time that the server has confirmed within seconds, so those of a process that was frozen
//! do not end by the time of the past.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use nightshift_db::{Clock, Db, Engine, Result, RowsStatement, Timestamp, columns};
use tokio::sync::watch;

use crate::leases::table::{LeaseKey, Leases};
use crate::store::hot;
use crate::store::wake::Wake;

/// How long a lease lasts without renewal.
pub(crate) const LEASE: Duration = Duration::from_secs(30);
/// Interval between renewals. Two may fail before a lease expires.
pub(crate) const RENEW_EVERY: Duration = Duration::from_secs(10);
/// Minimum pause between two queries for jobs to cancel. On SQLite every commit is a hint.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// Pause before a retry while the database is unavailable.
const RETRY_EVERY: Duration = Duration::from_secs(1);

columns! {
    /// The columns that identify a held lease.
    struct HeldColumns(key: LeaseKey, 'r) {
        id: text = key.0.as_str(),
        lease_id: text = key.1.as_str(),
    }
}

/// Probes the primary key once per held job and returns the leases that are still held. `jobs.state || ''` keeps the
/// planner from using an index of running jobs.
///
/// Renewal never waits for a row lock. Most locked rows are being finished by this same process, in batches with
/// another order of rows, and two statements that wait for each other's rows would deadlock. A skipped row still counts
/// as held, and is renewed the next time.
static RENEW_POSTGRES: RowsStatement<HeldColumns> = RowsStatement::new(
    1,
    "
WITH held AS (SELECT {columns} FROM {rows} AS held),
free AS MATERIALIZED (
  SELECT jobs.id FROM held
  JOIN jobs ON jobs.id = held.id AND jobs.lease_id = held.lease_id AND jobs.state || '' = 'running'
  FOR NO KEY UPDATE OF jobs SKIP LOCKED),
renewed AS (UPDATE jobs SET leased_until = $1 FROM free WHERE jobs.id = free.id)
SELECT jobs.id, jobs.lease_id, jobs.cancel_requested FROM held
JOIN jobs ON jobs.id = held.id AND jobs.lease_id = held.lease_id AND jobs.state || '' = 'running'",
);

static RENEW_SQLITE: RowsStatement<HeldColumns> = RowsStatement::new(
    1,
    "
UPDATE jobs SET leased_until = $1
FROM {rows} AS held
WHERE jobs.id = held.id AND jobs.lease_id = held.lease_id AND +jobs.state = 'running'
RETURNING jobs.id, jobs.lease_id, jobs.cancel_requested",
);

/// Returns when the leases were renewed.
pub(crate) async fn renew(db: &Db, clock: &Clock, leases: &Leases) -> Result<Timestamp> {
    if leases.count() == 0 {
        return Ok(clock.now());
    }
    let now = db.agreed_time(clock).await?.at;
    let keys = leases.keys();
    let engine = db.engine();
    let renew = if engine == Engine::Postgres { &RENEW_POSTGRES } else { &RENEW_SQLITE };
    let still_held = renew.bind_rows(db.write(renew.sql(engine)).bind(now + LEASE), &keys).all().await?;
    leases.learn(keys, &still_held);
    Ok(now)
}

static ASK: RowsStatement<HeldColumns> = RowsStatement::new(
    0,
    "
SELECT jobs.id, jobs.lease_id, jobs.cancel_requested FROM {rows} AS held
JOIN jobs ON jobs.id = held.id AND jobs.lease_id = held.lease_id AND jobs.state || '' = 'running'",
);

/// Does the same without renewing.
async fn ask(db: &Db, leases: &Leases) -> Result<()> {
    let keys = leases.keys();
    if keys.is_empty() {
        return Ok(());
    }
    let still_held = ASK.bind_rows(db.read(ASK.sql(db.engine())), &keys).all().await?;
    leases.learn(keys, &still_held);
    Ok(())
}

/// Starts the thread that renews the leases until `stop` is set or dropped.
pub(crate) fn start(
    db: &Db,
    clock: Clock,
    leases: Arc<Leases>,
    wake: Arc<Wake>,
    stop: watch::Receiver<bool>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let db = db.clone();
    std::thread::Builder::new().name("lease-renewal".to_owned()).spawn(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(%error, "no runtime for lease renewal; leases will run out"),
        };
        // Opened here, because a connection belongs to the runtime that opened it.
        runtime.block_on(async {
            let db = hot::one_connection(&db);
            while AssertUnwindSafe(keep(&db, &clock, &leases, &wake, stop.clone())).catch_unwind().await.is_err() {
                tracing::error!("renewing leases panicked; trying again");
                tokio::time::sleep(RETRY_EVERY).await;
            }
        });
    })
}

async fn keep(db: &Db, clock: &Clock, leases: &Leases, wake: &Wake, mut stop: watch::Receiver<bool>) {
    let mut renew_at = clock.now() + RENEW_EVERY;
    let mut steps = clock.steps();
    loop {
        if clock.steps() != steps {
            // Leases from before the step expire too early or too late by the new time.
            steps = clock.steps();
            renew_at = clock.now();
        }
        tokio::select! {
            // Polled in order: after a stop no lease is renewed, even if a renewal is due.
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = clock.sleep_until(renew_at) => {
                renew_at = match renew(db, clock, leases).await {
                    // Counted from the start, as the leases are, so that a slow statement does not delay the next
                    // renewal.
                    Ok(renewed_at) => renewed_at + RENEW_EVERY,
                    Err(error) => {
                        tracing::warn!(%error, jobs = leases.count(), "the leases could not be renewed; trying again");
                        clock.now() + RETRY_EVERY
                    }
                };
            }
            () = clock.stepped(steps) => {}
            () = wake.cancelled() => {
                if let Err(error) = ask(db, leases).await {
                    tracing::debug!(%error, "which jobs are to be cancelled could not be read; renewing soon to learn it");
                    renew_at = renew_at.min(clock.now() + RETRY_EVERY);
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
        }
    }
}
