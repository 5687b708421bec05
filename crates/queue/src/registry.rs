//! The kinds a worker knows: the table of contents of what it can do.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use nightshift_db::{Timestamp, Tx};
use serde_json::Value;

use crate::claim::Claimed;
use crate::job::PayloadError;
use crate::{ErrorClass, Job, JobContext, JobError, JobInfo, JobResult, Policy};

/// A job that has just died, handed to its kind within the transaction that ends it.
#[derive(Debug, Clone)]
pub struct DeadJob {
    /// Its facts.
    pub info: JobInfo,
    /// Its payload.
    pub payload: Value,
    /// What ended it.
    pub class: ErrorClass,
    /// The last error's text.
    pub error: String,
    /// When it died.
    pub at: Timestamp,
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
type Run<S> = dyn Fn(&Claimed, JobContext<S>) -> Result<BoxFuture<'static, JobResult>, PayloadError> + Send + Sync;
pub(crate) type OnDead<S> =
    dyn for<'a> Fn(&'a mut Tx, &'a DeadJob, &'a S) -> BoxFuture<'a, Result<(), JobError>> + Send + Sync;

/// One kind of job: how it is run, and what happens when it dies.
pub struct Kind<S> {
    pub(crate) name: &'static str,
    pub(crate) queue: &'static str,
    pub(crate) policy: Policy,
    pub(crate) run: Arc<Run<S>>,
    pub(crate) on_dead: Option<Arc<OnDead<S>>>,
}

impl<S: Send + Sync + 'static> Kind<S> {
    /// The kind of `J`, run by `handler`.
    pub fn of<J, F, R>(handler: F) -> Self
    where
        J: Job,
        F: Fn(J, JobContext<S>) -> R + Send + Sync + 'static,
        R: Future<Output = JobResult> + Send + 'static,
    {
        let run = move |claimed: &Claimed, context: JobContext<S>| {
            let job: J = decode(claimed)?;
            let future: BoxFuture<'static, JobResult> = Box::pin(handler(job, context));
            Ok(future)
        };
        Self { name: J::KIND, queue: J::QUEUE, policy: J::policy(), run: Arc::new(run), on_dead: None }
    }

    /// What else happens when a job of this kind dies, in the transaction that ends it. Its failure does not keep the
    /// job alive: unless it is transient it is logged and the job dies without it.
    #[must_use]
    pub fn on_dead<F>(mut self, hook: F) -> Self
    where
        F: for<'a> Fn(&'a mut Tx, &'a DeadJob, &'a S) -> BoxFuture<'a, Result<(), JobError>> + Send + Sync + 'static,
    {
        self.on_dead = Some(Arc::new(hook));
        self
    }
}

fn decode<J: Job>(claimed: &Claimed) -> Result<J, PayloadError> {
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

/// All kinds of a worker.
pub struct Registry<S> {
    kinds: BTreeMap<&'static str, Kind<S>>,
    pub(crate) on_any_dead: Option<Arc<OnDead<S>>>,
}

impl<S: Send + Sync + 'static> Default for Registry<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Send + Sync + 'static> Registry<S> {
    /// A worker that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { kinds: BTreeMap::new(), on_any_dead: None }
    }

    /// Adds the kind of `J`.
    #[must_use]
    pub fn job<J, F, R>(self, handler: F) -> Self
    where
        J: Job,
        F: Fn(J, JobContext<S>) -> R + Send + Sync + 'static,
        R: Future<Output = JobResult> + Send + 'static,
    {
        self.kind(Kind::of::<J, F, R>(handler))
    }

    /// Adds a kind with more to say.
    #[must_use]
    pub fn kind(mut self, kind: Kind<S>) -> Self {
        self.kinds.insert(kind.name, kind);
        self
    }

    /// What happens whenever a job dies, before its kind's own hook.
    #[must_use]
    pub fn on_any_dead<F>(mut self, hook: F) -> Self
    where
        F: for<'a> Fn(&'a mut Tx, &'a DeadJob, &'a S) -> BoxFuture<'a, Result<(), JobError>> + Send + Sync + 'static,
    {
        self.on_any_dead = Some(Arc::new(hook));
        self
    }

    pub(crate) fn get(&self, kind: &str) -> Option<&Kind<S>> {
        self.kinds.get(kind)
    }

    /// Names of the kinds, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.kinds.keys().copied().collect()
    }

    /// How each kind is retried.
    pub(crate) fn policies(&self) -> BTreeMap<&'static str, Policy> {
        self.kinds.values().map(|kind| (kind.name, kind.policy)).collect()
    }

    /// Names of the queues the kinds run in, sorted.
    #[must_use]
    pub fn queues(&self) -> Vec<&'static str> {
        let mut queues: Vec<_> = self.kinds.values().map(|kind| kind.queue).collect();
        queues.sort_unstable();
        queues.dedup();
        queues
    }
}
