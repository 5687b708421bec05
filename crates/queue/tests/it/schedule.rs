//! Schedules, as far as the queue goes: one job per occurrence, whoever fires it.

use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_queue::schedule::{Overlap, Schedule, Scheduler, ZoneMode};
use nightshift_queue::{Job, NewJob};

use crate::bed::{Act, Scripted, on};

each_engine! {
    each_occurrence_has_one_job_however_many_schedulers_look,
}

fn every_minute() -> Schedule {
    Schedule {
        name: "every.minute",
        timetable: "0 * * * * *".parse().unwrap(),
        zone: ZoneMode::Utc,
        overlap: Overlap::Queue,
        kind: Scripted::KIND,
        // Nothing but the occurrence's row keeps a second job away.
        job: |_| NewJob::of(&Scripted::new("tick", &[Act::Done])),
    }
}

async fn each_occurrence_has_one_job_however_many_schedulers_look(engine: Engine) {
    on(engine, async |bed| {
        let mut schedulers: Vec<_> = (0..4).map(|_| Scheduler::new(bed.queue.clone(), vec![every_minute()])).collect();
        for scheduler in &mut schedulers {
            scheduler.tick(&[]).await.unwrap();
        }
        let jobs = async || bed.db.read("SELECT count(*) FROM jobs").scalar::<i64>().await.unwrap();
        let before = jobs().await;
        for minute in 1..=3 {
            bed.clock.advance(Duration::from_secs(60));
            let ticks = schedulers.iter_mut().map(|scheduler| scheduler.tick(&[]));
            for next in futures_util::future::join_all(ticks).await {
                let next = next.unwrap().unwrap();
                assert!(next > bed.clock.now() && next <= bed.clock.now() + Duration::from_secs(60));
            }
            assert_eq!(jobs().await, before + minute);
        }
        // One that starts anew, with nothing in memory, finds everything fired.
        Scheduler::new(bed.queue.clone(), vec![every_minute()]).tick(&[]).await.unwrap();
        assert_eq!(jobs().await, before + 3);
    })
    .await;
}
