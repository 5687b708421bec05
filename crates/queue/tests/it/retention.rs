use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_queue::lifecycle::State;
use nightshift_queue::retention::sweep;

use crate::bed::{Act, Scripted, on};

each_engine! {
    ended_jobs_are_forgotten_by_age_and_state_and_nothing_else_is,
}

const DAY: Duration = Duration::from_secs(86_400);

async fn ended_jobs_are_forgotten_by_age_and_state_and_nothing_else_is(engine: Engine) {
    on(engine, async |bed| {
        let ended = |state: &'static str| {
            let bed = &bed;
            async move {
                let id = bed.enqueue(&Scripted::new(state, &[Act::Done])).await;
                bed.db
                    .write("UPDATE jobs SET state = $2, finished_at = $3 WHERE id = $1")
                    .bind(&id)
                    .bind(state)
                    .bind(bed.clock.now())
                    .execute()
                    .await
                    .unwrap();
                id
            }
        };
        let succeeded = ended("succeeded").await;
        let cancelled = ended("cancelled").await;
        let dead = ended("dead").await;
        let waiting = bed.enqueue(&Scripted::new("waiting", &[Act::Done])).await;
        bed.db
            .write(
                "INSERT INTO job_attempts (job_id, attempt, started_at, ended_at, outcome) VALUES ($1, 1, $2, $2, 'transient')",
            )
            .bind(&succeeded)
            .bind(bed.clock.now())
            .execute()
            .await
            .unwrap();

        let exists = async |id: &str| bed.queue.job(id).await.unwrap().is_some();
        for (days, left) in [(13, [true; 4]), (15, [false, true, true, true]), (31, [false, false, true, true]), (91, [false, false, false, true])] {
            let now = bed.clock.now() + DAY * days;
            sweep(&bed.db, now).await.unwrap();
            let stand = [exists(&succeeded).await, exists(&cancelled).await, exists(&dead).await, exists(&waiting).await];
            assert_eq!(stand, left, "after {days} days");
        }
        let attempts: i64 = bed.db.read("SELECT count(*) FROM job_attempts").scalar().await.unwrap();
        assert_eq!(attempts, 0, "attempts go with their job");
        assert_eq!(bed.state(&waiting).await, State::Queued);
    })
    .await;
}
