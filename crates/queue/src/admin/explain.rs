//! Why a job stands where it stands, in one sentence.

use std::time::Duration;

use nightshift_db::{Result, Timestamp};
use serde_json::Value;
use sqlx::FromRow;

use super::JobRow;
use crate::Queue;
use crate::lifecycle::State;
use crate::outcome::SKIPPED;

#[derive(FromRow)]
struct Pause {
    paused_by: Option<String>,
    paused_reason: Option<String>,
    paused_at: Option<Timestamp>,
}

/// Explains `job`, which left `result`, as of now, for example `waits 4 min 12 s for attempt 3 of 6: Twilio answered
/// 503`. A job that found nothing to do says so: it is never `done`.
///
/// # Errors
/// A database error.
pub async fn explain(queue: &Queue, job: &JobRow, result: Option<&Value>) -> Result<String> {
    let now = queue.clock().now();
    let error = job.last_error.as_deref().unwrap_or("no error is recorded");
    Ok(match job.state {
        State::Succeeded => match result.and_then(|result| result.get(SKIPPED)?.as_str()) {
            Some(why) => format!("skipped: {why}"),
            None => "done".to_owned(),
        },
        State::Cancelled => "cancelled by a person".to_owned(),
        State::Dead => format!("dead after {} of {} attempts: {error}", job.attempts, job.max_attempts),
        State::Running if job.cancel_requested => {
            "runs, and ends at its next checkpoint: cancelled by a person".to_owned()
        }
        State::Running => match job.started_at {
            Some(started) => format!("runs since {}", span(now.since(started))),
            None => "runs".to_owned(),
        },
        State::Queued | State::Retrying => match &job.parked_reason {
            Some(reason) => format!("parked until a newer version or a person releases it: {reason}"),
            None => waiting(queue, job, error, now).await?,
        },
    })
}

async fn waiting(queue: &Queue, job: &JobRow, error: &str, now: Timestamp) -> Result<String> {
    if job.run_at > now {
        let wait = span(job.run_at.since(now));
        return Ok(if job.state == State::Retrying {
            format!("waits {wait} for attempt {} of {}: {error}", job.attempts + 1, job.max_attempts)
        } else if job.polls > 0 {
            format!("waits {wait} for its next look, the {}th", job.polls + 1)
        } else {
            format!("waits {wait} for its time")
        });
    }
    let pause: Option<Pause> = queue
        .db()
        .read("SELECT paused_by, paused_reason, paused_at FROM queues WHERE name = $1 AND paused")
        .bind(&job.queue)
        .optional()
        .await?;
    if let Some(pause) = pause {
        let by = pause.paused_by.unwrap_or_else(|| "somebody".to_owned());
        let since =
            pause.paused_at.map_or_else(String::new, |at| format!(" since {}", at.to_datetime().format("%H:%M UTC")));
        let reason = pause.paused_reason.map_or_else(String::new, |reason| format!(": {reason}"));
        return Ok(format!("queue {} is paused by {by}{since}{reason}", job.queue));
    }
    let blocker: Option<(String,)> = queue
        .db()
        .read(
            "SELECT id FROM jobs
             WHERE group_key = $1 AND id <> $2 AND parked_reason IS NULL AND state IN ('queued', 'running', 'retrying')
               AND (state = 'running' OR (id < $2 AND (group_strict OR NOT waiting)))
             ORDER BY id LIMIT 1",
        )
        .bind(&job.group_key)
        .bind(&job.id)
        .optional()
        .await?;
    Ok(match blocker {
        Some((id,)) => format!("waits for job {id} of the same group"),
        None => format!("due since {}; waits for a free worker of queue {}", span(now.since(job.run_at)), job.queue),
    })
}

/// `4 min 12 s`: two units at most, so that it reads at a glance.
fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}
