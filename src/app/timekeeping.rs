//! The time that this process tells, kept in step with the database server's.
//!
//! Leases, holds of keys and due times are compared over processes. On PostgreSQL all of them go by the server's clock; a
//! machine whose own clock is wrong does its work all the same, and somebody is told to set it.

use std::time::Duration;

use nightshift_db::{Clock, Db};

/// Between two questions what time it is.
const ASK_EVERY: Duration = Duration::from_secs(20);
/// More than this is worth telling. `doctor` uses the same.
pub(crate) const WRONG_BY_MAX_MS: i64 = 5_000;

/// Asks the server again and again, at once when the machine's clock was set or the machine has slept. Runs for ever.
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

/// One line when the machine's clock is found wrong, and when it is right again; what was told last.
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
