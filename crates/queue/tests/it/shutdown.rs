use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_queue::lifecycle::State;

use crate::bed::{Act, Scripted, eventually, on};

each_engine! {
    shutdown_lets_running_jobs_end_and_claims_no_more,
    what_is_not_done_within_the_grace_time_is_given_back_at_once_without_spending_an_attempt,
}

async fn shutdown_lets_running_jobs_end_and_claims_no_more(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker_with(&[("main", 1)]);
        let running = bed.enqueue(&Scripted::new("running", &[Act::Gate])).await;
        bed.until_runs("running", 1).await;
        let waiting = bed.enqueue(&Scripted::new("waiting", &[Act::Done])).await;
        let health = worker.health();
        let ending = tokio::spawn(worker.shutdown(Duration::from_secs(30)));
        eventually("it says that it is stopping", async || health.trouble().is_some()).await;
        bed.app.open("running");
        ending.await.unwrap();
        assert_eq!(bed.state(&running).await, State::Succeeded);
        assert_eq!(bed.state(&waiting).await, State::Queued);
        let workers: i64 = bed.db.read("SELECT count(*) FROM workers").scalar().await.unwrap();
        assert_eq!(workers, 0);
    })
    .await;
}

async fn what_is_not_done_within_the_grace_time_is_given_back_at_once_without_spending_an_attempt(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let id = bed.enqueue(&Scripted::new("long", &[Act::Hang, Act::Done])).await;
        bed.until_runs("long", 1).await;
        worker.shutdown(Duration::from_millis(50)).await;
        let job = bed.queue.job(&id).await.unwrap().unwrap();
        assert_eq!((job.state, job.attempts, job.crashes), (State::Queued, 0, 0));
        let next = bed.worker();
        bed.until_state(&id, State::Succeeded).await;
        drop(next);
    })
    .await;
}
