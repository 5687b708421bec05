use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_queue::NewJob;
use nightshift_queue::lifecycle::State;

use crate::bed::{Act, CURSED, LIMIT, Limited, Scripted, Side, eventually, on};

each_engine! {
    a_failing_job_is_retried_by_its_policy_and_then_dead_with_every_error_kept,
    a_retry_after_of_the_provider_is_honoured,
    a_permanent_error_is_dead_at_the_first_attempt,
    a_panic_is_recorded_and_retried_and_stops_no_worker,
    a_job_that_never_ends_is_cut_off_at_its_time_limit_and_its_slot_is_free_again,
    a_time_limit_counts_from_the_start_of_the_attempt_however_long_all_threads_are_blocked,
    a_payload_that_cannot_be_read_parks_its_job_and_stops_nothing,
    a_newer_payload_version_is_parked_and_an_unknown_kind_is_left_alone,
    skip_ends_a_job_as_succeeded_with_the_reason_and_never_says_done,
    a_job_dies_although_what_follows_its_death_panics_and_others_go_on,
    what_a_job_leaves_is_stored_whatever_characters_it_holds,
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

async fn a_failing_job_is_retried_by_its_policy_and_then_dead_with_every_error_kept(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let id = bed.enqueue(&Scripted::new("a", &[Act::Retry])).await;
        // 5 s, 15 s, 60 s, each up to 20 % either way.
        for (run, (early, late)) in [(4, 6), (12, 18), (48, 72)].into_iter().enumerate() {
            eventually("the failure is stored", async || {
                bed.queue.job(&id).await.unwrap().unwrap().attempts == i64::try_from(run).unwrap() + 1
            })
            .await;
            let job = bed.queue.job(&id).await.unwrap().unwrap();
            assert_eq!(job.state, State::Retrying);
            let wait = job.run_at.since(bed.clock.now());
            assert!(wait >= seconds(early) && wait <= seconds(late), "waits {wait:?}");
            bed.clock.advance(wait);
            bed.until_runs("a", run + 2).await;
        }
        bed.until_state(&id, State::Dead).await;
        let detail = bed.queue.detail(&id).await.unwrap().unwrap();
        assert_eq!(detail.job.attempts, 4);
        let history: Vec<_> = detail.attempt_history.iter().map(|a| (a.attempt, a.outcome.as_str())).collect();
        assert_eq!(history, [(1, "transient"), (2, "transient"), (3, "transient"), (4, "transient")]);
        assert_eq!(detail.attempt_history[1].log.as_deref(), Some("run 2\n"));
        assert_eq!(detail.explanation, "dead after 4 of 4 attempts: the provider answered 503");
        assert_eq!(bed.deaths().await, [(id, "transient".to_owned())]);
        drop(worker);
    })
    .await;
}

async fn a_retry_after_of_the_provider_is_honoured(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let id = bed.enqueue(&Scripted::new("a", &[Act::RetryAfter(77), Act::Done])).await;
        bed.until_state(&id, State::Retrying).await;
        let job = bed.queue.job(&id).await.unwrap().unwrap();
        assert_eq!(job.run_at.since(bed.clock.now()), seconds(77));
        bed.until_explained(&id, "waits 1 min 17 s for attempt 2 of 4: the provider answered 429").await;
        bed.clock.advance(seconds(77));
        bed.until_state(&id, State::Succeeded).await;
        drop(worker);
    })
    .await;
}

async fn a_permanent_error_is_dead_at_the_first_attempt(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let id = bed.enqueue(&Scripted::new("a", &[Act::Fail])).await;
        bed.until_state(&id, State::Dead).await;
        let job = bed.queue.job(&id).await.unwrap().unwrap();
        assert_eq!((job.attempts, job.last_error_class.as_deref()), (1, Some("permanent")));
        drop(worker);
    })
    .await;
}

async fn a_panic_is_recorded_and_retried_and_stops_no_worker(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker_with(&[("main", 1)]);
        let id = bed.enqueue(&Scripted::new("a", &[Act::Panic, Act::Done])).await;
        bed.until_state(&id, State::Retrying).await;
        let job = bed.queue.job(&id).await.unwrap().unwrap();
        assert_eq!(job.last_error_class.as_deref(), Some("panic"));
        assert_eq!(job.last_error.as_deref(), Some("the handler panicked: scripted"));
        let other = bed.enqueue(&Scripted::new("b", &[Act::Done])).await;
        bed.until_state(&other, State::Succeeded).await;
        bed.clock.advance(seconds(6));
        bed.until_state(&id, State::Succeeded).await;
        drop(worker);
    })
    .await;
}

async fn a_job_that_never_ends_is_cut_off_at_its_time_limit_and_its_slot_is_free_again(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker_with(&[("side", 1)]);
        let id = bed.enqueue_new(NewJob::of(&Limited(Scripted::new("a", &[Act::Hang, Act::Done]))).unwrap()).await;
        bed.until_runs("a", 1).await;
        bed.until_state(&id, State::Retrying).await;
        let job = bed.queue.job(&id).await.unwrap().unwrap();
        assert_eq!(job.last_error_class.as_deref(), Some("timeout"));
        assert_eq!(job.last_error.as_deref(), Some("the attempt took longer than 0.5 s"));
        bed.clock.advance(seconds(6));
        bed.until_state(&id, State::Succeeded).await;
        assert_eq!(bed.queue.job(&id).await.unwrap().unwrap().crashes, 0);
        assert_eq!(bed.app.runs_of("a"), 2);
        drop(worker);
    })
    .await;
}

/// All tests run on one thread unless they say otherwise, so the first job blocks every thread.
async fn a_time_limit_counts_from_the_start_of_the_attempt_however_long_all_threads_are_blocked(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let blocks = Act::Block(u64::try_from(LIMIT.as_millis()).unwrap() * 2);
        let mut tx = bed.tx().await;
        // Claimed in one round and in this order.
        let blocking = NewJob::of(&Side(Scripted::new("blocking", &[blocks]))).unwrap().priority(0);
        let limited = NewJob::of(&Limited(Scripted::new("limited", &[Act::Yield(10)]))).unwrap().priority(9);
        let jobs = bed.queue.enqueue_all(&mut tx, vec![blocking, limited]).await.unwrap();
        tx.commit().await.unwrap();
        bed.until_state(jobs[0].id(), State::Succeeded).await;
        bed.until_state(jobs[1].id(), State::Succeeded).await;
        assert_eq!(bed.app.runs(), ["blocking", "limited"]);
        drop(worker);
    })
    .await;
}

async fn a_payload_that_cannot_be_read_parks_its_job_and_stops_nothing(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let good = NewJob::of(&Scripted::new("a", &[Act::Done])).unwrap().run_at(bed.clock.now() + seconds(60));
        let id = bed.enqueue_new(good).await;
        bed.db.write("UPDATE jobs SET payload = '{\"name\": 7}' WHERE id = $1").bind(&id).execute().await.unwrap();
        bed.clock.advance(seconds(61));
        eventually("the job is parked", async || bed.queue.job(&id).await.unwrap().unwrap().parked_reason.is_some())
            .await;
        let detail = bed.queue.detail(&id).await.unwrap().unwrap();
        assert_eq!((detail.job.state, detail.job.attempts), (State::Queued, 0));
        assert!(detail.explanation.starts_with("parked until"), "{}", detail.explanation);
        let other = bed.enqueue(&Scripted::new("b", &[Act::Done])).await;
        bed.until_state(&other, State::Succeeded).await;
        assert_eq!(bed.state(&id).await, State::Queued, "it is not spun");

        // A new version starts and can read it.
        bed.db
            .write("UPDATE jobs SET payload = '{\"name\": \"a\", \"acts\": []}' WHERE id = $1")
            .bind(&id)
            .execute()
            .await
            .unwrap();
        let newer = bed.worker();
        bed.until_state(&id, State::Succeeded).await;
        drop((worker, newer));
    })
    .await;
}

async fn a_newer_payload_version_is_parked_and_an_unknown_kind_is_left_alone(engine: Engine) {
    on(engine, async |bed| {
        let newer = bed.enqueue(&Scripted::new("newer", &[Act::Done])).await;
        let unknown = bed.enqueue(&Scripted::new("unknown", &[Act::Done])).await;
        bed.db.write("UPDATE jobs SET payload_version = 3 WHERE id = $1").bind(&newer).execute().await.unwrap();
        bed.db.write("UPDATE jobs SET kind = 'of the future' WHERE id = $1").bind(&unknown).execute().await.unwrap();
        let worker = bed.worker();
        eventually("the newer one is parked", async || {
            bed.queue.job(&newer).await.unwrap().unwrap().parked_reason.is_some()
        })
        .await;
        let known = bed.enqueue(&Scripted::new("known", &[Act::Done])).await;
        bed.until_state(&known, State::Succeeded).await;
        let left = bed.queue.job(&unknown).await.unwrap().unwrap();
        assert_eq!((left.state, left.attempts, left.parked_reason), (State::Queued, 0, None));
        drop(worker);
    })
    .await;
}

async fn skip_ends_a_job_as_succeeded_with_the_reason_and_never_says_done(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let id = bed.enqueue(&Scripted::new("a", &[Act::Skip])).await;
        bed.until_state(&id, State::Succeeded).await;
        let detail = bed.queue.detail(&id).await.unwrap().unwrap();
        assert_eq!(detail.result, Some(serde_json::json!({ "skipped": "not needed" })));
        assert_eq!(detail.explanation, "skipped: not needed");
        drop(worker);
    })
    .await;
}

async fn a_job_dies_although_what_follows_its_death_panics_and_others_go_on(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let cursed = bed.enqueue(&Scripted::new(CURSED, &[Act::Fail])).await;
        bed.until_state(&cursed, State::Dead).await;
        let other = bed.enqueue(&Scripted::new("other", &[Act::Fail])).await;
        bed.until_state(&other, State::Dead).await;
        assert_eq!(bed.deaths().await, [(other, "permanent".to_owned())]);
        drop(worker);
    })
    .await;
}

/// Results are written in batches: one that the database refuses would cost the others theirs.
async fn what_a_job_leaves_is_stored_whatever_characters_it_holds(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let id = bed.enqueue(&Scripted::new("a", &[Act::FailWithNul, Act::DoneWithNul])).await;
        eventually("the failure is stored", async || bed.queue.job(&id).await.unwrap().unwrap().attempts == 1).await;
        let job = bed.queue.job(&id).await.unwrap().unwrap();
        assert_eq!(job.last_error.as_deref(), Some("the provider answered \u{fffd}"));
        bed.clock.advance(seconds(60));
        bed.until_state(&id, State::Succeeded).await;
        let left = bed.queue.detail(&id).await.unwrap().unwrap().result;
        assert_eq!(left, Some(serde_json::json!({ "\u{fffd}": ["a\u{fffd}b"] })));
        drop(worker);
    })
    .await;
}
