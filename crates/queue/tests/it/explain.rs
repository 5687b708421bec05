//! Why a job waits, in one sentence: each reason, and which comes before which.

use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Json};
use nightshift_queue::control::Limits;
use nightshift_queue::lifecycle::State;
use nightshift_queue::{Keys, NewJob};

use crate::bed::{Act, Bed, START_MS, Scripted, eventually, on, registry};

each_engine! {
    a_queue_that_no_live_worker_serves_is_named,
    a_pause_comes_before_a_missing_worker_and_that_before_the_time_a_job_waits_for,
    a_poll_is_counted_in_ordinals_and_names_its_deadline,
    a_job_that_a_person_put_off_says_so_until_it_has_run_again,
    the_limits_of_a_queue_are_told_with_their_figures,
    an_older_job_of_the_group_comes_before_the_limit_and_that_before_other_jobs,
    jobs_ahead_are_counted_up_to_a_thousand,
}

async fn explanation(bed: &Bed, id: &str) -> String {
    bed.queue.detail(id).await.unwrap().unwrap().explanation
}

/// The row of a worker that claims nothing.
async fn idle_worker(bed: &Bed, queues: &[&str]) {
    bed.db
        .write(
            "INSERT INTO workers (id, hostname, queues, started_at, heartbeat_at) VALUES ('idle', 'here', $1, $2, $2)",
        )
        .bind(Json(queues))
        .bind(bed.clock.now())
        .execute()
        .await
        .unwrap();
}

fn job(name: &str) -> NewJob {
    NewJob::of(&Scripted::new(name, &[Act::Done])).unwrap()
}

async fn a_queue_that_no_live_worker_serves_is_named(engine: Engine) {
    on(engine, async |bed| {
        let id = bed.enqueue_new(job("a")).await;
        assert_eq!(explanation(&bed, &id).await, "no live worker serves queue main");
        idle_worker(&bed, &["side"]).await;
        assert_eq!(explanation(&bed, &id).await, "no live worker serves queue main");
        bed.db.write("UPDATE workers SET queues = $1").bind(Json(["side", "main"])).execute().await.unwrap();
        assert_eq!(explanation(&bed, &id).await, "waits for a free worker of queue main that knows its kind");
        // It died without a word.
        bed.clock.advance(Duration::from_secs(61));
        assert_eq!(explanation(&bed, &id).await, "no live worker serves queue main");

        let worker = bed.worker();
        bed.until_state(&id, State::Succeeded).await;
        drop(worker);
    })
    .await;
}

async fn a_pause_comes_before_a_missing_worker_and_that_before_the_time_a_job_waits_for(engine: Engine) {
    on(engine, async |bed| {
        let id = bed.enqueue_new(job("later").run_at(bed.clock.now() + Duration::from_secs(90))).await;
        let mut tx = bed.tx().await;
        bed.queue.pause(&mut tx, "main", "Ann", "carrier incident").await.unwrap();
        tx.commit().await.unwrap();
        let paused = "queue main is paused by Ann since 10:00 UTC: carrier incident";
        assert_eq!(explanation(&bed, &id).await, paused);
        let mut tx = bed.tx().await;
        bed.queue.resume(&mut tx, "main").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(explanation(&bed, &id).await, "no live worker serves queue main");
        idle_worker(&bed, &["main"]).await;
        assert_eq!(explanation(&bed, &id).await, "waits 1 min 30 s until it is due");
    })
    .await;
}

async fn a_poll_is_counted_in_ordinals_and_names_its_deadline(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let poll = |until_ms| Act::Poll { after_ms: 5_000, until_ms };
        let open = bed.enqueue(&Scripted::new("open", &[poll(None)])).await;
        let bounded = bed.enqueue(&Scripted::new("bounded", &[poll(Some(START_MS + 3_600_000))])).await;
        for (id, expected) in [
            (&open, "waits 5 s for its 2nd poll"),
            (&bounded, "waits 5 s for its 2nd poll; polling ends at 11:00:00 UTC"),
        ] {
            bed.until_explained(id, expected).await;
        }
        drop(worker);
    })
    .await;
}

async fn a_job_that_a_person_put_off_says_so_until_it_has_run_again(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let id = bed.enqueue(&Scripted::new("a", &[Act::Fail, Act::Retry])).await;
        bed.until_state(&id, State::Dead).await;
        let mut tx = bed.tx().await;
        let at = bed.clock.now() + Duration::from_secs(600);
        registry().retry(&bed.queue, &mut tx, &id, Some(at)).await.unwrap();
        tx.commit().await.unwrap();
        let expected = "waits 10 min 0 s: a person retried it, to run at 10:10:00 UTC";
        bed.until_explained(&id, expected).await;
        bed.clock.advance(Duration::from_secs(600));
        bed.until_state(&id, State::Retrying).await;
        let again = "for attempt 2 of 4: ";
        eventually(again, async || explanation(&bed, &id).await.contains(again)).await;
        drop(worker);
    })
    .await;
}

async fn the_limits_of_a_queue_are_told_with_their_figures(engine: Engine) {
    on(engine, async |bed| {
        let limit = async |limits: Limits| {
            let mut tx = bed.tx().await;
            bed.queue.limit(&mut tx, "main", limits).await.unwrap();
            tx.commit().await.unwrap();
        };
        limit(Limits { concurrency: Some(2), ..Limits::default() }).await;
        let worker = bed.worker();
        for name in ["a", "b"] {
            bed.enqueue(&Scripted::new(name, &[Act::Gate])).await;
            bed.until_runs(name, 1).await;
        }
        let third = bed.enqueue(&Scripted::new("c", &[Act::Done])).await;
        let full = "waits for the limit of queue main: 2 of 2 running on all processes";
        bed.until_explained(&third, full).await;
        bed.app.open("a");
        bed.app.open("b");
        eventually("there is room again", async || {
            bed.clock.advance(Duration::from_millis(250));
            bed.state(&third).await == State::Succeeded
        })
        .await;

        limit(Limits { rate_per_second: Some(0.5), burst: Some(1), concurrency: None }).await;
        let first = bed.enqueue(&Scripted::new("d", &[Act::Done])).await;
        bed.until_state(&first, State::Succeeded).await;
        let next = bed.clock.now() + Duration::from_secs(2);
        let second = bed.enqueue(&Scripted::new("e", &[Act::Done])).await;
        let at = next.to_datetime().format("%H:%M:%S UTC");
        let slow = format!("waits for the limit of queue main: 0.5 per second, next about {at}");
        bed.until_explained(&second, &slow).await;
        drop(worker);
    })
    .await;
}

async fn an_older_job_of_the_group_comes_before_the_limit_and_that_before_other_jobs(engine: Engine) {
    on(engine, async |bed| {
        idle_worker(&bed, &["main"]).await;
        let keys = || Keys::default().group("g");
        let first = bed.enqueue_new(job("first").keys(keys())).await;
        let second = bed.enqueue_new(job("second").keys(keys())).await;
        assert_eq!(explanation(&bed, &second).await, format!("waits for job {first} of the same group"));
        assert_eq!(explanation(&bed, &first).await, "waits for a free worker of queue main that knows its kind");

        let urgent = bed.enqueue_new(job("urgent").priority(0)).await;
        assert_eq!(explanation(&bed, &urgent).await, "waits for a free worker of queue main that knows its kind");
        let behind = "1 due job of higher priority is ahead of it in the queue";
        assert_eq!(explanation(&bed, &first).await, behind);
        bed.enqueue_new(job("urgent too").priority(1)).await;
        let behind = "2 due jobs of higher priority are ahead of it in the queue";
        assert_eq!(explanation(&bed, &first).await, behind);
        let urgent_last = bed.enqueue_new(job("urgent last").priority(0)).await;
        let behind = "1 due job is ahead of it in the queue";
        assert_eq!(explanation(&bed, &urgent_last).await, behind);
    })
    .await;
}

async fn jobs_ahead_are_counted_up_to_a_thousand(engine: Engine) {
    on(engine, async |bed| {
        idle_worker(&bed, &["main"]).await;
        let id = bed.enqueue_new(job("a")).await;
        let mut tx = bed.tx().await;
        let crowd = (0..1_001).map(|n| job(&format!("urgent {n}")).priority(0)).collect();
        bed.queue.enqueue_all(&mut tx, crowd).await.unwrap();
        tx.commit().await.unwrap();
        let behind = "more than 1000 due jobs of higher priority are ahead of it in the queue";
        assert_eq!(explanation(&bed, &id).await, behind);
    })
    .await;
}
