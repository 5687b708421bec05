//! How apalis runs a [`Handler`]: its `run` is an apalis task function of a typed task, and its [`JobContext`] is taken
//! from the task's data.
//!
//! A worker's backend yields every kind of job as a [`RunningJob`]. The payload is read here, within the layers of the
//! worker, so that one that can't be read costs its own job and not the worker.

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

/// The arguments of a task before its payload is read.
#[derive(Clone)]
pub(crate) struct RunningJob {
    pub claimed: Arc<Claimed>,
    pub signal: watch::Receiver<Signal>,
    /// What the handler notes; it outlives a handler that panics or takes too long.
    pub notes: Arc<Mutex<String>>,
}

/// How jobs of a kind are run, without the type of the kind.
pub(crate) type RunTask = fn(Task<RunningJob>) -> BoxFuture<'static, Result<Outcome, BoxDynError>>;

/// Reads the payload and calls the handler. Both are code of the kind's own, so both may panic when the future is polled.
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

/// What a layer or the backend put into the data of a task. apalis's own `Data` allocates the text of its error even when
/// there is none.
pub(crate) fn data<T: Clone + Send + Sync + 'static, A>(task: &Task<A>) -> Result<T, MissingDataError> {
    task.data().get().cloned().ok_or_else(|| MissingDataError::NotFound(type_name::<T>().to_owned()))
}

/// Reads the payload of a job, whatever version of its kind wrote it.
pub(crate) fn decode<J: Job>(claimed: &Claimed) -> Result<J, PayloadError> {
    // serde's message names the field and the position, and of the content only a single wrong token.
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
