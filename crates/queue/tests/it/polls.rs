use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_queue::lifecycle::State;

use crate::bed::{Act, START_MS, Scripted, eventually, on};

each_engine! {
    a_poll_holds_no_slot_and_spends_no_attempt,
    a_poll_that_is_not_done_by_its_deadline_is_dead_of_a_timeout,
    an_event_ends_the_wait_early,
}

fn poll(after_ms: u64) -> Act {
    Act::Poll { after_ms, until_ms: None }
}

async fn a_poll_holds_no_slot_and_spends_no_attempt(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker_with(&[("main", 1)]);
        let id = bed.enqueue(&Scripted::new("call", &[poll(5_000), poll(5_000), Act::Done])).await;
        eventually("the first poll is stored", async || bed.queue.job(&id).await.unwrap().unwrap().polls == 1).await;
        let other = bed.enqueue(&Scripted::new("other", &[Act::Done])).await;
        bed.until_state(&other, State::Succeeded).await;
        for polls in 2..=3 {
            bed.clock.advance(Duration::from_secs(5));
            bed.until_runs("call", polls).await;
            if polls < 3 {
                eventually("the poll is stored", async || bed.queue.job(&id).await.unwrap().unwrap().polls == 2).await;
            }
        }
        bed.until_state(&id, State::Succeeded).await;
        let job = bed.queue.job(&id).await.unwrap().unwrap();
        assert_eq!((job.polls, job.attempts), (2, 1));
        drop(worker);
    })
    .await;
}

async fn a_poll_that_is_not_done_by_its_deadline_is_dead_of_a_timeout(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let act = Act::Poll { after_ms: 5_000, until_ms: Some(START_MS + 7_000) };
        let id = bed.enqueue(&Scripted::new("call", &[act])).await;
        eventually("the first poll is stored", async || bed.queue.job(&id).await.unwrap().unwrap().polls == 1).await;
        bed.clock.advance(Duration::from_secs(5));
        bed.until_state(&id, State::Dead).await;
        let job = bed.queue.job(&id).await.unwrap().unwrap();
        assert_eq!(job.last_error_class.as_deref(), Some("timeout"));
        drop(worker);
    })
    .await;
}

async fn an_event_ends_the_wait_early(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let id = bed.enqueue(&Scripted::new("call", &[poll(3_600_000), Act::Done])).await;
        eventually("the poll is stored", async || bed.queue.job(&id).await.unwrap().unwrap().polls == 1).await;
        let mut tx = bed.tx().await;
        bed.queue.run_now(&mut tx, &id).await.unwrap();
        tx.commit().await.unwrap();
        bed.until_state(&id, State::Succeeded).await;
        drop(worker);
    })
    .await;
}
