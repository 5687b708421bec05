//! Ends a job without success: updates its row, records the attempt and runs the hooks, in one transaction.

use nightshift_db::{Db, Timestamp};

use crate::handlers::registry::{End, Registry};
use crate::job::{ErrorClass, JobError};
use crate::store::finish::{CANCELLED, Ended, Written, write_attempts, write_rows};
use crate::store::lifecycle::State;

/// Ends a job without success: updates the row, records the attempt and runs the hooks, in one transaction.
///
/// The hooks can't prevent the end: if one panics or fails with an error that may not be retried, the job ends without
/// them. With `unrenewed`, the job is ended only if its lease still expires at that time. Returns an empty list if the job
/// was not ended.
pub(crate) async fn write_dead<S: Send + Sync + 'static>(
    db: &Db,
    ended: &Ended,
    unrenewed: Option<Timestamp>,
    now: Timestamp,
    registry: &Registry<S>,
) -> Result<Vec<Written>, JobError> {
    match write_dead_and(Some(registry), db, ended, unrenewed, now).await {
        Err(error) if !error.may_retry() => {
            tracing::error!(job.id = %ended.claimed.id, job.kind = %ended.claimed.kind, %error,
                "what follows a job that ended without success was refused");
            write_dead_and(None::<&Registry<S>>, db, ended, unrenewed, now).await
        }
        written => written,
    }
}

/// Does the same with the hooks of `registry`, or without hooks if `registry` is `None`.
async fn write_dead_and<S: Send + Sync + 'static>(
    registry: Option<&Registry<S>>,
    db: &Db,
    ended: &Ended,
    unrenewed: Option<Timestamp>,
    now: Timestamp,
) -> Result<Vec<Written>, JobError> {
    let batch = std::slice::from_ref(ended);
    let mut tx = db.begin().await?;
    let written = write_rows(&mut tx, batch, unrenewed, now).await?;
    if written.is_empty() {
        return Ok(written);
    }
    write_attempts(&mut tx, batch, &written).await?;
    if let Some(registry) = registry {
        let (class, error) = match ended.change.life.state {
            State::Cancelled => (ErrorClass::Cancelled, CANCELLED.to_owned()),
            _ => ended.error.clone().unwrap_or((ErrorClass::Permanent, String::new())),
        };
        let end = End { claimed: &ended.claimed, attempts: ended.change.life.attempts, class, error, at: now };
        registry.follow_end(&mut tx, end).await?;
    }
    tx.commit().await?;
    if ended.change.died() {
        metrics::counter!("nightshift_jobs_dead_total", "kind" => ended.claimed.kind.clone()).increment(1);
    }
    Ok(written)
}
