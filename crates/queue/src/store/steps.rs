//! The completed steps of multi-step jobs, each recorded in the transaction of the step.

use nightshift_db::{Json, Result, Timestamp, Tx};
use serde_json::Value;

pub(crate) async fn record(tx: &mut Tx, job_id: &str, step: &str, output: &Value, now: Timestamp) -> Result<()> {
    tx.query(
        "INSERT INTO job_steps (job_id, step, status, output, finished_at, created_at)
         VALUES ($1, $2, 'done', $3, $4, $4)
         ON CONFLICT (job_id, step) DO NOTHING",
    )
    .bind(job_id)
    .bind(step)
    .bind(Json(output))
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// Returns when the step was completed, or `None` if it was not.
pub(crate) async fn finished_at(tx: &mut Tx, job_id: &str, step: &str) -> Result<Option<Timestamp>> {
    let found: Option<(Timestamp,)> = tx
        .query("SELECT finished_at FROM job_steps WHERE job_id = $1 AND step = $2")
        .bind(job_id)
        .bind(step)
        .optional()
        .await?;
    Ok(found.map(|(at,)| at))
}
