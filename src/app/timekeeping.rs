//! Keeps the clock of this process in step with the database server's.
//!
//! Leases, idempotency keys and due times are compared across processes, so on PostgreSQL all processes use the
//! server's clock. A machine with a wrong clock works correctly, and a log line and a metric report the offset.

use std::time::Duration;

use nightshift_db::{Clock, Db};

/// The interval between two readings of the server's clock. As long as the server answers, the time is never outdated,
/// and nobody who needs it has to wait for an answer.
const ASK_EVERY: Duration = Duration::from_secs(10);
const _: () = assert!(ASK_EVERY.as_secs() < Clock::OUTDATED_AFTER.as_secs());
/// The offset in milliseconds above which the machine's clock counts as wrong. `doctor` uses the same limit.
pub(crate) const WRONG_BY_MAX_MS: i64 = 5_000;

/// Reads the server's clock at intervals, and at once after the machine's clock was set or the machine has slept. Never
/// returns.
pub(super) async fn keep(db: Db, clock: Clock) {
    let mut told_ms = 0;
    loop {
        let steps = clock.steps();
        match db.agree_on_time(&clock).await {
            Ok(()) => told_ms = report(&clock, told_ms),
            Err(error) => tracing::debug!(%error, "the database does not tell its time; going on with what is known"),
        }
        tokio::select! {
            () = tokio::time::sleep(ASK_EVERY) => {}
            () = clock.stepped(steps) => {}
        }
    }
}

/// Logs when the machine's clock becomes wrong, when its offset changes by more than the limit, and when it is right
/// again. Returns the offset that was logged last, in milliseconds.
fn report(clock: &Clock, told_ms: i64) -> i64 {
    let ahead_ms = clock.machine_ahead_ms();
    metrics::gauge!("nightshift_clock_offset_seconds").set(seconds(ahead_ms));
    let (wrong, was_wrong) = (ahead_ms.abs() > WRONG_BY_MAX_MS, told_ms.abs() > WRONG_BY_MAX_MS);
    match (wrong, was_wrong) {
        (true, _) if (ahead_ms - told_ms).abs() > WRONG_BY_MAX_MS => {
            tracing::warn!(
                clock.offset_seconds = seconds(ahead_ms),
                "this machine's clock is wrong: the database's is used instead; set it by NTP"
            );
            ahead_ms
        }
        (false, true) => {
            tracing::info!("this machine's clock is right again");
            0
        }
        _ => told_ms,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a difference of clocks in milliseconds")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}
