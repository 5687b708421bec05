//! Why a job stands where it stands, in one sentence.
//!
//! A sentence says only what the database proves at that instant. Each reason is looked up with a bounded statement, and
//! the first one that holds is told.

mod waiting;
mod words;

use nightshift_db::Result;
use serde_json::Value;

use self::words::span;
use super::JobRow;
use crate::job::SKIPPED;
use crate::store::lifecycle::State;
use crate::store::queue::Queue;

/// Explains `job`, which left `result`, as of now, for example `waits 4 min 12 s for attempt 3 of 6: Twilio answered
/// 503`. A job that found nothing to do says so: it is never `done`.
///
/// # Errors
/// A database error.
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
