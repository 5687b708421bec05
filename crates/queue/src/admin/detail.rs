//! Everything about one job: its row, payload, result, failed attempts, steps, follow-ups, and why it stands where it
//! stands.

use nightshift_db::{Result, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::FromRow;

use super::explain::explain;
use super::list::JobRow;
use crate::store::queue::Queue;

/// An attempt that did not end in success.
#[derive(Debug, Clone, PartialEq, FromRow, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Which, from 1.
    pub attempt: i64,
    /// Process that ran it.
    pub worker_id: Option<String>,
    /// Start.
    pub started_at: Timestamp,
    /// End.
    pub ended_at: Timestamp,
    /// Class of the failure, or `cancelled`.
    pub outcome: String,
    /// Its error.
    pub error: Option<String>,
    /// The handler's last notes.
    pub log: Option<String>,
}

/// A finished step.
#[derive(Debug, Clone, PartialEq, FromRow, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRow {
    /// Its name.
    pub step: String,
    /// `done` or `skipped`.
    pub status: String,
    /// What it left, as JSON text.
    pub output: String,
    /// When.
    pub finished_at: Timestamp,
}

/// Everything about one job.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobDetail {
    /// The job.
    #[serde(flatten)]
    pub job: JobRow,
    /// Its payload; callers redact it before they show it.
    pub payload: Value,
    /// What it left.
    pub result: Option<Value>,
    /// Its failed attempts, oldest first.
    pub attempt_history: Vec<Attempt>,
    /// Its finished steps.
    pub steps: Vec<StepRow>,
    /// Ids of the jobs it caused.
    pub children: Vec<String>,
    /// Why it stands where it stands, in one sentence.
    pub explanation: String,
}

impl Queue {
    /// Everything about the job `id`, if there is one.
    ///
    /// # Errors
    /// A database error.
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
