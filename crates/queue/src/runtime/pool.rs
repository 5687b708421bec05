//! The apalis workers of a process, one for each kind of job, under one [`Monitor`].
//!
//! Whatever ends a worker or the monitor, it is started again. Each job has a task of its own, which outlives both.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use apalis::layers::catch_panic::CatchPanicLayer;
use apalis::prelude::{
    BoxDynError, Event, Monitor, ParallelizeExt, WorkerBuilder, WorkerBuilderExt, WorkerContext, WorkerError,
};
use futures_util::FutureExt;
use futures_util::future::join_all;
use nightshift_db::failpoint;
use tokio::sync::watch;
use tower::service_fn;

use crate::handlers::kind::Kind;
use crate::handlers::task::RunTask;
use crate::job::{JobError, Policy};
use crate::runtime::backend::{ClaimedJobs, Deliveries};
use crate::runtime::dispatcher::stopped;
use crate::runtime::finish::FinishLayer;
use crate::store::queue::Queue;

/// Before a monitor that ended is started again.
const PAUSE_AFTER_END: Duration = Duration::from_millis(250);

/// The workers of a process.
pub(crate) struct Pool<S> {
    kinds: Vec<WorkerOfKind>,
    /// Handlers find it in the data of their tasks.
    app: Arc<S>,
    queue: Queue,
}

/// What the worker of a kind is built from.
struct WorkerOfKind {
    name: &'static str,
    run: RunTask,
    policy: Policy,
    jobs: ClaimedJobs,
}

impl<S: Send + Sync + 'static> Pool<S> {
    /// The workers of `kinds`, and where the dispatcher sends the jobs of each kind.
    pub(crate) fn new<'a>(
        kinds: impl Iterator<Item = (&'static str, &'a Kind)>,
        app: Arc<S>,
        queue: Queue,
    ) -> (Self, BTreeMap<&'static str, Deliveries>) {
        let mut deliveries = BTreeMap::new();
        let kinds = kinds.map(|(name, kind)| {
            let (sender, jobs) = ClaimedJobs::channel();
            deliveries.insert(name, sender);
            WorkerOfKind { name, run: kind.run, policy: kind.policy, jobs }
        });
        let kinds = kinds.collect();
        (Self { kinds, app, queue }, deliveries)
    }

    /// Runs the workers until `stop` is set; then gives back the jobs that have not begun, and returns when the others have
    /// ended.
    pub(crate) async fn run(self, mut stop: watch::Receiver<bool>) {
        loop {
            let monitor = self.monitor();
            let context = monitor.context();
            let mut running = pin!(AssertUnwindSafe(run_monitor(monitor)).catch_unwind());
            tokio::select! {
                // Polled in order: after a stop no job begins.
                biased;
                () = stopped(&mut stop) => {
                    let _ = context.shutdown();
                    // A worker drops its end of the channel only when the last of its jobs has ended.
                    let given_back = join_all(self.kinds.iter().map(|kind| kind.jobs.give_back()));
                    let _ = tokio::join!(given_back, running);
                    return;
                }
                ended = &mut running => monitor_ended(ended),
            }
            tokio::time::sleep(PAUSE_AFTER_END).await;
        }
    }

    fn monitor(&self) -> Monitor {
        let monitor = Monitor::new().should_restart(restart).on_event(report);
        self.kinds.iter().fold(monitor, |monitor, kind| self.with_worker(monitor, kind))
    }

    /// Adds the worker of a kind. Each layer wraps those after it.
    fn with_worker(&self, monitor: Monitor, kind: &WorkerOfKind) -> Monitor {
        let &WorkerOfKind { name, run, policy, ref jobs } = kind;
        let (app, queue, jobs) = (self.app.clone(), self.queue.clone(), jobs.clone());
        monitor.register(move |restarts| {
            WorkerBuilder::new(format!("{name}-{restarts}"))
                .backend(jobs.backend(restarts))
                .data(app.clone())
                .data(queue.clone())
                // A handler that computes for long must not delay the other jobs, so each job has a task of its own.
                .parallelize(tokio::spawn)
                .layer(FinishLayer { clock: queue.clock().clone(), policy })
                .layer(CatchPanicLayer::with_panic_handler(|panic| JobError::panic(panic_text(&**panic))))
                .timeout(policy.timeout)
                .build(service_fn(run))
        })
    }
}

async fn run_monitor(monitor: Monitor) -> Result<(), BoxDynError> {
    failpoint::hit("workers.run").await?;
    Ok(monitor.run().await?)
}

/// Nothing else catches a panic of this function: a log that panics here would end all workers.
fn monitor_ended(ended: std::thread::Result<Result<(), BoxDynError>>) {
    let _ = catch_unwind(AssertUnwindSafe(|| match ended {
        Ok(Ok(())) => tracing::error!("all workers ended and are started again"),
        Ok(Err(error)) => tracing::error!(%error, "the workers failed and are started again"),
        Err(_panic) => tracing::error!("the workers' monitor panicked and is started again"),
    }));
}

/// Always: without its worker, the jobs of a kind would be held and never run.
fn restart(worker: &WorkerContext, error: &WorkerError) -> bool {
    // The monitor does not catch a panic of this function, so a log that panics here would end it.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        tracing::error!(worker = worker.name(), %error, "a worker failed and is started again");
    }));
    true
}

/// The only errors of our layers are panics outside the handler, which end the job's task.
fn report(_: &WorkerContext, event: &Event) {
    if let Event::Error(error) = event {
        tracing::error!(%error, "a job's task ended abnormally; the job was given back");
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]
mod tests {
    use nightshift_db::testing::migrated;
    use nightshift_db::{Clock, Engine, Timestamp};
    use serde::{Deserialize, Serialize};
    use tokio::sync::Semaphore;

    use super::*;
    use crate::handlers::context::JobContext;
    use crate::handlers::handler::{Handler, NoHooks};
    use crate::job::{Job, JobResult, Outcome};
    use crate::runtime::run::tests::begun_all;
    use crate::runtime::slots::{Slot, Slots};
    use crate::store::lifecycle::State;

    /// Says that it has begun and waits for its gate.
    #[derive(Serialize, Deserialize)]
    struct Gated {}

    struct App {
        begun: Semaphore,
        gate: Semaphore,
    }

    impl Job for Gated {
        const KIND: &'static str = "kind";
        const QUEUE: &'static str = "main";
        fn policy() -> Policy {
            Policy::standard(2)
        }
    }

    impl Handler<App> for Gated {
        type Hooks = NoHooks;
        async fn run(self, ctx: JobContext<App>) -> JobResult {
            ctx.app.begun.add_permits(1);
            ctx.app.gate.acquire().await.unwrap().forget();
            Ok(Outcome::done())
        }
    }

    #[tokio::test]
    async fn a_job_that_has_not_begun_is_given_back_while_another_of_its_kind_runs() {
        let database = migrated(Engine::Sqlite).await;
        let queue = Queue::new(database.db.clone(), Clock::manual(Timestamp::from_unix_ms(0)));
        let app = Arc::new(App { begun: Semaphore::new(0), gate: Semaphore::new(0) });
        let kind = Kind::of::<Gated, App>();
        let (pool, deliveries) = Pool::new([(Gated::KIND, &kind)].into_iter(), app.clone(), queue.clone());
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(pool.run(stopped));

        let slots = Slots::new("main".to_owned(), 2, queue.wake().clone());
        slots.take(2);
        let (runs, mut endings, _leases) = begun_all(&["first", "second"]);
        let [first, second] = <[_; 2]>::try_from(runs).ok().unwrap();
        deliveries[Gated::KIND].send((first, Slot::taken(&slots))).ok().unwrap();
        app.begun.acquire().await.unwrap().forget();
        // On one thread no worker can take it before it sees the stop.
        deliveries[Gated::KIND].send((second, Slot::taken(&slots))).ok().unwrap();
        stop.send_replace(true);

        let ended = tokio::time::timeout(Duration::from_secs(20), endings.recv()).await;
        let (ended, _lease) = ended.expect("it is given back before the gate opens").unwrap();
        assert_eq!((ended.claimed.id.as_str(), ended.change.life.state), ("second", State::Queued));
        assert_eq!((slots.free(), app.begun.available_permits()), (1, 0));
        app.gate.add_permits(1);
        let (ended, _lease) = endings.recv().await.unwrap();
        assert_eq!((ended.claimed.id.as_str(), ended.change.life.state), ("first", State::Succeeded));
        running.await.unwrap();
        assert_eq!(slots.free(), 2);
    }
}
