//! Everything about one job: its row, payload, result, failed attempts, steps, child jobs, and an explanation of its
//! state.

use nightshift_db::{Result, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::FromRow;

use super::explain::explain;
use super::list::JobRow;
use crate::store::queue::Queue;

/// An attempt that did not succeed.
#[derive(Debug, Clone, PartialEq, FromRow, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Number of the attempt, counted from 1.
    pub attempt: i64,
    /// The worker that ran it.
    pub worker_id: Option<String>,
    /// Start of the attempt.
    pub started_at: Timestamp,
    /// End of the attempt.
    pub ended_at: Timestamp,
    /// Class of the failure, or `cancelled`.
    pub outcome: String,
    /// Text of the error.
    pub error: Option<String>,
    /// The handler's last notes.
    pub log: Option<String>,
}

/// A completed step.
#[derive(Debug, Clone, PartialEq, FromRow, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRow {
    /// Name of the step.
    pub step: String,
    /// `done` or `skipped`.
    pub status: String,
    /// Output of the step as JSON text.
    pub output: String,
    /// Time of completion.
    pub finished_at: Timestamp,
}

/// Everything about one job.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobDetail {
    /// The row of the job.
    #[serde(flatten)]
    pub job: JobRow,
    /// The payload. It may hold personal data, so callers must redact it before they show it.
    pub payload: Value,
    /// The result. `None` if the job stored none.
    pub result: Option<Value>,
    /// The attempts that did not succeed, oldest first.
    pub attempt_history: Vec<Attempt>,
    /// The completed steps, oldest first.
    pub steps: Vec<StepRow>,
    /// Ids of the jobs that it enqueued, oldest first, at most 200.
    pub children: Vec<String>,
    /// The reason for its state, in one sentence.
    pub explanation: String,
}

impl Queue {
    /// Returns everything about the job `id`, or `None` if there is no such job.
    pub async fn detail(&self, id: &str) -> Result<Option<JobDetail>> {
        let Some(job) = self.job(id).await? else { return Ok(None) };
        let db = self.db();
        let (payload, result): (String, Option<String>) = db
            .read("SELECT CAST(payload AS TEXT), CAST(result AS TEXT) FROM jobs WHERE id = $1")
            .bind(id)
            .one()
            .await?;
        let attempt_history = db
            .read(
                "SELECT attempt, worker_id, started_at, ended_at, outcome, error, log FROM job_attempts
                 WHERE job_id = $1 ORDER BY started_at, attempt",
            )
            .bind(id)
            .all()
            .await?;
        let steps = db
            .read(
                "SELECT step, status, CAST(output AS TEXT) AS output, finished_at FROM job_steps
                 WHERE job_id = $1 ORDER BY finished_at, step",
            )
            .bind(id)
            .all()
            .await?;
        let children: Vec<(String,)> =
            db.read("SELECT id FROM jobs WHERE parent_job_id = $1 ORDER BY id LIMIT 200").bind(id).all().await?;
        let result: Option<Value> = result.and_then(|text| serde_json::from_str(&text).ok());
        let explanation = explain(self, &job, result.as_ref()).await?;
        Ok(Some(JobDetail {
            job,
            payload: serde_json::from_str(&payload).unwrap_or_else(|_| json!({})),
            result,
            attempt_history,
            steps,
            children: children.into_iter().map(|(id,)| id).collect(),
            explanation,
        }))
    }
}
