//! The registry of the job kinds that a program can run, and of the hooks that run at the end or the retry of a job.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use nightshift_db::{Timestamp, Tx};

use crate::handlers::handler::{DeadJob, Following, Handler, OnDead, OnRetry, RetriedJob, Revival};
use crate::handlers::kind::{Decoded, Kind};
use crate::job::{ErrorClass, JobError, PayloadError, Policy};
use crate::store::claim::Claimed;

/// The job kinds of a program, by name, and the hooks that all kinds share. `S` is the state that handlers share.
pub struct Registry<S> {
    kinds: BTreeMap<&'static str, Kind>,
    on_any_dead: Option<OnDead>,
    on_any_retry: Option<OnRetry>,
    app: PhantomData<fn(S)>,
}

/// The end of a job without success.
pub(crate) struct End<'a> {
    /// The row of the job as it was claimed.
    pub claimed: &'a Claimed,
    /// Number of failed attempts, including the last one.
    pub attempts: i64,
    pub class: ErrorClass,
    pub error: String,
    pub at: Timestamp,
}

impl<S: Send + Sync + 'static> Default for Registry<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Send + Sync + 'static> Registry<S> {
    /// Creates a registry without kinds and hooks.
    #[must_use]
    pub fn new() -> Self {
        Self { kinds: BTreeMap::new(), on_any_dead: None, on_any_retry: None, app: PhantomData }
    }

    /// Adds the kind of `J` with its handler, hooks and policy. A kind of the same name is replaced.
    #[must_use]
    pub fn job<J: Handler<S>>(mut self) -> Self {
        self.kinds.insert(J::KIND, Kind::of::<J, S>());
        self
    }

    /// Sets the hook that runs whenever a job of any kind dies or is cancelled, before the hook of its own kind.
    #[must_use]
    pub fn on_any_dead(mut self, hook: OnDead) -> Self {
        self.on_any_dead = Some(hook);
        self
    }

    /// Sets the hook that runs whenever a job of any kind that ended without success is retried, before the hook of its
    /// own kind.
    #[must_use]
    pub fn on_any_retry(mut self, hook: OnRetry) -> Self {
        self.on_any_retry = Some(hook);
        self
    }

    /// Runs the hooks for the end of a job without success, in the transaction that ends the job. Stops at the first
    /// error, because the transaction can't be used after it.
    ///
    /// If the payload can't be read, only the hook of the job's own kind is skipped.
    pub(crate) async fn follow_end(&self, tx: &mut Tx, end: End<'_>) -> Result<(), JobError> {
        let (job, dead) = self.told(end);
        if let Some(hook) = self.on_any_dead {
            caught(|| hook(tx, &dead)).await?;
        }
        match job {
            Some(job) => caught(|| job.on_dead(tx, &dead)).await,
            None => Ok(()),
        }
    }

    /// Runs the same hooks for a job that an operator cancels. Each hook runs in a savepoint: if it fails with an error
    /// that may not be retried, its changes are rolled back, and the transaction and the other hook continue.
    pub(crate) async fn follow_cancel(&self, tx: &mut Tx, end: End<'_>) -> Result<(), JobError> {
        let (job, dead) = self.told(end);
        if let Some(hook) = self.on_any_dead {
            tx.query("SAVEPOINT hook").execute().await?;
            let followed = caught(|| hook(tx, &dead)).await;
            refused_alone(tx, &dead, followed).await?;
        }
        if let Some(job) = job {
            tx.query("SAVEPOINT hook").execute().await?;
            let followed = caught(|| job.on_dead(tx, &dead)).await;
            refused_alone(tx, &dead, followed).await?;
        }
        Ok(())
    }

    /// Returns the argument for the hooks, and the decoded job, or `None` if it can't be read.
    fn told(&self, end: End<'_>) -> (Option<Arc<dyn Decoded>>, DeadJob) {
        let read = match self.get(&end.claimed.kind) {
            Some(kind) => kind.read(end.claimed),
            None => Err(PayloadError("this program has no job kind of this name".to_owned())),
        };
        let (job, unreadable) = match read {
            Ok(job) => (Some(job), None),
            Err(error) => {
                tracing::error!(job.id = %end.claimed.id, job.kind = %end.claimed.kind, %error,
                    "the subject of the job was not updated; the job can't be read");
                (None, Some(error))
            }
        };
        let mut info = end.claimed.info();
        info.attempt = end.attempts;
        let subject = job.as_ref().and_then(|job| job.subject());
        (job, DeadJob { info, subject, unreadable, class: end.class, error: end.error, at: end.at })
    }

    /// Runs the hooks for the retry of a job that ended without success, in the transaction that retries it.
    ///
    /// If the payload can't be read, a retry is pointless, because the job would only be parked again.
    pub(crate) async fn revive(
        &self,
        tx: &mut Tx,
        kind: &Kind,
        claimed: &Claimed,
        at: Timestamp,
    ) -> Result<Revival, JobError> {
        let job = match kind.read(claimed) {
            Ok(job) => job,
            Err(unreadable) => return Ok(Revival::Pointless(unreadable.0)),
        };
        let retried = RetriedJob { id: claimed.id.clone(), kind: claimed.kind.clone(), at };
        if let Some(hook) = self.on_any_retry
            && let Revival::Pointless(why) = hook(tx, &retried).await?
        {
            return Ok(Revival::Pointless(why));
        }
        job.on_retry(tx, &retried).await
    }

    pub(crate) fn get(&self, kind: &str) -> Option<&Kind> {
        self.kinds.get(kind)
    }

    /// Returns all kinds with their names, sorted by name.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = (&'static str, &Kind)> {
        self.kinds.iter().map(|(name, kind)| (*name, kind))
    }

    /// Returns the names of all kinds, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        self.kinds.keys().copied().collect()
    }

    /// Returns the policy of each kind by its name.
    pub(crate) fn policies(&self) -> BTreeMap<&'static str, Policy> {
        self.kinds.iter().map(|(name, kind)| (*name, kind.policy)).collect()
    }

    /// Returns the names of the queues of all kinds, sorted and without duplicates.
    #[must_use]
    pub fn queues(&self) -> Vec<&'static str> {
        let mut queues: Vec<_> = self.kinds.values().map(|kind| kind.queue).collect();
        queues.sort_unstable();
        queues.dedup();
        queues
    }
}

/// Runs a hook. A panic becomes a permanent error.
async fn caught<'a>(hook: impl FnOnce() -> Following<'a, ()>) -> Result<(), JobError> {
    let followed = AssertUnwindSafe(async { hook().await }).catch_unwind().await;
    followed.unwrap_or_else(|_| Err(JobError::fail("it panicked")))
}

/// Ends the savepoint of a hook. If the hook failed with an error that may not be retried, logs the error and rolls its
/// changes back.
async fn refused_alone(tx: &mut Tx, dead: &DeadJob, followed: Result<(), JobError>) -> Result<(), JobError> {
    if let Err(error) = followed {
        if error.may_retry() {
            return Err(error);
        }
        tracing::error!(job.id = %dead.info.id, job.kind = %dead.info.kind, %error,
            "what follows a cancelled job was refused");
        tx.query("ROLLBACK TO SAVEPOINT hook").execute().await?;
    }
    tx.query("RELEASE SAVEPOINT hook").execute().await?;
    Ok(())
}
