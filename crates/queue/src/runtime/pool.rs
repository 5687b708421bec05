//! The apalis workers of a process, one for each kind of job, under one [`Monitor`].

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use apalis::layers::catch_panic::CatchPanicLayer;
use apalis::prelude::{Event, Monitor, ParallelizeExt, WorkerBuilder, WorkerBuilderExt};
use tower::service_fn;

use crate::handlers::kind::Kind;
use crate::job::JobError;
use crate::runtime::backend::ClaimedJobs;
use crate::runtime::settle::SettleLayer;
use crate::store::queue::Queue;

/// A monitor without workers. It starts a worker again that fails: without one, what is delivered would be held and never
/// run.
pub(crate) fn monitor() -> Monitor {
    Monitor::new()
        .should_restart(|worker, error| {
            // The monitor catches no panic here, and one would end all workers.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                tracing::error!(worker = worker.name(), %error, "a worker failed and is started again");
            }));
            true
        })
        .on_event(|_, event| {
            if let Event::Error(error) = event {
                tracing::error!(%error, "a job's task ended abnormally; the job was given back");
            }
        })
}

/// Adds the worker of a kind, whose handler finds `app` in the data of its tasks. An earlier layer is around the later
/// ones.
pub(crate) fn with_worker<S: Send + Sync + 'static>(
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
            // A task of its own: a handler that computes for long holds up neither its siblings nor the worker.
            .parallelize(tokio::spawn)
            .layer(SettleLayer { clock: queue.clock().clone(), policy })
            .layer(CatchPanicLayer::with_panic_handler(|panic| JobError::panic(panic_text(&**panic))))
            .timeout(policy.timeout)
            .build(service_fn(run))
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
