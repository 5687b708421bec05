//! Whatever panics around a handler, here the log that a run writes to, its job goes on.

use std::ops::Range;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::failpoint::{self, Action};
use nightshift_db::testing::each_engine;
use nightshift_queue::lifecycle::State;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::bed::{Act, Scripted, eventually, on};

each_engine! {
    a_job_goes_on_although_the_log_panics_anywhere_around_its_handler,
    a_worker_that_fails_is_started_again,
    a_job_whose_worker_was_started_again_is_given_back_at_a_shutdown,
    workers_that_all_end_are_started_again,
}

/// A log that panics at some of the spans and lines of the queue.
#[derive(Clone, Default)]
struct PanickingLog {
    calls: Arc<AtomicI64>,
    panics: Arc<Mutex<Range<i64>>>,
}

impl PanickingLog {
    /// From now on the calls of `panics` panic; the next call is number 1.
    fn arm(&self, panics: Range<i64>) {
        *self.panics.lock().unwrap() = panics;
        self.calls.store(0, Ordering::SeqCst);
    }

    fn has_panicked(&self) -> bool {
        self.calls.load(Ordering::SeqCst) + 1 >= self.panics.lock().unwrap().end
    }

    fn called(&self) {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let panics = self.panics.lock().unwrap().contains(&call);
        assert!(!panics, "the log is broken");
    }
}

impl Subscriber for PanickingLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("nightshift_queue")
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        self.called();
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {
        self.called();
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// A run that fails and one that succeeds open a span each and write a line each.
const CALLS: i64 = 4;

async fn a_job_goes_on_although_the_log_panics_anywhere_around_its_handler(engine: Engine) {
    on(engine, async |bed| {
        let log = PanickingLog::default();
        let _logging = tracing::subscriber::set_default(log.clone());
        let worker = bed.worker();
        for call in 1..=CALLS {
            log.arm(call..call + 1);
            let name = format!("job {call}");
            let id = bed.enqueue(&Scripted::new(&name, &[Act::Retry, Act::Done])).await;
            loop {
                // Not running: neither the panic nor its lease holds it back.
                eventually(&format!("call {call} panics and the job goes on"), async || {
                    bed.state(&id).await != State::Running
                })
                .await;
                let job = bed.queue.job(&id).await.unwrap().unwrap();
                if job.state == State::Succeeded {
                    break;
                }
                bed.clock.set(job.run_at.max(bed.clock.now()));
            }
            assert!(log.has_panicked(), "a run makes fewer than {call} calls");
            // It was given back by the run itself, not by a lease that ran out.
            assert_eq!(bed.queue.job(&id).await.unwrap().unwrap().crashes, 0);
        }
        drop(worker);
    })
    .await;
}

/// The span of the run, the line that says that its task ended, and the line that says that the worker failed over that.
const CALLS_UP_TO_A_RESTART: i64 = 3;

async fn a_worker_that_fails_is_started_again(engine: Engine) {
    on(engine, async |bed| {
        let log = PanickingLog::default();
        let _logging = tracing::subscriber::set_default(log.clone());
        let worker = bed.worker_with(&[("main", 2)]);
        let held = bed.enqueue(&Scripted::new("held", &[Act::Gate])).await;
        bed.until_runs("held", 1).await;
        log.arm(1..CALLS_UP_TO_A_RESTART + 1);
        let first = bed.enqueue(&Scripted::new("first", &[Act::Done])).await;
        eventually("the worker has failed", async || log.has_panicked()).await;
        eventually("the job is given back", async || bed.state(&first).await == State::Retrying).await;
        let second = bed.enqueue(&Scripted::new("second", &[Act::Done])).await;
        bed.until_state(&second, State::Succeeded).await;
        // A job that runs meanwhile goes on in its own task.
        bed.app.open("held");
        bed.until_state(&held, State::Succeeded).await;
        assert_eq!(bed.queue.job(&held).await.unwrap().unwrap().crashes, 0);
        // All slots are free again.
        for name in ["third", "fourth"] {
            bed.enqueue(&Scripted::new(name, &[Act::Gate])).await;
        }
        bed.until_runs("third", 1).await;
        bed.until_runs("fourth", 1).await;
        drop(worker);
    })
    .await;
}

/// The worker waits for the tasks that it began before it failed.
async fn a_job_whose_worker_was_started_again_is_given_back_at_a_shutdown(engine: Engine) {
    on(engine, async |bed| {
        let log = PanickingLog::default();
        let _logging = tracing::subscriber::set_default(log.clone());
        let worker = bed.worker();
        let held = bed.enqueue(&Scripted::new("held", &[Act::Hang])).await;
        bed.until_runs("held", 1).await;
        log.arm(1..CALLS_UP_TO_A_RESTART + 1);
        bed.enqueue(&Scripted::new("first", &[Act::Done])).await;
        eventually("the worker has failed", async || log.has_panicked()).await;
        worker.shutdown(Duration::from_millis(50)).await;
        let job = bed.queue.job(&held).await.unwrap().unwrap();
        assert_eq!((job.state, job.attempts, job.crashes), (State::Queued, 0, 0));
    })
    .await;
}

async fn workers_that_all_end_are_started_again(engine: Engine) {
    on(engine, async |bed| {
        for (action, name) in [(Action::Panic, "panic"), (Action::Error, "error")] {
            failpoint::arm("workers.run", action, 1);
            let worker = bed.worker();
            let id = bed.enqueue(&Scripted::new(name, &[Act::Done])).await;
            bed.until_state(&id, State::Succeeded).await;
            assert_eq!(worker.health().trouble(), None);
            drop(worker);
        }
    })
    .await;
}
