//! The backend of a kind's apalis worker: it yields the jobs of that kind that the dispatcher has claimed, and never fails.
//!
//! Claims, leases and results live outside it, because apalis polls a backend only while its worker has room.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::worker::context::WorkerContext;
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};
use tower::layer::util::Identity;

use crate::handlers::task::RunningJob;
use crate::runtime::run::Run;
use crate::runtime::slots::Slot;

/// A claimed job on its way from the dispatcher to its worker, with the slot that it takes.
pub(crate) type Delivered = (Run, Slot);

/// The dispatcher's end.
pub(crate) type Deliveries = mpsc::UnboundedSender<Delivered>;

/// How long a worker that was started again waits for its first job, so that one that fails at once does not spin.
const PAUSE_AFTER_RESTART: Duration = Duration::from_millis(100);

/// The workers' end. A worker that is started again shares it, and goes on where the last one stopped.
#[derive(Clone)]
pub(crate) struct ClaimedJobs(Arc<Mutex<mpsc::UnboundedReceiver<Delivered>>>);

/// The backend of one worker.
pub(crate) struct ClaimedJobsBackend {
    jobs: ClaimedJobs,
    pause: Option<Pin<Box<Sleep>>>,
}

impl ClaimedJobs {
    pub(crate) fn channel() -> (Deliveries, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self(Arc::new(Mutex::new(receiver))))
    }

    /// The backend of a worker that has been started again so many times.
    pub(crate) fn backend(&self, restarts: usize) -> ClaimedJobsBackend {
        let pause = (restarts > 0).then(|| Box::pin(sleep(PAUSE_AFTER_RESTART)));
        ClaimedJobsBackend { jobs: self.clone(), pause }
    }

    /// Takes no more jobs, and gives back those that no worker has taken.
    pub(crate) async fn give_back(&self) {
        self.receiver().close();
        loop {
            let untaken = self.receiver().try_recv();
            let Ok((run, _slot)) = untaken else { return };
            run.give_back().await;
        }
    }

    fn receiver(&self) -> MutexGuard<'_, mpsc::UnboundedReceiver<Delivered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for ClaimedJobsBackend {
    type Task = Task<RunningJob>;
    type Error = Infallible;

    fn poll_ready(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(Ok(()))
    }

    /// The run is in the task's data, where the layer that finishes it finds it. One that is dropped without that gives
    /// its job back.
    fn poll_next(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Self::Task, Infallible>>> {
        self.jobs.receiver().poll_recv(cx).map(|delivered| {
            delivered.map(|delivered| {
                let job = delivered.0.job();
                Ok(TaskBuilder::new(job).data(Arc::new(delivered)).build())
            })
        })
    }

    fn poll_close(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for ClaimedJobsBackend {
    type Args = RunningJob;
    type Id = String;
    /// The arguments are what was claimed; nothing is decoded before a layer sees them.
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}
