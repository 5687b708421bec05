use std::time::Duration;

use nightshift_db::testing::{Weather, each_engine, postgres};
use nightshift_db::{Clock, Engine, migrate};
use nightshift_queue::NewJob;
use nightshift_queue::lifecycle::State;

use crate::bed::{Act, Bed, Scripted, on, within};

each_engine! {
    a_job_of_another_process_starts_without_the_clock_moving,
    a_delayed_job_runs_when_due_and_not_before,
    a_backlog_larger_than_the_slots_is_worked_off,
    a_batch_tells_both_what_is_ready_and_what_becomes_due,
    what_becomes_due_at_a_full_process_starts_at_another,
    hints_that_keep_coming_do_not_put_off_the_routine_look,
}

async fn a_job_of_another_process_starts_without_the_clock_moving(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.foreign_worker();
        let settled = bed.enqueue(&Scripted::new("settled", &[Act::Done])).await;
        bed.until_state(&settled, State::Succeeded).await;
        for n in 0..20 {
            let id = bed.enqueue(&Scripted::new(&format!("j{n}"), &[Act::Done])).await;
            bed.until_state(&id, State::Succeeded).await;
        }
        drop(worker);
    })
    .await;
}

async fn a_delayed_job_runs_when_due_and_not_before(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let later = bed.clock.now() + Duration::from_secs(3_600);
        let id = bed.enqueue_new(NewJob::of(&Scripted::new("later", &[Act::Done])).unwrap().run_at(later)).await;
        bed.clock.advance(Duration::from_millis(3_599_999));
        let now = bed.enqueue(&Scripted::new("now", &[Act::Done])).await;
        bed.until_state(&now, State::Succeeded).await;
        assert_eq!(bed.state(&id).await, State::Queued);
        bed.clock.advance(Duration::from_millis(1));
        bed.until_state(&id, State::Succeeded).await;
        drop(worker);
    })
    .await;
}

async fn a_backlog_larger_than_the_slots_is_worked_off(engine: Engine) {
    on(engine, async |bed| {
        let jobs: Vec<_> =
            (0..500).map(|n| NewJob::of(&Scripted::new(&format!("j{n}"), &[Act::Done])).unwrap()).collect();
        let mut tx = bed.tx().await;
        bed.queue.enqueue_all(&mut tx, jobs).await.unwrap();
        tx.commit().await.unwrap();
        let workers = (bed.worker_with(&[("main", 7)]), bed.foreign_worker());
        crate::bed::eventually("all have ended", async || {
            let left: i64 = bed.db.read("SELECT count(*) FROM jobs WHERE state <> 'succeeded'").scalar().await.unwrap();
            left == 0
        })
        .await;
        let mut runs = bed.app.runs();
        runs.sort();
        runs.dedup();
        assert_eq!((runs.len(), bed.app.runs().len()), (500, 500), "each ran once");
        drop(workers);
    })
    .await;
}

async fn a_batch_tells_both_what_is_ready_and_what_becomes_due(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        // The worker has started, and so has looked at what is due, by then.
        let warm = bed.enqueue(&Scripted::new("warm", &[Act::Done])).await;
        bed.until_state(&warm, State::Succeeded).await;
        let later = bed.clock.now() + Duration::from_secs(2);
        let jobs = vec![
            NewJob::of(&Scripted::new("now", &[Act::Done])).unwrap(),
            NewJob::of(&Scripted::new("later", &[Act::Done])).unwrap().run_at(later),
        ];
        let mut tx = bed.tx().await;
        bed.queue.enqueue_all(&mut tx, jobs).await.unwrap();
        tx.commit().await.unwrap();
        bed.until_runs("now", 1).await;
        // Less than the time after which the dispatcher would look by itself.
        bed.clock.advance(Duration::from_secs(2));
        bed.until_runs("later", 1).await;
        drop(worker);
    })
    .await;
}

/// The other process's clock stands: only a hint can have told it that the jobs are due.
async fn what_becomes_due_at_a_full_process_starts_at_another(engine: Engine) {
    on(engine, async |bed| {
        let due = bed.clock.now() + Duration::from_secs(10);
        for name in ["first", "second"] {
            let job = Scripted::new(name, &[Act::Gate]);
            bed.enqueue_new(NewJob::of(&job).unwrap().run_at(due)).await;
        }
        let other = bed.foreign_worker_by(&Clock::manual(bed.clock.now()));
        // The second one is found only by a hint, so it shows that hints are heard.
        for name in ["warm", "warmer"] {
            let id = bed.enqueue(&Scripted::new(name, &[Act::Done])).await;
            bed.until_state(&id, State::Succeeded).await;
        }
        bed.clock.advance(Duration::from_secs(10));
        let full = bed.worker_with(&[("main", 1)]);
        // Neither ends, so no freed slot makes the first process look again.
        bed.until_runs("first", 1).await;
        bed.until_runs("second", 1).await;
        bed.app.open("first");
        bed.app.open("second");
        drop((other, full));
    })
    .await;
}

async fn hints_that_keep_coming_do_not_put_off_the_routine_look(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let far = bed.clock.now() + Duration::from_secs(3_600);
        let id = bed.enqueue_new(NewJob::of(&Scripted::new("unheard", &[Act::Done])).unwrap().run_at(far)).await;
        // No hint says that it is due earlier now.
        let earlier = bed.db.write("UPDATE jobs SET run_at = $2 WHERE id = $1").bind(&id);
        earlier.bind(bed.clock.now() + Duration::from_secs(2)).execute().await.unwrap();
        for n in 0..8 {
            bed.clock.advance(Duration::from_secs(1));
            let noise = bed.enqueue(&Scripted::new(&format!("noise-{n}"), &[Act::Done])).await;
            bed.until_state(&noise, State::Succeeded).await;
        }
        bed.until_runs("unheard", 1).await;
        drop(worker);
    })
    .await;
}

/// The routine look every five seconds needs the clock, which stands: only a listener that noticed that it hears nothing
/// any more can have found the job.
#[tokio::test]
async fn a_listener_whose_connection_is_gone_without_a_word_listens_anew() {
    let database = postgres().await;
    migrate(&database.db).await.unwrap();
    let bed = Bed::on(database);
    let (network, url) = bed.database.over_a_network().await;
    let worker = bed.distant_worker(&url).await;
    let before = bed.enqueue(&Scripted::new("before", &[Act::Done])).await;
    bed.until_state(&before, State::Succeeded).await;
    network.set(Weather::Gone);
    network.set(Weather::Fair);
    let after = bed.enqueue(&Scripted::new("after", &[Act::Done])).await;
    let heard = async || bed.state(&after).await == State::Succeeded;
    within(Duration::from_secs(120), "it hears again", heard).await;
    drop(worker);
}
