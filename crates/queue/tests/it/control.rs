use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_queue::NewJob;
use nightshift_queue::control::Limits;
use nightshift_queue::lifecycle::State;

use crate::bed::{Act, Scripted, Side, eventually, on};

each_engine! {
    a_worker_of_one_queue_runs_jobs_of_every_kind_that_are_in_it,
    a_paused_queue_takes_jobs_and_runs_none_in_any_process,
    a_concurrency_limit_holds_over_all_processes,
    a_rate_limit_holds_over_all_processes,
    a_rate_limit_goes_on_at_once_after_the_clock_was_set_back,
}

async fn a_paused_queue_takes_jobs_and_runs_none_in_any_process(engine: Engine) {
    on(engine, async |bed| {
        let workers = (bed.worker(), bed.foreign_worker());
        let mut tx = bed.tx().await;
        bed.queue.pause(&mut tx, "main", "Ann", "carrier incident").await.unwrap();
        tx.commit().await.unwrap();
        let paused = bed.enqueue(&Scripted::new("paused", &[Act::Done])).await;
        let side = bed.enqueue_new(NewJob::of(&Side(Scripted::new("side", &[Act::Done]))).unwrap()).await;
        bed.until_state(&side, State::Succeeded).await;
        bed.clock.advance(Duration::from_secs(6));
        assert_eq!(bed.state(&paused).await, State::Queued);
        let explanation = bed.queue.detail(&paused).await.unwrap().unwrap().explanation;
        assert_eq!(explanation, "queue main is paused by Ann since 10:00 UTC: carrier incident");

        let mut tx = bed.tx().await;
        assert!(bed.queue.resume(&mut tx, "main").await.unwrap());
        tx.commit().await.unwrap();
        bed.until_state(&paused, State::Succeeded).await;
        drop(workers);
    })
    .await;
}

async fn a_concurrency_limit_holds_over_all_processes(engine: Engine) {
    on(engine, async |bed| {
        let mut tx = bed.tx().await;
        bed.queue.limit(&mut tx, "main", Limits { concurrency: Some(2), ..Limits::default() }).await.unwrap();
        tx.commit().await.unwrap();
        let workers = (bed.worker(), bed.foreign_worker());
        let mut ids = Vec::new();
        for name in ["a", "b", "c", "d", "e"] {
            ids.push(bed.enqueue(&Scripted::new(name, &[Act::Gate])).await);
        }
        for ended in 0..5_usize {
            let running: i64 = {
                let mut running = 0;
                eventually("the places are taken", async || {
                    bed.clock.advance(Duration::from_millis(250));
                    running = bed.db.read("SELECT count(*) FROM jobs WHERE state = 'running'").scalar().await.unwrap();
                    running == i64::try_from((5 - ended).min(2)).unwrap()
                })
                .await;
                running
            };
            assert!(running <= 2);
            eventually("its handler has begun", async || bed.app.runs().len() > ended).await;
            assert!(bed.app.runs().len() <= ended + 2);
            let next = bed.app.runs()[ended].clone();
            bed.app.open(&next);
            eventually("one more has ended", async || {
                let done: i64 =
                    bed.db.read("SELECT count(*) FROM jobs WHERE state = 'succeeded'").scalar().await.unwrap();
                done == i64::try_from(ended).unwrap() + 1
            })
            .await;
        }
        drop(workers);
    })
    .await;
}

async fn a_rate_limit_holds_over_all_processes(engine: Engine) {
    on(engine, async |bed| {
        let mut tx = bed.tx().await;
        let limits = Limits { rate_per_second: Some(1.0), burst: Some(2), concurrency: None };
        bed.queue.limit(&mut tx, "main", limits).await.unwrap();
        tx.commit().await.unwrap();
        for n in 0..6 {
            bed.enqueue(&Scripted::new(&format!("j{n}"), &[Act::Done])).await;
        }
        let workers = (bed.worker(), bed.foreign_worker());
        eventually("the burst has run", async || bed.app.runs().len() == 2).await;
        for second in 1..=4 {
            bed.clock.advance(Duration::from_secs(1));
            eventually("one more has run", async || bed.app.runs().len() >= 2 + second).await;
            assert_eq!(bed.app.runs().len(), 2 + second);
        }
        drop(workers);
    })
    .await;
}

async fn a_rate_limit_goes_on_at_once_after_the_clock_was_set_back(engine: Engine) {
    on(engine, async |bed| {
        let mut tx = bed.tx().await;
        let limits = Limits { rate_per_second: Some(1.0), burst: Some(1), concurrency: None };
        bed.queue.limit(&mut tx, "main", limits).await.unwrap();
        tx.commit().await.unwrap();
        let worker = bed.worker();
        bed.enqueue(&Scripted::new("before", &[Act::Done])).await;
        eventually("the burst has run", async || bed.app.runs().len() == 1).await;
        let earlier = bed.clock.now() - Duration::from_secs(3600);
        bed.clock.set(earlier);
        for n in 0..3 {
            bed.enqueue(&Scripted::new(&format!("after {n}"), &[Act::Done])).await;
        }
        eventually("all have run", async || {
            bed.clock.advance(Duration::from_millis(250));
            bed.app.runs().len() == 4
        })
        .await;
        let took = bed.clock.now().since(earlier);
        assert!(took >= Duration::from_secs(3), "three starts in {took:?} are too many for one a second");
        drop(worker);
    })
    .await;
}

/// The queue of a job may be another one than the queue of its kind.
async fn a_worker_of_one_queue_runs_jobs_of_every_kind_that_are_in_it(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker_of(&["main"]);
        let moved = bed.enqueue_new(NewJob::of(&Side(Scripted::new("a", &[Act::Done]))).unwrap().queue("main")).await;
        let other = bed.enqueue_new(NewJob::of(&Side(Scripted::new("b", &[Act::Done]))).unwrap()).await;
        bed.until_state(&moved, State::Succeeded).await;
        assert_eq!((bed.state(&other).await, bed.app.runs_of("b")), (State::Queued, 0));
        drop(worker);
    })
    .await;
}
