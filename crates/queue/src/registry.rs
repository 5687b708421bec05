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

/// A job that ends without success, handed to its kind within the transaction that ends it.
#[derive(Debug, Clone)]
pub struct DeadJob {
    /// Its facts.
    pub info: JobInfo,
    /// Its payload.
    pub payload: Value,
    /// What ended it; [`ErrorClass::Cancelled`] when a person did.
    pub class: ErrorClass,
    /// The last error's text.
    pub error: String,
    /// When it ended.
    pub at: Timestamp,
}

/// A job that ended without success and that a person starts anew, handed to its kind within the transaction that
/// does so.
#[derive(Debug, Clone)]
pub struct RetriedJob {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: String,
    /// Its payload.
    pub payload: Value,
    /// When it is started anew.
    pub at: Timestamp,
}

/// Whether a retry can do the work of a job that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revival {
    /// What the job is about waits for it again.
    Ready,
    /// Another run would find nothing to do, for this reason. The job stays as it ended.
    Pointless(String),
}

/// A future of a hook.
pub type Following<'a, T> = Pin<Box<dyn Future<Output = Result<T, JobError>> + Send + 'a>>;
type Run<S> = dyn Fn(&Claimed, JobContext<S>) -> Result<Running, PayloadError> + Send + Sync;
type Running = Pin<Box<dyn Future<Output = JobResult> + Send>>;
/// What follows the end of a job without success.
pub type OnDead = for<'a> fn(&'a mut Tx, &'a DeadJob) -> Following<'a, ()>;
/// What a retry does to the thing a job is about.
pub type OnRetry = for<'a> fn(&'a mut Tx, &'a RetriedJob) -> Following<'a, Revival>;

/// What a kind's jobs are about: what becomes of it when a job ends without success, and how a retry brings it back.
#[derive(Clone, Copy)]
pub(crate) struct Subject {
    pub ended: OnDead,
    pub revived: OnRetry,
}

/// One kind of job: how it is run, and what its end means.
pub struct Kind<S> {
    pub(crate) name: &'static str,
    pub(crate) queue: &'static str,
    pub(crate) policy: Policy,
    pub(crate) run: Arc<Run<S>>,
    pub(crate) subject: Option<Subject>,
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
            let future: Running = Box::pin(handler(job, context));
            Ok(future)
        };
        Self { name: J::KIND, queue: J::QUEUE, policy: J::policy(), run: Arc::new(run), subject: None }
    }

    /// What becomes of the thing a job of this kind is about. `ended` runs in the transaction in which a job dies or is
    /// cancelled; unless its failure is transient, it is logged and the job ends without it. `revived` runs in the
    /// transaction in which a person starts such a job anew.
    ///
    /// The two come together: a kind that ends its subject must say how a retry brings it back, or why it can't.
    #[must_use]
    pub fn subject(mut self, ended: OnDead, revived: OnRetry) -> Self {
        self.subject = Some(Subject { ended, revived });
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
    on_any_dead: Option<OnDead>,
    on_any_retry: Option<OnRetry>,
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
        Self { kinds: BTreeMap::new(), on_any_dead: None, on_any_retry: None }
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

    /// What happens whenever a job dies or is cancelled, before its kind's own hook.
    #[must_use]
    pub fn on_any_dead(mut self, hook: OnDead) -> Self {
        self.on_any_dead = Some(hook);
        self
    }

    /// What happens whenever a job that ended without success is started anew, before its kind's own hook.
    #[must_use]
    pub fn on_any_retry(mut self, hook: OnRetry) -> Self {
        self.on_any_retry = Some(hook);
        self
    }

    /// What goes before the retry of a job of this kind that ended without success, in order.
    pub(crate) fn before_retry(&self, kind: &Kind<S>) -> impl Iterator<Item = OnRetry> {
        self.on_any_retry.into_iter().chain(kind.subject.map(|subject| subject.revived))
    }

    /// What follows the end of a job of this kind without success, in order.
    pub(crate) fn follow_end(&self, kind: &str) -> impl Iterator<Item = OnDead> {
        self.on_any_dead.into_iter().chain(self.get(kind).and_then(|kind| kind.subject).map(|subject| subject.ended))
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
