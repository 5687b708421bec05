//! A long history beside the work.

use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Db, Engine};
use nightshift_queue::NewJob;

use crate::bed::{Act, Scripted, eventually, on};

each_engine! {
    a_claim_reads_what_it_claims_however_many_jobs_have_ended,
}

const FINISHED: i64 = 200_000;
const FUTURE: i64 = 40_000;
const JOBS: usize = 600;

/// Rows of `jobs` that PostgreSQL has read so far. It counts what a connection did when that ends.
async fn rows_read(db: &Db) -> i64 {
    let sql = "SELECT (seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_user_tables WHERE relname = 'jobs'";
    db.read(sql).scalar().await.unwrap()
}

/// Found by the benchmark: with the statistics of a time when most jobs were due, PostgreSQL merged the few jobs of a claim
/// with the index of all jobs, which took seconds.
async fn a_claim_reads_what_it_claims_however_many_jobs_have_ended(engine: Engine) {
    on(engine, async |bed| {
        let postgres = bed.db.engine() == Engine::Postgres;
        let jobs = (0..JOBS).map(|n| NewJob::of(&Scripted::new(&format!("job-{n}"), &[Act::Done])).unwrap());
        let mut tx = bed.tx().await;
        bed.queue.enqueue_all(&mut tx, jobs.collect()).await.unwrap();
        tx.commit().await.unwrap();
        if postgres {
            // When it last looked, all jobs were due.
            bed.db.write("ANALYZE jobs").execute().await.unwrap();
        }
        let now = bed.clock.now();
        bed.db
            .write(
                "WITH RECURSIVE numbers (i) AS (
                   SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < CAST($1 AS BIGINT))
                 INSERT INTO jobs (id, queue, kind, payload, state, run_at, waiting, max_attempts, finished_at,
                                   created_at, updated_at)
                 SELECT '0-' || CAST(i AS TEXT), 'main', 'scripted', '{}', CASE WHEN i < $2 THEN 'succeeded' ELSE 'queued' END,
                        $3, i >= $2, 5, CASE WHEN i < $2 THEN $4 END, $4, $4
                 FROM numbers",
            )
            .bind(FINISHED + FUTURE)
            .bind(FINISHED)
            .bind(now + Duration::from_secs(86_400))
            .bind(now)
            .execute()
            .await
            .unwrap();
        if postgres {
            // As it does by itself after so many new rows: it then knows how many there are, but not of what.
            bed.db.write("VACUUM jobs").execute().await.unwrap();
        }
        let worker = bed.worker();
        eventually("all have run", async || bed.app.runs().len() == JOBS).await;
        let unfinished = "SELECT count(*) FROM jobs WHERE state = 'running'";
        eventually("all are written", async || bed.db.read(unfinished).scalar::<i64>().await.unwrap() == 0).await;
        worker.shutdown(Duration::from_secs(5)).await;
        if postgres {
            // Found, claimed, finished: less says that not everything has been counted yet.
            let jobs = i64::try_from(JOBS).unwrap();
            eventually("the reads are counted", async || rows_read(&bed.db).await > 5 * jobs / 2).await;
            let read = rows_read(&bed.db).await;
            assert!(read < 20 * jobs, "{read} rows were read for {jobs} jobs");
        }
    })
    .await;
}
