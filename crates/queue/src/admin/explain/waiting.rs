//! Explains why a job waits. Of several reasons, the one that must change first is returned.

use nightshift_db::{Result, Timestamp};
use sqlx::FromRow;

use super::words::{ordinal, span, time_of_day};
use crate::admin::JobRow;
use crate::store::control::{self, HeldBack};
use crate::store::lifecycle::State;
use crate::store::queue::Queue;
use crate::store::workers::ALIVE_FOR;

/// Maximum number of earlier jobs that are counted.
const AHEAD_MAX: i64 = 1_000;

pub(super) async fn reason(queue: &Queue, job: &JobRow, now: Timestamp) -> Result<String> {
    if let Some(paused) = pause(queue, job).await? {
        return Ok(paused);
    }
    if !is_served(queue, job, now).await? {
        return Ok(format!("no live worker serves queue {}", job.queue));
    }
    if job.run_at > now {
        return time(queue, job, now).await;
    }
    if let Some(blocker) = older_of_group(queue, job).await? {
        return Ok(format!("waits for job {blocker} of the same group"));
    }
    if let Some(held) = control::held_back(queue.db(), &job.queue, now).await? {
        let why = match held {
            HeldBack::Full { running, limit } => format!("{running} of {limit} running on all processes"),
            HeldBack::Slow { per_second, next } => {
                format!("{per_second} per second, next about {}", time_of_day(next))
            }
        };
        return Ok(format!("waits for the limit of queue {}: {why}", job.queue));
    }
    ahead(queue, job).await
}

#[derive(FromRow)]
struct Pause {
    paused_by: Option<String>,
    paused_reason: Option<String>,
    paused_at: Option<Timestamp>,
}

/// Returns the explanation if the queue is paused. One probe of the primary key of `queues`.
async fn pause(queue: &Queue, job: &JobRow) -> Result<Option<String>> {
    let pause: Option<Pause> = queue
        .db()
        .read("SELECT paused_by, paused_reason, paused_at FROM queues WHERE name = $1 AND paused")
        .bind(&job.queue)
        .optional()
        .await?;
    Ok(pause.map(|pause| {
        let by = pause.paused_by.map_or_else(String::new, |by| format!(" by {by}"));
        let since =
            pause.paused_at.map_or_else(String::new, |at| format!(" since {}", at.to_datetime().format("%H:%M UTC")));
        let reason = pause.paused_reason.map_or_else(String::new, |reason| format!(": {reason}"));
        format!("queue {} is paused{by}{since}{reason}", job.queue)
    }))
}

/// Returns whether a worker that serves the queue has sent a heartbeat lately or holds one of its jobs. Reads
/// `workers`, which has a row for each process of the last day, and one range of index jobs_running.
async fn is_served(queue: &Queue, job: &JobRow, now: Timestamp) -> Result<bool> {
    const WORKERS_MAX: i64 = 1_000;
    let alive: Vec<(String,)> = queue
        .db()
        .read("SELECT CAST(queues AS TEXT) FROM workers WHERE heartbeat_at > $1 ORDER BY heartbeat_at DESC LIMIT $2")
        .bind(now - ALIVE_FOR)
        .bind(WORKERS_MAX)
        .all()
        .await?;
    let serves =
        |queues: &str| serde_json::from_str::<Vec<String>>(queues).is_ok_and(|queues| queues.contains(&job.queue));
    if alive.iter().any(|(queues,)| serves(queues)) {
        return Ok(true);
    }
    queue
        .db()
        .read("SELECT EXISTS (SELECT 1 FROM jobs WHERE queue = $1 AND state = 'running' AND leased_until > $2)")
        .bind(&job.queue)
        .bind(now)
        .scalar()
        .await
}

/// Explains a job that is not due yet.
async fn time(queue: &Queue, job: &JobRow, now: Timestamp) -> Result<String> {
    let wait = span(job.run_at.since(now));
    if job.state == State::Retrying {
        let (next, all) = (job.attempts + 1, job.max_attempts);
        return Ok(format!("waits {wait} for attempt {next} of {all}: {}", job.error_text()));
    }
    if was_retried_for_later(queue, job).await? {
        return Ok(format!("waits {wait}: a person retried it, to run at {}", time_of_day(job.run_at)));
    }
    if job.polls > 0 {
        let deadline: Option<Timestamp> =
            queue.db().read("SELECT poll_deadline FROM jobs WHERE id = $1").bind(&job.id).scalar().await?;
        let ends = deadline.map_or_else(String::new, |at| format!("; polling ends at {}", time_of_day(at)));
        return Ok(format!("waits {wait} for its {} poll{ends}", ordinal(job.polls + 1)));
    }
    Ok(format!("waits {wait} until it is due"))
}

/// Returns whether an operator has restarted the job for later and it has not run since. Only a restart resets the
/// attempts of a job that has failed. A job without a failure before its restart can't be told from one that was
/// enqueued for later. Reads one range of the primary key of `job_attempts`.
async fn was_retried_for_later(queue: &Queue, job: &JobRow) -> Result<bool> {
    if job.attempts > 0 || job.crashes > 0 {
        return Ok(false);
    }
    queue
        .db()
        .read("SELECT EXISTS (SELECT 1 FROM job_attempts WHERE job_id = $1 AND started_at = $2)")
        .bind(&job.id)
        .bind(job.started_at)
        .scalar()
        .await
}

/// Returns the job of the same group that goes first, by the rule of the claim. Reads a range of index jobs_group.
async fn older_of_group(queue: &Queue, job: &JobRow) -> Result<Option<String>> {
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
    Ok(blocker.map(|(id,)| id))
}

/// Explains how many due jobs precede this one in the order of the queue. Some of them may not be claimed before it:
/// those that their group holds back, and those of kinds that no live worker has a handler for. Reads the start of two
/// ranges of index jobs_ready.
async fn ahead(queue: &Queue, job: &JobRow) -> Result<String> {
    let of_higher_priority: i64 = queue
        .db()
        .read(
            "SELECT count(*) FROM
               (SELECT 1 FROM jobs WHERE queue = $1 AND state IN ('queued', 'retrying') AND NOT waiting
                  AND priority < $2 LIMIT $3) AS ahead",
        )
        .bind(&job.queue)
        .bind(job.priority)
        .bind(AHEAD_MAX + 1)
        .scalar()
        .await?;
    if of_higher_priority > 0 {
        return Ok(behind(of_higher_priority, " of higher priority"));
    }
    let due_before: i64 = queue
        .db()
        .read(
            "SELECT count(*) FROM
               (SELECT 1 FROM jobs WHERE queue = $1 AND state IN ('queued', 'retrying') AND NOT waiting
                  AND priority = $2 AND (run_at, id) < ($3, $4) LIMIT $5) AS ahead",
        )
        .bind(&job.queue)
        .bind(job.priority)
        .bind(job.run_at)
        .bind(&job.id)
        .bind(AHEAD_MAX + 1)
        .scalar()
        .await?;
    if due_before > 0 {
        return Ok(behind(due_before, ""));
    }
    // Workers do not store which kinds they have handlers for.
    Ok(format!("waits for a free worker of queue {} that knows its kind", job.queue))
}

fn behind(count: i64, of: &str) -> String {
    match count {
        1 => format!("1 due job{of} is ahead of it in the queue"),
        2..=AHEAD_MAX => format!("{count} due jobs{of} are ahead of it in the queue"),
        _ => format!("more than {AHEAD_MAX} due jobs{of} are ahead of it in the queue"),
    }
}
