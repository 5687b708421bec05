//! Writing new jobs: one statement for however many.
//!
//! Twins are kept out by unique indexes, never by locks: a row that meets one is left out, and the job that already
//! stands is named in the answer. A duplicate never fails a batch.

use nightshift_db::{Db, Engine, Query, Result, Timestamp, Tx, new_id};
use serde_json::{Value, json};

use crate::job::{Enqueued, Mode, NewJob};

/// One row per array element; rows that meet a dedup or once key are left out.
const INSERT_POSTGRES: &str = "
INSERT INTO jobs (id, queue, kind, org_id, payload, payload_version, priority, run_at, waiting, dedup_key, once_key,
                  group_key, group_strict, max_attempts, mode, correlation_id, parent_job_id, traceparent,
                  created_at, updated_at)
SELECT id, queue, kind, org_id, payload::jsonb, payload_version, priority, run_at, run_at > $18, dedup_key, once_key,
       group_key, group_strict, max_attempts, mode, correlation_id, parent_job_id, traceparent, $18, $18
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::timestamptz[],
            $9::text[], $10::text[], $11::text[], $12::boolean[], $13::bigint[], $14::text[], $15::text[],
            $16::text[], $17::text[])
  AS new (id, queue, kind, org_id, payload, payload_version, priority, run_at, dedup_key, once_key,
          group_key, group_strict, max_attempts, mode, correlation_id, parent_job_id, traceparent)
ON CONFLICT DO NOTHING
RETURNING id";

/// The same from a JSON array per row: looking members up by name would take half as long again.
const INSERT_SQLITE: &str = "
INSERT INTO jobs (id, queue, kind, org_id, payload, payload_version, priority, run_at, waiting, dedup_key, once_key,
                  group_key, group_strict, max_attempts, mode, correlation_id, parent_job_id, traceparent,
                  created_at, updated_at)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>7 > $2, value->>8,
       value->>9, value->>10, value->>11, value->>12, value->>13, value->>14, value->>15, value->>16, $2, $2
FROM json_each($1) WHERE TRUE
ON CONFLICT DO NOTHING
RETURNING id";

/// The job that keeps a new one out. Two probes of unique indexes.
const FIND_TWIN: &str = "
SELECT id FROM jobs WHERE dedup_key = $1 AND dedup_key IS NOT NULL AND state IN ('queued', 'running', 'retrying')
UNION ALL
SELECT id FROM jobs WHERE once_key = $2 AND once_key IS NOT NULL
LIMIT 1";

/// Times a twin may vanish between the insert that met it and the look-up before we give up on the database.
const TWIN_TRIES: usize = 5;

pub(crate) async fn insert(tx: &mut Tx, jobs: &[NewJob], now: Timestamp) -> Result<Vec<Enqueued>> {
    let ids: Vec<String> = jobs.iter().map(|_| new_id(now)).collect();
    let mut created = insert_rows(tx, &ids, jobs, now).await?;
    if created.len() == jobs.len() {
        return Ok(ids.into_iter().map(|id| Enqueued::Created { id }).collect());
    }
    created.sort_unstable();
    let mut enqueued = Vec::with_capacity(jobs.len());
    for (id, job) in ids.into_iter().zip(jobs) {
        enqueued.push(if created.binary_search(&id).is_ok() {
            Enqueued::Created { id }
        } else {
            find_twin_or_insert(tx, id, job, now).await?
        });
    }
    Ok(enqueued)
}

/// As [`insert`], as a transaction of its own, for jobs none of which has a twin: one way to the database.
pub(crate) async fn insert_alone(db: &Db, jobs: &[NewJob], now: Timestamp) -> Result<Vec<Enqueued>> {
    let ids: Vec<String> = jobs.iter().map(|_| new_id(now)).collect();
    insertion(|sql| db.write(sql), db.engine(), &ids, jobs, now).execute().await?;
    Ok(ids.into_iter().map(|id| Enqueued::Created { id }).collect())
}

async fn find_twin_or_insert(tx: &mut Tx, id: String, job: &NewJob, now: Timestamp) -> Result<Enqueued> {
    for _ in 0..TWIN_TRIES {
        let twin: Option<(String,)> = tx.query(FIND_TWIN).bind(&job.keys.dedup).bind(&job.keys.once).optional().await?;
        if let Some((id,)) = twin {
            return Ok(Enqueued::Existing { id });
        }
        // The twin finished in the meantime, so its dedup key is free.
        let ids = [id.clone()];
        if !insert_rows(tx, &ids, std::slice::from_ref(job), now).await?.is_empty() {
            return Ok(Enqueued::Created { id });
        }
    }
    Err(nightshift_db::DbError::NotFound)
}

async fn insert_rows(tx: &mut Tx, ids: &[String], jobs: &[NewJob], now: Timestamp) -> Result<Vec<String>> {
    let engine = tx.engine();
    let rows: Vec<(String,)> = insertion(|sql| tx.query(sql), engine, ids, jobs, now).all().await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// The engine's statement with its parameters: an array per column on PostgreSQL, one JSON text on SQLite.
fn insertion<'c>(
    query: impl FnOnce(&'static str) -> Query<'c>,
    engine: Engine,
    ids: &[String],
    jobs: &[NewJob],
    now: Timestamp,
) -> Query<'c> {
    fn column<'a, T: 'a>(jobs: &'a [NewJob], field: impl Fn(&'a NewJob) -> T) -> Vec<T> {
        jobs.iter().map(field).collect()
    }
    let query = match engine {
        Engine::Sqlite => {
            let rows: Vec<Value> = ids.iter().zip(jobs).map(|(id, job)| as_json(id, job, now)).collect();
            query(INSERT_SQLITE).bind(Value::from(rows).to_string())
        }
        Engine::Postgres => query(INSERT_POSTGRES)
            .bind_array(ids)
            .bind_array(column(jobs, |job| job.queue.as_str()))
            .bind_array(column(jobs, |job| job.kind))
            .bind_array(column(jobs, |job| job.org_id.as_deref()))
            .bind_array(column(jobs, |job| job.payload.as_str()))
            .bind_array(column(jobs, |job| job.payload_version))
            .bind_array(column(jobs, |job| job.priority))
            .bind_array(column(jobs, |job| job.run_at.unwrap_or(now)))
            .bind_array(column(jobs, |job| job.keys.dedup.as_deref()))
            .bind_array(column(jobs, |job| job.keys.once.as_deref()))
            .bind_array(column(jobs, |job| job.keys.group.as_deref()))
            .bind_array(column(jobs, |job| job.keys.strict))
            .bind_array(column(jobs, |job| job.max_attempts))
            .bind_array(column(jobs, |job| job.mode.map(Mode::as_str)))
            .bind_array(column(jobs, |job| job.correlation_id.as_deref()))
            .bind_array(column(jobs, |job| job.parent_job_id.as_deref()))
            .bind_array(column(jobs, |job| job.traceparent.as_deref())),
    };
    query.bind(now)
}

/// In the order of the columns.
fn as_json(id: &str, job: &NewJob, now: Timestamp) -> Value {
    let keys = &job.keys;
    json!([
        id,
        job.queue,
        job.kind,
        job.org_id,
        job.payload,
        job.payload_version,
        job.priority,
        job.run_at.unwrap_or(now),
        keys.dedup,
        keys.once,
        keys.group,
        keys.strict,
        job.max_attempts,
        job.mode.map(Mode::as_str),
        job.correlation_id,
        job.parent_job_id,
        job.traceparent,
    ])
}
