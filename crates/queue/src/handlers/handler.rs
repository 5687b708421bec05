//! What a job type brings along besides its payload: the code that runs it, and what its end without success means.

use std::future::Future;
use std::pin::Pin;

use nightshift_db::{Timestamp, Tx};

use crate::handlers::context::JobContext;
use crate::job::{ErrorClass, Job, JobError, JobInfo, JobResult, PayloadError, Subject};

/// A job that can be run; `S` is what the handlers of the program share.
///
/// A worker knows it by one line, [`Registry::job`](crate::Registry::job).
pub trait Handler<S>: Job {
    /// What becomes of the thing the job is about when the job ends without success, and how a retry brings it back:
    /// usually `Self`, which then implements [`Hooks`], or [`NoHooks`].
    type Hooks: Hooks<Self> + 'static;

    /// Runs the job. It may run twice: each step looks at what stands before it acts.
    fn run(self, ctx: JobContext<S>) -> impl Future<Output = JobResult> + Send;
}

/// What the end of a job `J` without success means for the thing the job is about.
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
/// The two halves come together: a kind that ends its subject must say how a retry brings it back, or why it can't.
/// One without the other does not compile:
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
/// Hooks are given the job as it was read. One that can't be read, or is of no known kind, has no hook run: when it
/// ends, that is logged and [`DeadJob::unreadable`] tells the program's own hook; its retry is refused with the reason.
pub trait Hooks<J: ?Sized = Self> {
    /// Runs in the transaction in which a job dies or is cancelled. A transient failure is tried again; after any other,
    /// which is logged, the job ends without it.
    fn on_dead(job: &J, tx: &mut Tx, dead: &DeadJob) -> impl Future<Output = Result<(), JobError>> + Send;

    /// Runs in the transaction in which a person starts such a job anew.
    fn on_retry(job: &J, tx: &mut Tx, retried: &RetriedJob) -> impl Future<Output = Result<Revival, JobError>> + Send;
}

/// For jobs whose end changes nothing else: a retry can always do their work.
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

/// A job that ends without success.
#[derive(Debug, Clone)]
pub struct DeadJob {
    /// Its facts.
    pub info: JobInfo,
    /// What it is about, by its own account.
    pub subject: Option<Subject>,
    /// Why the job can't be read: its payload, or that this program does not know its kind. The hook of its kind then does
    /// not run.
    pub unreadable: Option<PayloadError>,
    /// What ended it; [`ErrorClass::Cancelled`] when a person did.
    pub class: ErrorClass,
    /// The last error's text.
    pub error: String,
    /// When it ended.
    pub at: Timestamp,
}

/// A job that ended without success and that a person starts anew.
#[derive(Debug, Clone)]
pub struct RetriedJob {
    /// Its id.
    pub id: String,
    /// Its kind.
    pub kind: String,
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

/// A future of a hook that every kind shares.
pub type Following<'a, T> = Pin<Box<dyn Future<Output = Result<T, JobError>> + Send + 'a>>;
/// What follows the end of a job of any kind without success.
pub type OnDead = for<'a> fn(&'a mut Tx, &'a DeadJob) -> Following<'a, ()>;
/// What precedes the retry of a job of any kind.
pub type OnRetry = for<'a> fn(&'a mut Tx, &'a RetriedJob) -> Following<'a, Revival>;
