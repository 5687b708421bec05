//! The clock: enqueues what is due by the time of day.
//!
//! It keeps nothing in memory and nothing of its own in the database. Each occurrence has a once key, so any number of
//! schedulers enqueue it once, and one that was down catches up when it starts.

use std::time::Duration;

use chrono::{Days, NaiveTime};
use nightshift_db::Timestamp;
use nightshift_jobs::retention_sweep::RetentionSweep;
use nightshift_queue::{EnqueueError, NewJob, Queue};

/// When old records are forgotten, UTC: after the nights of Europe and before those of America.
const SWEEP_AT: NaiveTime = NaiveTime::from_hms_opt(4, 0, 0).expect("04:00 is a time");
/// Between two tries while the database is away.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// Enqueues every occurrence, for ever.
pub async fn run(queue: Queue) {
    let clock = queue.clock().clone();
    loop {
        let occurrence = latest(clock.now());
        while let Err(error) = enqueue(&queue, occurrence).await {
            tracing::warn!(%error, "the daily sweep could not be enqueued; trying again");
            tokio::time::sleep(TRY_AGAIN).await;
        }
        clock.sleep_until(next(occurrence)).await;
    }
}

async fn enqueue(queue: &Queue, occurrence: Timestamp) -> Result<(), EnqueueError> {
    queue.submit(NewJob::of(&RetentionSweep::of_day(occurrence))?).await?;
    Ok(())
}

/// The occurrence that `now` follows or is.
fn latest(now: Timestamp) -> Timestamp {
    let today = now.to_datetime().date_naive().and_time(SWEEP_AT).and_utc();
    let at = if today > now.to_datetime() { today - Days::new(1) } else { today };
    Timestamp::from_unix_ms(at.timestamp_millis())
}

fn next(occurrence: Timestamp) -> Timestamp {
    Timestamp::from_unix_ms((occurrence.to_datetime() + Days::new(1)).timestamp_millis())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    #[test]
    fn an_occurrence_belongs_to_the_day_that_began_at_four() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(latest(at("2024-12-30T04:00:00Z")), at("2024-12-30T04:00:00Z"));
        assert_eq!(latest(at("2024-12-30T03:59:59Z")), at("2024-12-29T04:00:00Z"));
        assert_eq!(next(at("2024-12-31T04:00:00Z")), at("2025-01-01T04:00:00Z"));
    }
}
