use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Db, DbOptions, Engine, RowsStatement, columns};
use nightshift_queue::lifecycle::State;
use nightshift_queue::{EnqueueError, Keys, NewJob};

use crate::bed::{Act, Scripted, on};

each_engine! {
    a_job_exists_only_if_its_transaction_commits,
    an_active_dedup_key_names_the_job_that_stands_and_is_free_again_after_it,
    a_once_key_is_never_free_again,
    a_duplicate_never_fails_a_batch,
    concurrent_duplicates_make_one_job,
    submitted_jobs_share_commits_and_are_answered_after_them,
    a_job_is_stored_after_another_process_has_written_for_long,
    priority_then_due_time_then_age_decide_the_order,
}

async fn a_job_exists_only_if_its_transaction_commits(engine: Engine) {
    on(engine, async |bed| {
        let mut tx = bed.tx().await;
        let enqueued = bed.queue.enqueue(&mut tx, &Scripted::new("a", &[Act::Done])).await.unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(bed.queue.job(enqueued.id()).await.unwrap(), None);

        let worker = bed.worker();
        let id = bed.enqueue(&Scripted::new("b", &[Act::Done])).await;
        bed.until_state(&id, State::Succeeded).await;
        assert_eq!(bed.app.runs(), ["b"]);
        let detail = bed.queue.detail(&id).await.unwrap().unwrap();
        assert_eq!(detail.result, Some(serde_json::json!({ "run": 1 })));
        assert_eq!((detail.job.attempts, detail.job.max_attempts), (1, 4));
        drop(worker);
    })
    .await;
}

columns! {
    struct CauseColumns(id: &'r str, 'r) {
        id: text = *id,
    }
}

/// Stores every row but `known`.
static STORE: RowsStatement<CauseColumns> = RowsStatement::new(
    1,
    "WITH stored AS (SELECT id FROM {rows} AS new WHERE id <> 'known' AND $1::timestamptz IS NOT NULL),
     {part}
     SELECT id FROM stored",
);

#[tokio::test]
async fn a_caused_job_is_inserted_if_its_cause_is_stored() {
    on(Engine::Postgres, async |bed| {
        let worker = bed.worker();
        bed.enqueue(&Scripted::new("standing", &[Act::Done]).keys(Keys::once("once"))).await;
        bed.until_runs("standing", 1).await;
        let job = |cause: &str, keys| (cause.to_owned(), NewJob::of(&Scripted::new(cause, &[Act::Done]).keys(keys)));
        let caused = [
            job("new", Keys::default()),
            job("known", Keys::default()),
            job("duplicate", Keys::once("once")),
            job("another", Keys::default()),
        ];
        let caused = bed.queue.caused(caused.map(|(cause, job)| (cause, job.unwrap())).into());
        // The time of the statement was read before the jobs were made.
        let now = bed.queue.clock().now() - Duration::from_millis(20);
        let store = STORE.with_part(&bed.db, now, &["new", "known", "duplicate", "another"], &caused);
        let stored: Vec<(String,)> = store.all().await.unwrap();
        assert_eq!(stored.len(), 3);
        bed.queue.announce(&caused, |cause| cause != "known");
        bed.until_runs("new", 1).await;
        bed.until_runs("another", 1).await;
        let times = "SELECT count(*) FROM jobs WHERE run_at = created_at AND created_at = $1";
        assert_eq!(bed.db.read(times).bind(now).scalar::<i64>().await.unwrap(), 2);
        assert_eq!(bed.db.read("SELECT count(*) FROM jobs").scalar::<i64>().await.unwrap(), 3);
        drop(worker);
    })
    .await;
}

async fn an_active_dedup_key_names_the_job_that_stands_and_is_free_again_after_it(engine: Engine) {
    on(engine, async |bed| {
        let duplicate = Scripted::new("a", &[Act::Done]).keys(Keys::dedup("k"));
        let first = bed.try_enqueue(&duplicate).await;
        let second = bed.try_enqueue(&duplicate).await;
        assert!(first.is_created() && !second.is_created());
        assert_eq!(first.id(), second.id());

        let worker = bed.worker();
        bed.until_state(first.id(), State::Succeeded).await;
        assert!(bed.try_enqueue(&duplicate).await.is_created(), "the key is free once its job has ended");
        bed.until_runs("a", 2).await;
        drop(worker);
    })
    .await;
}

async fn a_once_key_is_never_free_again(engine: Engine) {
    on(engine, async |bed| {
        let once = Scripted::new("a", &[Act::Done]).keys(Keys::once("k"));
        let worker = bed.worker();
        let first = bed.try_enqueue(&once).await;
        bed.until_state(first.id(), State::Succeeded).await;
        let second = bed.try_enqueue(&once).await;
        assert!(!second.is_created());
        assert_eq!(first.id(), second.id());
        drop(worker);
    })
    .await;
}

async fn a_duplicate_never_fails_a_batch(engine: Engine) {
    on(engine, async |bed| {
        bed.enqueue(&Scripted::new("stands", &[Act::Done]).keys(Keys::dedup("taken"))).await;
        let jobs = [
            Scripted::new("new", &[Act::Done]),
            Scripted::new("duplicate", &[Act::Done]).keys(Keys::dedup("taken")),
            Scripted::new("one", &[Act::Done]).keys(Keys::once("o")),
            Scripted::new("again", &[Act::Done]).keys(Keys::once("o")),
        ];
        let mut tx = bed.tx().await;
        let batch = jobs.iter().map(|job| NewJob::of(job).unwrap()).collect();
        let enqueued = bed.queue.enqueue_all(&mut tx, batch).await.unwrap();
        tx.commit().await.unwrap();
        let created: Vec<bool> = enqueued.iter().map(nightshift_queue::Enqueued::is_created).collect();
        assert_eq!(created, [true, false, true, false]);
        assert_eq!(enqueued[2].id(), enqueued[3].id());
    })
    .await;
}

async fn concurrent_duplicates_make_one_job(engine: Engine) {
    on(engine, async |bed| {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (queue, db) = (bed.queue.clone(), bed.db.clone());
            tasks.spawn(async move {
                let job = Scripted::new("a", &[Act::Done]).keys(Keys::dedup("k"));
                let mut tx = db.begin().await.unwrap();
                let enqueued = queue.enqueue(&mut tx, &job).await.unwrap();
                tx.commit().await.unwrap();
                enqueued
            });
        }
        let enqueued = tasks.join_all().await;
        assert_eq!(enqueued.iter().filter(|enqueued| enqueued.is_created()).count(), 1);
        assert!(enqueued.iter().all(|one| one.id() == enqueued[0].id()));
    })
    .await;
}

async fn submitted_jobs_share_commits_and_are_answered_after_them(engine: Engine) {
    on(engine, async |bed| {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..100 {
            let (queue, db) = (bed.queue.clone(), bed.db.clone());
            tasks.spawn(async move {
                let job = Scripted::new(&format!("j{n}"), &[Act::Done]);
                let enqueued = queue.submit(NewJob::of(&job).unwrap()).await.unwrap();
                let stored: i64 =
                    db.read("SELECT count(*) FROM jobs WHERE id = $1").bind(enqueued.id()).scalar().await.unwrap();
                assert_eq!(stored, 1, "answered means stored");
            });
        }
        tasks.join_all().await;
    })
    .await;
}

/// More than the driver waits for a lock unless it is told to.
const LONG: Duration = Duration::from_secs(6);

/// SQLite has one writer among all processes; who must wait for it longer than a moment is not told that it is locked.
async fn a_job_is_stored_after_another_process_has_written_for_long(engine: Engine) {
    on(engine, async |bed| {
        let other = Db::connect(&bed.database.url, &DbOptions::default()).await.unwrap();
        let writing = other.begin().await.unwrap();
        let with_key = Scripted::new("with a key", &[Act::Done]).keys(Keys::dedup("key"));
        let storing = async {
            let alone = bed.queue.submit(NewJob::of(&Scripted::new("alone", &[Act::Done])).unwrap()).await.unwrap();
            (alone, bed.queue.submit(NewJob::of(&with_key).unwrap()).await.unwrap())
        };
        tokio::pin!(storing);
        let early = tokio::time::timeout(LONG, &mut storing).await;
        assert_eq!(early.is_ok(), bed.db.engine() == Engine::Postgres, "only one of SQLite's writers can be in turn");
        writing.commit().await.unwrap();
        let (alone, with_key) = match early {
            Ok(stored) => stored,
            Err(_) => storing.await,
        };
        for id in [alone.id(), with_key.id()] {
            assert_eq!(bed.state(id).await, State::Queued);
        }
    })
    .await;
}

#[tokio::test]
async fn a_payload_over_64_kib_is_refused_before_it_reaches_the_database() {
    let huge = Scripted::new(&"x".repeat(70_000), &[Act::Done]);
    assert!(matches!(NewJob::of(&huge), Err(EnqueueError::Payload { kind: "scripted", .. })));
}

async fn priority_then_due_time_then_age_decide_the_order(engine: Engine) {
    on(engine, async |bed| {
        for (name, priority) in [("low", 9), ("first", 5), ("second", 5), ("high", 0)] {
            let job = NewJob::of(&Scripted::new(name, &[Act::Done])).unwrap().priority(priority);
            bed.enqueue_new(job).await;
        }
        let worker = bed.worker_with(&[("main", 1)]);
        bed.until_runs("low", 1).await;
        assert_eq!(bed.app.runs(), ["high", "first", "second", "low"]);
        drop(worker);
    })
    .await;
}
