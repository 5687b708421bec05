//! The apalis workers of a process, one for each kind of job, under one [`Monitor`].

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use apalis::layers::catch_panic::CatchPanicLayer;
use apalis::prelude::{Event, Monitor, ParallelizeExt, WorkerBuilder, WorkerBuilderExt, WorkerContext, WorkerError};
use tower::service_fn;

use crate::handlers::kind::Kind;
use crate::job::JobError;
use crate::runtime::backend::{ClaimedJobs, Deliveries};
use crate::runtime::finish::FinishLayer;
use crate::store::queue::Queue;

/// A monitor with the workers of `kinds`, and where the dispatcher sends the jobs of each kind. Handlers find `app` in the
/// data of their tasks.
pub(crate) fn workers<'a, S: Send + Sync + 'static>(
    kinds: impl Iterator<Item = (&'static str, &'a Kind)>,
    app: &Arc<S>,
    queue: &Queue,
) -> (Monitor, BTreeMap<&'static str, Deliveries>) {
    let mut monitor = Monitor::new().should_restart(restart).on_event(report);
    let mut deliveries = BTreeMap::new();
    for (name, kind) in kinds {
        let (sender, jobs) = ClaimedJobs::channel();
        deliveries.insert(name, sender);
        monitor = with_worker(monitor, name, kind, jobs, app.clone(), queue.clone());
    }
    (monitor, deliveries)
}

/// Adds the worker of a kind. Each layer wraps those after it.
fn with_worker<S: Send + Sync + 'static>(
    monitor: Monitor,
    name: &'static str,
    kind: &Kind,
    jobs: ClaimedJobs,
    app: Arc<S>,
    queue: Queue,
) -> Monitor {
    let (run, policy) = (kind.run, kind.policy);
    monitor.register(move |restarts| {
        WorkerBuilder::new(format!("{name}-{restarts}"))
            .backend(jobs.clone())
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

/// Always: without its worker, the jobs of a kind would be held and never run.
fn restart(worker: &WorkerContext, error: &WorkerError) -> bool {
    // The monitor does not catch a panic of this function: a log that panics here would end all workers.
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
