//! Explains the state of a job in one sentence.
//!
//! A sentence states only what the database proves at that instant. Each possible reason is checked with a bounded
//! statement, and the first one that applies is returned.

mod waiting;
mod words;

use nightshift_db::Result;
use serde_json::Value;

use self::words::span;
use super::JobRow;
use crate::job::SKIPPED;
use crate::store::lifecycle::State;
use crate::store::queue::Queue;

/// Explains the current state of `job`, for example `waits 4 min 12 s for attempt 3 of 6: Twilio answered 503`.
/// `result` is the job's result, which holds the reason if there was nothing to do: the job is then `skipped`, not
/// `done`.
pub async fn explain(queue: &Queue, job: &JobRow, result: Option<&Value>) -> Result<String> {
    let now = queue.clock().now();
    Ok(match job.state {
        State::Succeeded => match result.and_then(|result| result.get(SKIPPED)?.as_str()) {
            Some(why) => format!("skipped: {why}"),
            None => "done".to_owned(),
        },
        State::Cancelled => "cancelled by a person".to_owned(),
        State::Dead => format!("dead after {} of {} attempts: {}", job.attempts, job.max_attempts, job.error_text()),
        State::Running if job.cancel_requested => {
            "is running and stops at its next checkpoint: cancelled by a person".to_owned()
        }
        State::Running => match job.started_at {
            Some(started) => format!("running for {}", span(now.since(started))),
            None => "running".to_owned(),
        },
        State::Queued | State::Retrying => match &job.parked_reason {
            Some(reason) => format!("parked until a newer version or a person releases it: {reason}"),
            None => waiting::reason(queue, job, now).await?,
        },
    })
}
