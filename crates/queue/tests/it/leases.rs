use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use nightshift_queue::lifecycle::State;

use crate::bed::{Act, Bed, CURSED, Scripted, THAWED, eventually, in_steps, on};

each_engine! {
    a_job_of_a_dead_worker_is_run_by_another_within_45_seconds_and_the_late_result_is_refused,
    a_frozen_handler_that_wakes_up_after_losing_its_lease_changes_nothing(flavor = "multi_thread", worker_threads = 2),
    the_third_lost_lease_makes_a_job_dead,
    a_lost_job_whose_death_panics_keeps_no_other_from_being_taken_back,
    handlers_that_block_every_thread_do_not_starve_the_renewal(flavor = "multi_thread", worker_threads = 2),
    renewal_never_waits_for_a_row_that_somebody_has_locked,
    a_lease_that_ends_too_late_and_is_renewed_by_nobody_is_taken_back,
}

const RESCUE_LOOK: Duration = Duration::from_secs(5);
const RENEWAL: Duration = Duration::from_secs(10);

/// Ends the lease of a job that has lost as many as `lost`, so that a lease it gets meanwhile is left alone.
async fn expire_lease(bed: &Bed, id: &str, lost: i64) {
    bed.db
        .write("UPDATE jobs SET leased_until = $2 WHERE id = $1 AND crashes = $3 AND state = 'running'")
        .bind(id)
        .bind(Timestamp::from_unix_ms(0))
        .bind(lost)
        .execute()
        .await
        .unwrap();
}

async fn a_job_of_a_dead_worker_is_run_by_another_within_45_seconds_and_the_late_result_is_refused(engine: Engine) {
    on(engine, async |bed| {
        let id = {
            let doomed = bed.worker();
            let id = bed.enqueue(&Scripted::new("a", &[Act::Gate, Act::Done])).await;
            bed.until_runs("a", 1).await;
            // Its services end as if killed: nobody renews the lease any more; the handler itself goes on.
            drop(doomed);
            id
        };
        let survivor = bed.foreign_worker();
        // The lease of 30 s is over after the first; all are 45 s.
        let steps = [Duration::from_secs(31), Duration::from_secs(4), RESCUE_LOOK, RESCUE_LOOK];
        in_steps(&bed.clock, &steps, "the survivor has run it", async || bed.state(&id).await == State::Succeeded)
            .await;
        bed.app.open("a");
        let detail = bed.queue.detail(&id).await.unwrap().unwrap();
        assert_eq!(detail.result, Some(serde_json::json!({ "run": 2 })));
        assert_eq!((detail.job.crashes, detail.job.attempts), (1, 1));
        assert_eq!(detail.attempt_history[0].outcome, "lease_lost");
        drop(survivor);
    })
    .await;
}

/// A handler that waits without blocking its thread would be stopped as soon as the process learns that the lease is lost,
/// which on SQLite may be before the job is claimed again: every commit makes the process ask.
async fn a_frozen_handler_that_wakes_up_after_losing_its_lease_changes_nothing(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let id = bed.enqueue(&Scripted::new("a", &[Act::Freeze, Act::Gate])).await;
        bed.until_runs("a", 1).await;
        expire_lease(&bed, &id, 0).await;
        in_steps(&bed.clock, &[RESCUE_LOOK; 3], "it is taken back", async || {
            // Again: the living worker may renew it before the rescue looks.
            expire_lease(&bed, &id, 0).await;
            bed.app.runs_of("a") == 2
        })
        .await;
        // Both runs are at the gate, and the first to come is the first to leave. Results are written in the order in which
        // they are handed in.
        bed.app.open("a");
        bed.until_runs(&format!("a {THAWED}"), 1).await;
        let marker = bed.enqueue(&Scripted::new("marker", &[Act::Done])).await;
        bed.until_state(&marker, State::Succeeded).await;
        bed.app.open("a");
        bed.until_state(&id, State::Succeeded).await;
        let detail = bed.queue.detail(&id).await.unwrap().unwrap();
        assert_eq!(detail.result, Some(serde_json::json!({ "run": 2 })), "only the holder of the lease writes");
        assert_eq!(detail.job.attempts, 1);
        drop(worker);
    })
    .await;
}

async fn the_third_lost_lease_makes_a_job_dead(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let id = bed.enqueue(&Scripted::new("killer", &[Act::Gate])).await;
        bed.until_runs("killer", 1).await;
        for lost in 1..=3 {
            expire_lease(&bed, &id, lost - 1).await;
            in_steps(&bed.clock, &[RESCUE_LOOK; 3], "it is taken back", async || {
                expire_lease(&bed, &id, lost - 1).await;
                let job = bed.queue.job(&id).await.unwrap().unwrap();
                job.crashes == lost
                    && (job.state == State::Dead || bed.app.runs_of("killer") > usize::try_from(lost).unwrap())
            })
            .await;
        }
        bed.until_state(&id, State::Dead).await;
        let job = bed.queue.job(&id).await.unwrap().unwrap();
        assert_eq!((job.crashes, job.attempts), (3, 0), "lost leases spend no attempt");
        assert_eq!(job.last_error_class.as_deref(), Some("lease_lost"));
        assert_eq!(bed.deaths().await.len(), 1);
        drop(worker);
    })
    .await;
}

async fn a_lost_job_whose_death_panics_keeps_no_other_from_being_taken_back(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let cursed = bed.enqueue(&Scripted::new(CURSED, &[Act::Gate])).await;
        let other = bed.enqueue(&Scripted::new("other", &[Act::Gate, Act::Done])).await;
        bed.until_runs(CURSED, 1).await;
        bed.until_runs("other", 1).await;
        bed.db.write("UPDATE jobs SET crashes = 2 WHERE id = $1").bind(&cursed).execute().await.unwrap();
        expire_lease(&bed, &cursed, 2).await;
        expire_lease(&bed, &other, 0).await;
        in_steps(&bed.clock, &[RESCUE_LOOK; 3], "both are taken back", async || {
            expire_lease(&bed, &cursed, 2).await;
            expire_lease(&bed, &other, 0).await;
            bed.state(&cursed).await == State::Dead && bed.state(&other).await == State::Succeeded
        })
        .await;
        assert_eq!(bed.deaths().await, []);
        drop(worker);
    })
    .await;
}

async fn handlers_that_block_every_thread_do_not_starve_the_renewal(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker_with(&[("main", 2)]);
        let ids = [
            bed.enqueue(&Scripted::new("a", &[Act::Block(1_500)])).await,
            bed.enqueue(&Scripted::new("b", &[Act::Block(1_500)])).await,
        ];
        bed.until_runs("a", 1).await;
        bed.until_runs("b", 1).await;
        bed.clock.advance(Duration::from_secs(11));
        for id in &ids {
            bed.until_state(id, State::Succeeded).await;
            assert_eq!(bed.queue.job(id).await.unwrap().unwrap().crashes, 0);
        }
        drop(worker);
    })
    .await;
}

/// Found by ten thousand polls: a renewal that waited for the rows of a finishing batch, which waited for its rows.
async fn renewal_never_waits_for_a_row_that_somebody_has_locked(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let ids = [
            bed.enqueue(&Scripted::new("a", &[Act::Gate])).await,
            bed.enqueue(&Scripted::new("b", &[Act::Gate])).await,
        ];
        bed.until_runs("a", 1).await;
        bed.until_runs("b", 1).await;
        let lease_of = async |id: &String| {
            let sql = "SELECT leased_until FROM jobs WHERE id = $1";
            bed.db.read(sql).bind(id).scalar::<Timestamp>().await.unwrap()
        };
        let before = lease_of(&ids[1]).await;
        // SQLite has one writer and no locks on rows: there the renewal has nothing to wait for.
        if bed.db.engine() == Engine::Postgres {
            let mut tx = bed.tx().await;
            tx.query("SELECT id FROM jobs WHERE id = $1 FOR UPDATE").bind(&ids[0]).one::<(String,)>().await.unwrap();
            let renewed = async || lease_of(&ids[1]).await > before;
            in_steps(&bed.clock, &[RENEWAL], "the other lease is renewed", renewed).await;
            assert_eq!(lease_of(&ids[0]).await, before, "the locked one is skipped");
            tx.rollback().await.unwrap();
        }
        // The one that was skipped is still held, and renewed the next time.
        in_steps(&bed.clock, &[RENEWAL], "both leases are renewed", async || {
            lease_of(&ids[0]).await > before && lease_of(&ids[1]).await > before
        })
        .await;
        // A job whose lease has expired shows that a rescue looks, and it takes back no lease that is renewed.
        let lost = bed.enqueue(&Scripted::new("lost", &[Act::Gate, Act::Done])).await;
        bed.until_runs("lost", 1).await;
        in_steps(&bed.clock, &[RESCUE_LOOK; 3], "the lost job is taken back", async || {
            expire_lease(&bed, &lost, 0).await;
            bed.state(&lost).await == State::Succeeded
        })
        .await;
        for (id, name) in ids.iter().zip(["a", "b"]) {
            bed.app.open(name);
            bed.until_state(id, State::Succeeded).await;
            assert_eq!(bed.queue.job(id).await.unwrap().unwrap().crashes, 0);
        }
        drop(worker);
    })
    .await;
}

/// The lease was taken before the clock was set back, and its process has died since: it would hold for as long as the
/// clock went back.
async fn a_lease_that_ends_too_late_and_is_renewed_by_nobody_is_taken_back(engine: Engine) {
    on(engine, async |bed| {
        let id = bed.enqueue(&Scripted::new("stranded", &[Act::Done])).await;
        bed.db
            .write("UPDATE jobs SET state = 'running', waiting = FALSE, lease_id = 'gone', leased_until = $2 WHERE id = $1")
            .bind(&id)
            .bind(bed.clock.now() + Duration::from_secs(24 * 3600))
            .execute()
            .await
            .unwrap();
        let worker = bed.worker();
        let living = bed.enqueue(&Scripted::new("living", &[Act::Gate])).await;
        bed.until_runs("living", 1).await;
        let lease_of_the_living = async || {
            let sql = "SELECT leased_until FROM jobs WHERE id = $1";
            bed.db.read(sql).bind(&living).scalar::<Timestamp>().await.unwrap()
        };
        // It counts as abandoned once it was not renewed for longer than the living take. Time goes on only when these
        // have renewed theirs.
        eventually("it is taken back and run", async || {
            if bed.state(&id).await == State::Succeeded {
                return true;
            }
            let before = lease_of_the_living().await;
            bed.clock.advance(RENEWAL);
            eventually("the living job's lease is renewed", async || lease_of_the_living().await > before).await;
            false
        })
        .await;
        let job = bed.queue.job(&id).await.unwrap().unwrap();
        assert_eq!((job.crashes, bed.state(&living).await), (1, State::Running));
        bed.app.open("living");
        drop(worker);
    })
    .await;
}
