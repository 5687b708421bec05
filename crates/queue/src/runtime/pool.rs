//! A pool: the apalis worker that runs the jobs of one queue in this process, fed by the dispatcher.
//!
//! The [`Backend`] here is the narrow door between the two: it hands over what the dispatcher has claimed and never
//! fails. Claims, leases and results live outside it, because apalis polls a backend only while it has room.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::task::Task;
use apalis_core::task::data::Data;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::context::WorkerContext;
use futures_util::FutureExt;
use tokio::sync::mpsc;
use tower::layer::util::Identity;

use crate::runtime::run::Run;
use crate::runtime::runner::Runner;
use crate::runtime::slots::Slot;

/// Before a worker that ended by itself is started again.
const PAUSE_AFTER_END: Duration = Duration::from_millis(100);

/// A claimed job with its slot, on its way from the dispatcher to the worker.
pub(crate) type Delivered = (Run, Slot);

/// The receiving end; shared, so that a restarted worker goes on where the last one stopped.
pub(crate) type Deliveries = Arc<Mutex<mpsc::UnboundedReceiver<Delivered>>>;

struct Source {
    deliveries: Deliveries,
}

impl Backend for Source {
    type Task = Task<Arc<Mutex<Option<Delivered>>>>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Infallible>>> {
        let mut deliveries = self.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        deliveries.poll_recv(cx).map(|delivered| match delivered {
            Some(job) => Some(Ok(Task::new(Arc::new(Mutex::new(Some(job)))))),
            None => {
                // A worker whose backend has ended lingers until it is told to stop. It refuses only when it already is.
                let _ = worker.stop();
                None
            }
        })
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for Source {
    type Args = Arc<Mutex<Option<Delivered>>>;
    type Id = String;
    type Kind = apalis_core::backend::finalize::Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}

/// Runs the pool's worker until its deliveries end and everything it started has ended. A worker that ends before that is
/// started again: without one, what is delivered would be held and never run.
pub(crate) async fn run<S: Send + Sync + 'static>(name: String, deliveries: Deliveries, runner: Arc<Runner<S>>) {
    loop {
        let source = Source { deliveries: deliveries.clone() };
        let worker = WorkerBuilder::new(name.as_str()).backend(source).data(runner.clone()).build(run_delivered::<S>);
        let ended = AssertUnwindSafe(worker.run()).catch_unwind().await;
        if deliveries.lock().unwrap_or_else(PoisonError::into_inner).is_closed() {
            return;
        }
        match ended {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::error!(%error, "a pool's worker ended with an error and is started again"),
            Err(_) => tracing::error!("a pool's worker panicked and is started again"),
        }
        tokio::time::sleep(PAUSE_AFTER_END).await;
    }
}

async fn run_delivered<S: Send + Sync + 'static>(
    delivered: Arc<Mutex<Option<Delivered>>>,
    runner: Data<Arc<Runner<S>>>,
) {
    let Some((run, slot)) = delivered.lock().unwrap_or_else(PoisonError::into_inner).take() else {
        return;
    };
    let runner = Arc::clone(&runner);
    // A task of its own: a handler that computes for long holds up neither its siblings nor the pool.
    let job = tokio::spawn(async move {
        runner.run(run).await;
        drop(slot);
    });
    if let Err(error) = job.await {
        tracing::error!(%error, "a job's task ended abnormally; the job was given back");
    }
}
