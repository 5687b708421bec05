//! Runs a [`Handler`] as an apalis task function. The [`JobContext`] is extracted from the data of the task.
//!
//! The backend of a worker yields every kind of job as a [`RunningJob`]. The payload is decoded here, inside the layers
//! of the worker, so that a payload that can't be decoded fails its job and not the worker.

use std::any::type_name;
use std::sync::{Arc, Mutex};

use apalis::prelude::{BoxDynError, FromRequest, MissingDataError, Task, task_fn};
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tower::Service;

use crate::handlers::context::JobContext;
use crate::handlers::handler::Handler;
use crate::handlers::signal::Signal;
use crate::job::{Job, Outcome, PayloadError};
use crate::store::claim::Claimed;

/// The arguments of a task before its payload is decoded.
#[derive(Clone)]
pub(crate) struct RunningJob {
    pub claimed: Arc<Claimed>,
    pub signal: watch::Receiver<Signal>,
    /// The notes of the handler. They are kept outside of it because they must survive a panic and a timeout.
    pub notes: Arc<Mutex<String>>,
}

/// The function that runs the jobs of one kind, with the type of the payload erased.
pub(crate) type RunTask = fn(Task<RunningJob>) -> BoxFuture<'static, Result<Outcome, BoxDynError>>;

/// Decodes the payload and calls the handler. Both are code of the job type, and may panic when the future is polled.
pub(crate) fn run<J: Handler<S>, S: Send + Sync + 'static>(
    task: Task<RunningJob>,
) -> BoxFuture<'static, Result<Outcome, BoxDynError>> {
    Box::pin(async move { task_fn(J::run).call(typed::<J>(task)?).await })
}

fn typed<J: Job>(mut task: Task<RunningJob>) -> Result<Task<J>, PayloadError> {
    let job = decode(&task.args.claimed)?;
    task.inject_data(task.args.clone());
    Ok(task.map_args(|_| job))
}

impl<J: Job, S: Send + Sync + 'static> FromRequest<Task<J>> for JobContext<S> {
    type Error = MissingDataError;

    async fn from_request(task: &Task<J>) -> Result<Self, MissingDataError> {
        let RunningJob { claimed, signal, notes } = data(task)?;
        Ok(Self { job: Arc::new(claimed.info()), app: data(task)?, queue: data(task)?, signal, notes })
    }
}

/// Returns a value that a layer or the backend stored in the data of a task. Used instead of apalis's `Data`, which
/// allocates its error text even if the value is found.
pub(crate) fn data<T: Clone + Send + Sync + 'static, A>(task: &Task<A>) -> Result<T, MissingDataError> {
    task.data().get().cloned().ok_or_else(|| MissingDataError::NotFound(type_name::<T>().to_owned()))
}

/// Decodes the payload of a job. An older version of the payload is converted first; a newer one is an error.
pub(crate) fn decode<J: Job>(claimed: &Claimed) -> Result<J, PayloadError> {
    // serde's message is safe to store: it contains at most one wrong token of the payload.
    let unreadable = |error: serde_json::Error| PayloadError(format!("the payload can't be read: {error}"));
    match claimed.payload_version {
        version if version == J::VERSION => serde_json::from_str(&claimed.payload).map_err(unreadable),
        version if version < J::VERSION => {
            let old = serde_json::from_str(&claimed.payload).map_err(unreadable)?;
            serde_json::from_value(J::upcast(version, old)?).map_err(unreadable)
        }
        version => Err(PayloadError(format!("payload version {version} is newer than this program's {}", J::VERSION))),
    }
}
