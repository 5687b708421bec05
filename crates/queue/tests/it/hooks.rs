//! What hooks are given when a job ends without success, and what happens when it can't be read.

use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_queue::admin::SteerError;
use nightshift_queue::lifecycle::State;
use serde_json::{Value, json};

use crate::bed::{ABOUT, Act, Bed, REFUSED, Scripted, TOLD, UNREADABLE, UPSETTING, eventually, on, registry};

each_engine! {
    a_hook_is_given_the_job_as_it_was_read_also_one_of_an_older_version,
    a_cancelled_job_that_cannot_be_read_is_told_without_the_hook_of_its_kind,
    a_job_that_dies_because_reading_it_panics_is_told_without_the_hook_of_its_kind,
    a_job_ends_although_the_database_refuses_what_the_hook_of_every_kind_asks,
    a_cancelled_job_of_an_unknown_kind_is_told,
}

/// Enqueues a job with one attempt, whose row then holds this payload of this version.
async fn stored(bed: &Bed, payload: &Value, version: i64) -> String {
    let id = bed.enqueue(&Scripted::new("new", &[Act::Fail])).await;
    let set = match bed.database.engine() {
        nightshift_db::Engine::Sqlite => {
            "UPDATE jobs SET payload = $2, payload_version = $3, max_attempts = 1 WHERE id = $1"
        }
        nightshift_db::Engine::Postgres => {
            "UPDATE jobs SET payload = $2::jsonb, payload_version = $3, max_attempts = 1 WHERE id = $1"
        }
    };
    bed.db.write(set).bind(&id).bind(payload.to_string()).bind(version).execute().await.unwrap();
    id
}

async fn a_hook_is_given_the_job_as_it_was_read_also_one_of_an_older_version(engine: Engine) {
    on(engine, async |bed| {
        let old = stored(&bed, &json!({"title": "old", "acts": ["fail"]}), 1).await;
        let worker = bed.worker();
        bed.until_state(&old, State::Dead).await;
        let left = [format!("{ABOUT}script old"), "ended: permanent".to_owned(), format!("{TOLD}old")];
        assert_eq!(bed.left_with(&old).await, left);
        drop(worker);
    })
    .await;
}

async fn a_cancelled_job_that_cannot_be_read_is_told_without_the_hook_of_its_kind(engine: Engine) {
    on(engine, async |bed| {
        let id = stored(&bed, &json!({"name": 7}), 2).await;
        let worker = bed.worker();
        eventually("it is parked", async || bed.queue.job(&id).await.unwrap().unwrap().parked_reason.is_some()).await;
        let mut tx = bed.tx().await;
        registry().cancel(&bed.queue, &mut tx, &id).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(bed.state(&id).await, State::Cancelled);
        let left = bed.left_with(&id).await;
        assert_eq!((left.len(), left[0].as_str()), (2, "ended: cancelled"), "{left:?}");
        assert!(left[1].starts_with(&format!("{UNREADABLE}the payload can't be read: ")), "{left:?}");

        let mut tx = bed.tx().await;
        let refused = registry().retry(&bed.queue, &mut tx, &id, None).await.unwrap_err();
        assert!(matches!(refused, SteerError::Pointless(_)), "{refused}");
        assert!(refused.to_string().contains("the payload can't be read"), "{refused}");
        drop((tx, worker));
    })
    .await;
}

async fn a_job_that_dies_because_reading_it_panics_is_told_without_the_hook_of_its_kind(engine: Engine) {
    on(engine, async |bed| {
        let id = stored(&bed, &json!({"title": UPSETTING, "acts": []}), 1).await;
        let worker = bed.worker();
        bed.until_state(&id, State::Dead).await;
        let left = ["ended: panic".to_owned(), format!("{UNREADABLE}reading the payload panicked")];
        assert_eq!(bed.left_with(&id).await, left);
        drop(worker);
    })
    .await;
}

async fn a_job_ends_although_the_database_refuses_what_the_hook_of_every_kind_asks(engine: Engine) {
    on(engine, async |bed| {
        let dying = stored(&bed, &json!({"name": REFUSED, "acts": ["fail"]}), 2).await;
        let worker = bed.worker();
        bed.until_state(&dying, State::Dead).await;
        assert_eq!(bed.left_with(&dying).await, [""; 0]);
        worker.shutdown(Duration::ZERO).await;

        let cancelled = bed.enqueue(&Scripted::new(REFUSED, &[Act::Done])).await;
        let mut tx = bed.tx().await;
        registry().cancel(&bed.queue, &mut tx, &cancelled).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(bed.state(&cancelled).await, State::Cancelled);
        assert_eq!(bed.left_with(&cancelled).await, [format!("{TOLD}{REFUSED}")], "only its own kind's hook counts");
    })
    .await;
}

async fn a_cancelled_job_of_an_unknown_kind_is_told(engine: Engine) {
    on(engine, async |bed| {
        let id = bed.enqueue(&Scripted::new("old", &[Act::Done])).await;
        bed.db.write("UPDATE jobs SET kind = 'unknown' WHERE id = $1").bind(&id).execute().await.unwrap();
        let mut tx = bed.tx().await;
        registry().cancel(&bed.queue, &mut tx, &id).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(bed.state(&id).await, State::Cancelled);
        let left = ["ended: cancelled".to_owned(), format!("{UNREADABLE}this program has no job kind of this name")];
        assert_eq!(bed.left_with(&id).await, left);
    })
    .await;
}
