//! The backend of a kind's apalis worker: it yields the jobs of that kind that the dispatcher has claimed, and never fails.
//!
//! Claims, leases and results live outside it, because apalis polls a backend only while its worker has room.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::worker::context::WorkerContext;
use tokio::sync::mpsc;
use tower::layer::util::Identity;

use crate::handlers::task::RunningJob;
use crate::runtime::run::Run;
use crate::runtime::slots::Slot;

/// A claimed job on its way from the dispatcher to its worker, with the slot that it takes.
pub(crate) type Delivered = (Run, Slot);

/// The dispatcher's end.
pub(crate) type Deliveries = mpsc::UnboundedSender<Delivered>;

/// The worker's end. Clones share it, so that a worker that is started again goes on where the last one stopped.
#[derive(Clone)]
pub(crate) struct ClaimedJobs(Arc<Mutex<mpsc::UnboundedReceiver<Delivered>>>);

impl ClaimedJobs {
    pub(crate) fn channel() -> (Deliveries, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self(Arc::new(Mutex::new(receiver))))
    }
}

impl Backend for ClaimedJobs {
    type Task = Task<RunningJob>;
    type Error = Infallible;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// The run is in the task's data, where the layer that finishes it finds it. One that is dropped without that gives
    /// its job back.
    fn poll_next(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Self::Task, Infallible>>> {
        let mut receiver = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        receiver.poll_recv(cx).map(|delivered| {
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

impl BackendConfig for ClaimedJobs {
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
