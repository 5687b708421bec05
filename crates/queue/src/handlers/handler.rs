//! The traits that a job type implements besides [`Job`]: [`Handler`] runs the job, and [`Hooks`] updates the subject
//! of the job when the job ends without success or is retried.

use std::future::Future;
use std::pin::Pin;

use nightshift_db::{Timestamp, Tx};

use crate::handlers::context::JobContext;
use crate::job::{ErrorClass, Job, JobError, JobInfo, JobResult, PayloadError, Subject};

/// A job that a worker can run. `S` is the state that the handlers of the program share.
///
/// [`Registry::job`](crate::Registry::job) registers it with a worker.
pub trait Handler<S>: Job {
    /// The type whose hooks update the subject of the job when the job ends without success or is retried: usually
    /// `Self`, which then implements [`Hooks`], or [`NoHooks`].
    type Hooks: Hooks<Self> + 'static;

    /// Runs the job. The same job may run more than once, so each step must read the current state before it acts.
    fn run(self, ctx: JobContext<S>) -> impl Future<Output = JobResult> + Send;
}

/// Updates the subject of a job `J` when the job ends without success, and restores it before a retry.
///
/// ```
/// # use nightshift_db::Tx;
/// # use nightshift_queue::{DeadJob, Hooks, Job, JobError, Policy, RetriedJob, Revival};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct Greet {}
/// # impl Job for Greet {
/// #     const KIND: &'static str = "greet";
/// #     const QUEUE: &'static str = "greetings";
/// #     fn policy() -> Policy {
/// #         Policy::standard(5)
/// #     }
/// # }
/// impl Hooks for Greet {
///     async fn on_dead(_job: &Self, _tx: &mut Tx, _dead: &DeadJob) -> Result<(), JobError> {
///         Ok(())
///     }
///     async fn on_retry(_job: &Self, _tx: &mut Tx, _retried: &RetriedJob) -> Result<Revival, JobError> {
///         Ok(Revival::Ready)
///     }
/// }
/// ```
///
/// Both methods are required: a kind that changes its subject at the end must also restore it before a retry, or return
/// the reason why it can't. An implementation with only one of them does not compile:
///
/// ```compile_fail,E0046
/// # use nightshift_db::Tx;
/// # use nightshift_queue::{DeadJob, Hooks, Job, JobError, Policy, RetriedJob, Revival};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct Greet {}
/// # impl Job for Greet {
/// #     const KIND: &'static str = "greet";
/// #     const QUEUE: &'static str = "greetings";
/// #     fn policy() -> Policy {
/// #         Policy::standard(5)
/// #     }
/// # }
/// impl Hooks for Greet {
///     async fn on_dead(_job: &Self, _tx: &mut Tx, _dead: &DeadJob) -> Result<(), JobError> {
///         Ok(())
///     }
/// }
/// ```
///
/// Hooks receive the decoded payload. If the payload can't be decoded or the kind is not registered, the hooks of the
/// kind do not run. At the end of such a job an error is logged, and the hook for all kinds finds the reason in
/// [`DeadJob::unreadable`]. A retry of such a job is refused.
pub trait Hooks<J: ?Sized = Self> {
    /// Runs in the transaction in which the job dies or is cancelled.
    ///
    /// # Errors
    /// A transient error rolls the transaction back, and the end of the job is retried. After any other error, which is
    /// logged, the job ends without the changes of this hook.
    fn on_dead(job: &J, tx: &mut Tx, dead: &DeadJob) -> impl Future<Output = Result<(), JobError>> + Send;

    /// Runs in the transaction in which an operator retries a job that died or was cancelled.
    ///
    /// # Errors
    /// Any error makes the retry fail.
    fn on_retry(job: &J, tx: &mut Tx, retried: &RetriedJob) -> impl Future<Output = Result<Revival, JobError>> + Send;
}

/// Hooks that do nothing, for jobs without a subject to update. A retry is always possible.
#[derive(Debug, Clone, Copy)]
pub enum NoHooks {}

impl<J: Sync> Hooks<J> for NoHooks {
    async fn on_dead(_: &J, _: &mut Tx, _: &DeadJob) -> Result<(), JobError> {
        Ok(())
    }

    async fn on_retry(_: &J, _: &mut Tx, _: &RetriedJob) -> Result<Revival, JobError> {
        Ok(Revival::Ready)
    }
}

/// A job that ends without success, as its hooks see it.
#[derive(Debug, Clone)]
pub struct DeadJob {
    /// The job's metadata. `attempt` is the number of failed attempts.
    pub info: JobInfo,
    /// The subject that [`Job::subject`] returns, or `None` if there is none or the payload can't be decoded.
    pub subject: Option<Subject>,
    /// The reason why the job can't be read: its payload can't be decoded, or its kind is not registered. The hook of
    /// its kind then does not run. `None` if the job was read.
    pub unreadable: Option<PayloadError>,
    /// The class of the error that ended the job, or [`ErrorClass::Cancelled`] if an operator cancelled it.
    pub class: ErrorClass,
    /// The text of the last error.
    pub error: String,
    /// The time at which the job ended.
    pub at: Timestamp,
}

/// A job that ended without success and that an operator retries, as its hooks see it.
#[derive(Debug, Clone)]
pub struct RetriedJob {
    /// The id of the job, which stays the same.
    pub id: String,
    /// The name of the job's kind.
    pub kind: String,
    /// The time of the retry.
    pub at: Timestamp,
}

/// Whether a retry of a job that ended without success is useful.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revival {
    /// The subject of the job is restored, so the job can run again.
    Ready,
    /// Another run would find nothing to do, for this reason. The retry is refused, and the job does not change.
    Pointless(String),
}

/// The future of an [`OnDead`] or [`OnRetry`] hook.
pub type Following<'a, T> = Pin<Box<dyn Future<Output = Result<T, JobError>> + Send + 'a>>;
/// A hook that runs whenever a job of any kind ends without success, in the transaction that ends it.
pub type OnDead = for<'a> fn(&'a mut Tx, &'a DeadJob) -> Following<'a, ()>;
/// A hook that runs before a job of any kind is retried, in the transaction that retries it.
pub type OnRetry = for<'a> fn(&'a mut Tx, &'a RetriedJob) -> Following<'a, Revival>;
