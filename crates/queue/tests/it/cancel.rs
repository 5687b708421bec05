use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use nightshift_queue::admin::{SteerError, Steered};
use nightshift_queue::lifecycle::{Refusal, State};
use nightshift_queue::{Keys, NewJob};

use crate::bed::{Act, Bed, FINISHED, Scripted, on, registry};

each_engine! {
    a_waiting_job_is_cancelled_at_once_and_never_runs,
    a_running_job_ends_at_its_next_checkpoint,
    a_hint_that_something_is_to_be_cancelled_renews_no_lease,
    a_running_job_that_fails_is_cancelled_instead_of_retried,
    a_dead_job_can_be_retried_with_a_fresh_budget_and_keeps_its_history,
    a_retry_is_refused_while_a_duplicate_holds_the_dedup_key,
    a_retry_that_would_find_nothing_to_do_is_refused_and_leaves_the_job_as_it_is,
}

async fn cancel(bed: &Bed, id: &str) -> Result<Steered, SteerError> {
    let mut tx = bed.tx().await;
    let steered = registry().cancel(&bed.queue, &mut tx, id).await;
    tx.commit().await.unwrap();
    steered
}

async fn retry(bed: &Bed, id: &str) -> Result<Steered, SteerError> {
    let mut tx = bed.tx().await;
    let steered = registry().retry(&bed.queue, &mut tx, id, None).await;
    if steered.is_ok() {
        tx.commit().await.unwrap();
    }
    steered
}

async fn a_waiting_job_is_cancelled_at_once_and_never_runs(engine: Engine) {
    on(engine, async |bed| {
        let later =
            NewJob::of(&Scripted::new("a", &[Act::Done])).unwrap().run_at(bed.clock.now() + Duration::from_secs(60));
        let id = bed.enqueue_new(later).await;
        assert_eq!(cancel(&bed, &id).await.unwrap(), Steered::Done);
        assert_eq!(bed.state(&id).await, State::Cancelled);
        assert_eq!(bed.deaths().await, [(id.clone(), "cancelled".to_owned())]);
        assert!(matches!(cancel(&bed, &id).await, Err(SteerError::Refused(Refusal::Final))));
        let worker = bed.worker();
        bed.clock.advance(Duration::from_secs(61));
        let other = bed.enqueue(&Scripted::new("other", &[Act::Done])).await;
        bed.until_state(&other, State::Succeeded).await;
        assert_eq!(bed.app.runs(), ["other"]);
        drop(worker);
    })
    .await;
}

async fn a_running_job_ends_at_its_next_checkpoint(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.foreign_worker();
        let id = bed.enqueue(&Scripted::new("a", &[Act::GateThenCheckpoint])).await;
        bed.until_runs("a", 1).await;
        assert_eq!(cancel(&bed, &id).await.unwrap(), Steered::Requested);
        // Whether the news reaches the handler before or after its checkpoint, the wish is stored with the job.
        bed.clock.advance(Duration::from_secs(11));
        let explanation = bed.queue.detail(&id).await.unwrap().unwrap().explanation;
        assert_eq!(explanation, "is running and stops at its next checkpoint: cancelled by a person");
        crate::bed::eventually("the checkpoint stops it", async || {
            bed.app.open("a");
            bed.state(&id).await.is_final()
        })
        .await;
        drop(worker);
    })
    .await;
}

/// On SQLite every commit is such a hint: a renewal, being a commit, would cause the next one for as long as a job runs.
async fn a_hint_that_something_is_to_be_cancelled_renews_no_lease(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.foreign_worker();
        let held = bed.enqueue(&Scripted::new("held", &[Act::Gate])).await;
        let unwanted = bed.enqueue(&Scripted::new("unwanted", &[Act::Checkpoints])).await;
        bed.until_runs("held", 1).await;
        bed.until_runs("unwanted", 1).await;
        let long_ago = Timestamp::from_unix_ms(0);
        let sql = "UPDATE jobs SET leased_until = $2 WHERE id = $1";
        bed.db.write(sql).bind(&held).bind(long_ago).execute().await.unwrap();
        assert_eq!(cancel(&bed, &unwanted).await.unwrap(), Steered::Requested);
        bed.until_state(&unwanted, State::Cancelled).await;
        let sql = "SELECT leased_until FROM jobs WHERE id = $1";
        let leased_until: Timestamp = bed.db.read(sql).bind(&held).scalar().await.unwrap();
        assert_eq!(leased_until, long_ago);
        drop(worker);
    })
    .await;
}

async fn a_running_job_that_fails_is_cancelled_instead_of_retried(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let poll = Act::Poll { after_ms: 5_000, until_ms: None };
        let id = bed.enqueue(&Scripted::new("a", &[poll])).await;
        crate::bed::eventually("it polls", async || bed.queue.job(&id).await.unwrap().unwrap().polls == 1).await;
        // The wish arrives while it runs: written to the row as another process would.
        bed.db.write("UPDATE jobs SET cancel_requested = TRUE WHERE id = $1").bind(&id).execute().await.unwrap();
        bed.clock.advance(Duration::from_secs(5));
        bed.until_state(&id, State::Cancelled).await;
        assert_eq!(bed.deaths().await, [(id, "cancelled".to_owned())]);
        drop(worker);
    })
    .await;
}

async fn a_dead_job_can_be_retried_with_a_fresh_budget_and_keeps_its_history(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let id = bed.enqueue(&Scripted::new("a", &[Act::Fail, Act::Done])).await;
        bed.until_state(&id, State::Dead).await;
        assert_eq!(retry(&bed, &id).await.unwrap(), Steered::Done);
        bed.until_state(&id, State::Succeeded).await;
        let detail = bed.queue.detail(&id).await.unwrap().unwrap();
        assert_eq!((detail.job.attempts, detail.attempt_history.len()), (1, 1));
        assert!(matches!(retry(&bed, &id).await, Err(SteerError::Refused(Refusal::Succeeded))));
        assert!(matches!(retry(&bed, "nonsense").await, Err(SteerError::NotFound)));
        drop(worker);
    })
    .await;
}

async fn a_retry_is_refused_while_a_duplicate_holds_the_dedup_key(engine: Engine) {
    on(engine, async |bed| {
        let duplicate = Scripted::new("a", &[Act::Done]).keys(Keys::dedup("k"));
        let first = bed.enqueue(&duplicate).await;
        cancel(&bed, &first).await.unwrap();
        assert!(bed.try_enqueue(&duplicate).await.is_created());
        assert!(matches!(retry(&bed, &first).await, Err(SteerError::Duplicate)));
    })
    .await;
}

async fn a_retry_that_would_find_nothing_to_do_is_refused_and_leaves_the_job_as_it_is(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let id = bed.enqueue(&Scripted::new(FINISHED, &[Act::Fail])).await;
        bed.until_state(&id, State::Dead).await;
        let refused = retry(&bed, &id).await.unwrap_err();
        assert_eq!(refused.to_string(), "a retry would do nothing: it is finished");
        assert_eq!(bed.state(&id).await, State::Dead);
        drop(worker);
    })
    .await;
}
