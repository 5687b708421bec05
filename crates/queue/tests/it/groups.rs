use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_queue::Keys;
use nightshift_queue::lifecycle::State;

use crate::bed::{Act, Scripted, eventually, on};

each_engine! {
    jobs_of_a_group_run_one_at_a_time_in_order,
    in_a_plain_group_a_job_that_waits_for_its_retry_lets_younger_ones_pass,
    in_a_strict_group_it_holds_them_back_until_it_ends,
    two_running_jobs_of_one_group_cannot_be_stored,
    many_groups_and_workers_keep_every_group_in_order,
}

fn plain(name: &str, acts: &[Act]) -> Scripted {
    Scripted::new(name, acts).keys(Keys::default().group("g"))
}

fn strict(name: &str, acts: &[Act]) -> Scripted {
    Scripted::new(name, acts).keys(Keys::default().strict_group("g"))
}

async fn jobs_of_a_group_run_one_at_a_time_in_order(engine: Engine) {
    on(engine, async |bed| {
        let mut ids = Vec::new();
        for name in ["1", "2", "3", "4", "5"] {
            ids.push(bed.enqueue(&plain(name, &[Act::Gate])).await);
        }
        let outside = bed.enqueue(&Scripted::new("outside", &[Act::Done])).await;
        let workers = (bed.worker(), bed.foreign_worker());
        bed.until_state(&outside, State::Succeeded).await;
        for (index, name) in ["1", "2", "3", "4", "5"].into_iter().enumerate() {
            bed.until_runs(name, 1).await;
            let running: i64 = bed.db.read("SELECT count(*) FROM jobs WHERE state = 'running'").scalar().await.unwrap();
            assert_eq!(running, 1);
            bed.app.open(name);
            bed.until_state(&ids[index], State::Succeeded).await;
            // The second worker hears of it only by its routine look.
            bed.clock.advance(Duration::from_secs(5));
        }
        let in_order: Vec<_> = bed.app.runs().into_iter().filter(|name| name != "outside").collect();
        assert_eq!(in_order, ["1", "2", "3", "4", "5"]);
        drop(workers);
    })
    .await;
}

async fn in_a_plain_group_a_job_that_waits_for_its_retry_lets_younger_ones_pass(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let first = bed.enqueue(&plain("1", &[Act::Retry, Act::Done])).await;
        bed.until_state(&first, State::Retrying).await;
        let second = bed.enqueue(&plain("2", &[Act::Done])).await;
        bed.until_state(&second, State::Succeeded).await;
        bed.clock.advance(Duration::from_secs(6));
        bed.until_state(&first, State::Succeeded).await;
        drop(worker);
    })
    .await;
}

async fn in_a_strict_group_it_holds_them_back_until_it_ends(engine: Engine) {
    on(engine, async |bed| {
        let worker = bed.worker();
        let first = bed.enqueue(&strict("1", &[Act::Retry, Act::Done])).await;
        bed.until_state(&first, State::Retrying).await;
        let second = bed.enqueue(&strict("2", &[Act::Done])).await;
        let outside = bed.enqueue(&Scripted::new("outside", &[Act::Done])).await;
        bed.until_state(&outside, State::Succeeded).await;
        assert_eq!(bed.state(&second).await, State::Queued);
        bed.until_explained(&second, &format!("waits for job {first} of the same group")).await;
        bed.clock.advance(Duration::from_secs(6));
        bed.until_state(&second, State::Succeeded).await;
        assert_eq!(bed.app.runs(), ["1", "outside", "1", "2"]);
        drop(worker);
    })
    .await;
}

async fn two_running_jobs_of_one_group_cannot_be_stored(engine: Engine) {
    on(engine, async |bed| {
        let one = bed.enqueue(&plain("1", &[Act::Done])).await;
        let two = bed.enqueue(&plain("2", &[Act::Done])).await;
        let run = "UPDATE jobs SET state = 'running' WHERE id = $1";
        bed.db.write(run).bind(&one).execute().await.unwrap();
        assert!(bed.db.write(run).bind(&two).execute().await.unwrap_err().is_unique_violation());
    })
    .await;
}

async fn many_groups_and_workers_keep_every_group_in_order(engine: Engine) {
    on(engine, async |bed| {
        let workers = (bed.worker_with(&[("main", 4)]), bed.foreign_worker());
        for round in 0..10 {
            for group in 0..8 {
                let name = format!("{group}.{round}");
                bed.enqueue(&Scripted::new(&name, &[Act::Done]).keys(Keys::default().group(group.to_string()))).await;
            }
        }
        eventually("all have run", async || {
            bed.clock.advance(Duration::from_millis(500));
            bed.app.runs().len() == 80
        })
        .await;
        for group in 0..8 {
            let order: Vec<_> =
                bed.app.runs().into_iter().filter(|name| name.starts_with(&format!("{group}."))).collect();
            let expected: Vec<_> = (0..10).map(|round| format!("{group}.{round}")).collect();
            assert_eq!(order, expected);
        }
        drop(workers);
    })
    .await;
}
