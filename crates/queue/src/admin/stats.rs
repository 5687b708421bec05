//! Numbers per queue. Finished jobs are counted only for the last hour.

use std::collections::BTreeMap;
use std::time::Duration;

use nightshift_db::{Result, Timestamp, lowest_id};
use serde::Serialize;
use sqlx::FromRow;

use crate::store::queue::Queue;

/// The numbers of one queue.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueStats {
    /// Name of the queue.
    pub queue: String,
    /// Jobs that can be claimed now.
    pub ready: i64,
    /// Jobs that wait for their time or a retry.
    pub waiting: i64,
    /// Ready and waiting jobs that have failed before.
    pub retrying: i64,
    /// Running jobs.
    pub running: i64,
    /// Dead jobs, which wait for an operator.
    pub dead: i64,
    /// Jobs whose payload could not be read.
    pub parked: i64,
    /// Seconds since the oldest claimable job became due. `None` if no job is claimable.
    pub oldest_ready_seconds: Option<u64>,
    /// Jobs enqueued within the last hour that have succeeded.
    pub succeeded_last_hour: i64,
}

#[derive(FromRow)]
struct Unfinished {
    queue: String,
    ready: i64,
    waiting: i64,
    retrying: i64,
    running: i64,
    dead: i64,
    parked: i64,
    oldest: Option<Timestamp>,
}

const UNFINISHED: &str = "
SELECT queue,
  sum(CASE WHEN state IN ('queued', 'retrying') AND NOT waiting THEN 1 ELSE 0 END) AS ready,
  sum(CASE WHEN state IN ('queued', 'retrying') AND waiting AND parked_reason IS NULL THEN 1 ELSE 0 END) AS waiting,
  sum(CASE WHEN state = 'retrying' THEN 1 ELSE 0 END) AS retrying,
  sum(CASE WHEN state = 'running' THEN 1 ELSE 0 END) AS running,
  sum(CASE WHEN state = 'dead' THEN 1 ELSE 0 END) AS dead,
  sum(CASE WHEN parked_reason IS NOT NULL THEN 1 ELSE 0 END) AS parked,
  min(CASE WHEN state IN ('queued', 'retrying') AND NOT waiting THEN run_at END) AS oldest
FROM jobs WHERE state IN ('queued', 'retrying', 'running', 'dead')
GROUP BY queue ORDER BY queue";

impl Queue {
    /// Returns the numbers of every queue that has unfinished or dead jobs, or jobs that were enqueued and succeeded
    /// within the last hour.
    pub async fn stats(&self) -> Result<Vec<QueueStats>> {
        let now = self.clock().now();
        let mut queues = BTreeMap::new();
        for row in self.db().read(UNFINISHED).all::<Unfinished>().await? {
            let stats = QueueStats {
                queue: row.queue.clone(),
                ready: row.ready,
                waiting: row.waiting,
                retrying: row.retrying,
                running: row.running,
                dead: row.dead,
                parked: row.parked,
                oldest_ready_seconds: row.oldest.map(|oldest| now.since(oldest).as_secs()),
                succeeded_last_hour: 0,
            };
            queues.insert(row.queue, stats);
        }
        let recent: Vec<(String, i64)> = self
            .db()
            .read("SELECT queue, count(*) FROM jobs WHERE id >= $1 AND state = 'succeeded' GROUP BY queue")
            .bind(lowest_id(now - Duration::from_secs(3600)))
            .all()
            .await?;
        for (queue, succeeded) in recent {
            let stats = queues.entry(queue.clone()).or_insert_with(|| QueueStats { queue, ..QueueStats::default() });
            stats.succeeded_last_hour = succeeded;
        }
        Ok(queues.into_values().collect())
    }
}
