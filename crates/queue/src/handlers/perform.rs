//! The protocol by which a job has an effect on another service at most once.
//!
//! [`perform`] reserves the effect in the ledger and marks it `asked`, in the transaction in which the caller decides
//! that the request may be sent. It commits, sends the request, and records the answer together with the caller's own
//! rows in a second transaction. No transaction is open during the request.
//!
//! [`Performable::ask`] runs only after the intent is committed. An attempt that finds the intent of an earlier attempt
//! sends nothing: the caller gets [`Performed::Unclear`] and asks the provider. The request is sent again only after a
//! settlement which proves that nothing was sent.
//!
//! A process may be frozen at any point and go on later, when others have found out what became of its request and have
//! sent another one. So a [`Permit`] expires, and an answer about an earlier request changes nothing.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use nightshift_db::{Clock, Db, Timestamp, Tx, failpoint, sabotage};

use crate::handlers::context::JobContext;
use crate::job::{JobError, JobResult, Mode};
use crate::store::effects::{self, Effect, Settlement};

/// How long after the intent a request may be sent. That a provider does not know a request proves only after this time,
/// and after the longest request, that it was not sent and never will be.
pub const PERMIT_LASTS: Duration = Duration::from_secs(20);

/// How long a request waits for the server's time.
const SERVER_TIME_MAX: Duration = Duration::from_secs(3);

/// The error of a job whose answer is about an earlier request.
const OUTDATED: &str = "nothing was changed: the answer is about an earlier request, and a later one was sent since";

/// An effect that a job performs at another service: when to send the request, how, and what the answer changes.
pub trait Performable: Sync {
    /// The name of this kind of effect in the ledger. It is stored, so it must never change.
    const KIND: &'static str;
    /// The content of the request.
    type Request: Send;
    /// The provider's error for a request that it did not accept.
    type Error: Display + Send + Sync;

    /// Returns the idempotency key. Two jobs with the same kind and key perform one effect.
    fn key(&self) -> &str;

    /// Locks the caller's rows, decides whether the request may be sent, and if so marks the rows as about to be sent.
    ///
    /// # Errors
    /// Any error rolls the transaction back, and [`perform`] returns it.
    fn begin(
        &self,
        tx: &mut Tx,
        now: Timestamp,
    ) -> impl Future<Output = Result<Decision<Self::Request>, JobError>> + Send;

    /// Sends the request. [`perform`] calls it outside of any transaction, after the intent is committed.
    ///
    /// # Errors
    /// [`Expired`] if the permit no longer gave its request out, so nothing was sent.
    fn ask(&self, permit: Permit<Self::Request>) -> impl Future<Output = Result<Answer<Self::Error>, Expired>> + Send;

    /// Updates the caller's rows according to the answer, in the transaction that settles the effect in the ledger. The
    /// inner result is how the job ends after the commit.
    ///
    /// # Errors
    /// The outer error rolls the transaction back.
    fn settle(
        &self,
        tx: &mut Tx,
        answer: &Answer<Self::Error>,
        now: Timestamp,
    ) -> impl Future<Output = Result<JobResult, JobError>> + Send;
}

/// The caller's decision about an effect, based on its own rows.
#[derive(Debug)]
pub enum Decision<R> {
    /// Send the request, unless the ledger contains an earlier attempt.
    Ask {
        /// The content of the request.
        request: R,
        /// Whether the effect is simulated, goes to a test address or is real. Recorded in the ledger.
        mode: Mode,
    },
    /// An earlier attempt may have sent the request.
    Unclear,
    /// Send nothing. The changes of [`Performable::begin`] are committed, and the job ends with this result.
    Over(JobResult),
}

/// The permission to send one request, whose intent is committed. Only [`perform`] creates permits.
///
/// ```compile_fail,E0451
/// use nightshift_queue::effects::Permit;
///
/// let permit = Permit { request: "a text", clock: todo!(), given_at: todo!(), steps: 0 };
/// ```
#[derive(Debug)]
#[must_use = "the intent is committed; send the request"]
pub struct Permit<R> {
    request: R,
    clock: Clock,
    given_at: Timestamp,
    /// The steps of the clock when it was given.
    steps: u64,
}

/// A permit was used too late. Meanwhile others may have concluded that its request was never sent, and have sent
/// another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the permit to send the request has expired")]
pub struct Expired(());

impl<R> Permit<R> {
    /// Returns the content of the request and consumes the permit. Call it right before the request is sent. To send
    /// again, the caller must settle the effect as [`Answer::NotSent`] and call [`perform`] again.
    ///
    /// # Errors
    /// [`Expired`] after [`PERMIT_LASTS`], or if the clock was set since and so does not tell how much time has passed.
    pub fn into_request(self) -> Result<R, Expired> {
        // The clock notices that it was set when it is read.
        let now = self.clock.now();
        let fresh = now.since(self.given_at) <= PERMIT_LASTS && self.clock.steps() == self.steps;
        (fresh || sabotage::is("permits_for_ever")).then_some(self.request).ok_or(Expired(()))
    }
}

/// The outcome of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<E> {
    /// The provider accepted the request, and returned this reference for it.
    Taken(String),
    /// The provider rejected the request. It must not be sent again.
    Refused(E),
    /// It is certain that the request had no effect, so it may be sent again.
    NotSent(E),
    /// It is unknown whether the request had its effect, for this reason.
    Unclear(String),
}

/// The result of [`perform`].
#[derive(Debug)]
pub enum Performed {
    /// The job ends with this result. All changes are committed.
    Ended(JobResult),
    /// An earlier attempt is already settled in the ledger, so this one sent nothing.
    Settled(Effect),
    /// An earlier attempt may have sent the request, so this one sent nothing; or this one's permit has expired, so that
    /// others may have sent the request meanwhile. Contains the record of the ledger, if there is one. Ask the provider,
    /// then call [`settle`]. The earlier attempt may still be running and settle first, so [`Performable::settle`] may
    /// find the caller's rows in another state than about to be sent.
    Unclear(Option<Effect>),
}

/// The job on whose behalf an effect is performed, with its database and clock.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The database that contains the ledger and the caller's rows.
    pub db: &'a Db,
    /// The clock for the times in the ledger.
    pub clock: &'a Clock,
    /// The id of the job, which is recorded in the ledger.
    pub job_id: &'a str,
    /// The kind of the job. It is part of the names of the failpoints `KIND.after_ask` and `KIND.after_answer`.
    pub job_kind: &'a str,
}

impl<'a, S> From<&'a JobContext<S>> for Attempt<'a> {
    fn from(ctx: &'a JobContext<S>) -> Self {
        Self { db: ctx.db(), clock: ctx.clock(), job_id: &ctx.job.id, job_kind: &ctx.job.kind }
    }
}

/// Performs an effect, unless an earlier attempt may have sent its request.
///
/// # Errors
/// A database error, or an error of [`Performable::begin`] or [`Performable::settle`]. After an error it is safe to
/// call this function again: nothing is sent twice.
pub async fn perform<P: Performable>(attempt: impl Into<Attempt<'_>>, effect: &P) -> Result<Performed, JobError> {
    let attempt = attempt.into();
    let steps = attempt.clock.steps();
    let now = attempt.clock.now();
    let mut tx = attempt.db.begin().await?;
    let (request, mode) = match effect.begin(&mut tx, now).await? {
        Decision::Ask { request, mode } => (request, mode),
        Decision::Unclear => {
            let found = effects::find(&mut tx, P::KIND, effect.key()).await?;
            tx.commit().await?;
            return Ok(earlier(found));
        }
        Decision::Over(ended) => {
            tx.commit().await?;
            return Ok(Performed::Ended(ended));
        }
    };
    let record = effects::reserve(&mut tx, P::KIND, effect.key(), Some(attempt.job_id), mode, now).await?;
    let asked = effects::ask(&mut tx, &record, now).await?;
    tx.commit().await?;
    let Some(record) = asked else { return Ok(earlier(Some(record))) };
    let permit = Permit { request, clock: attempt.clock.clone(), given_at: now, steps };
    failpoint::hit(&format!("{}.after_ask", attempt.job_kind)).await?;
    // The clocks of a virtual machine stand still while it is paused. The server's does not. Without its answer the permit
    // is judged by the machine's clocks: an outage must not turn a text that was not sent into one that may have been.
    if !matches!(tokio::time::timeout(SERVER_TIME_MAX, attempt.db.agree_on_time(attempt.clock)).await, Ok(Ok(()))) {
        tracing::debug!(effect = P::KIND, "the database does not tell its time; the machine's is used");
    }
    let Ok(answer) = effect.ask(permit).await else {
        tracing::warn!(effect = P::KIND, job.id = attempt.job_id, "a request was not sent: its permit has expired");
        return Ok(Performed::Unclear(Some(record)));
    };
    failpoint::hit(&format!("{}.after_answer", attempt.job_kind)).await?;
    settle(attempt, effect, Some(&record), &answer).await.map(Performed::Ended)
}

fn earlier(record: Option<Effect>) -> Performed {
    match record {
        Some(record) if record.state.is_settled() => Performed::Settled(record),
        record => Performed::Unclear(record),
    }
}

/// Settles an effect in the ledger together with the caller's rows. `answer` is the answer to the request of `record`,
/// or the result of asking the provider about it.
///
/// Without a record, only the caller's rows change. A record that is already settled does not change. If a later request
/// was sent since, an answer other than [`Answer::Taken`] changes nothing, and the job is retried: it then finds the
/// later request.
///
/// # Errors
/// A database error, or an error of [`Performable::settle`].
pub async fn settle<P: Performable>(
    attempt: impl Into<Attempt<'_>>,
    effect: &P,
    record: Option<&Effect>,
    answer: &Answer<P::Error>,
) -> Result<JobResult, JobError> {
    let attempt = attempt.into();
    let now = attempt.clock.now();
    let mut tx = attempt.db.begin().await?;
    // The caller's rows are locked before the ledger's, as in `perform`.
    let ended = effect.settle(&mut tx, answer, now).await?;
    if let Some(record) = record {
        let settlement = match answer {
            Answer::Taken(reference) => {
                effects::confirm(&mut tx, &record.id, reference, now).await?;
                Settlement::Stored
            }
            Answer::Refused(error) => effects::refuse(&mut tx, record, &error.to_string(), now).await?,
            Answer::NotSent(error) => effects::not_sent(&mut tx, record, &error.to_string(), now).await?,
            Answer::Unclear(why) => effects::mark_unknown(&mut tx, record, why, now).await?,
        };
        if settlement == Settlement::Outdated {
            tx.rollback().await?;
            tracing::warn!(effect = P::KIND, job.id = attempt.job_id, "{OUTDATED}");
            return Ok(Err(JobError::retry(OUTDATED)));
        }
    }
    tx.commit().await?;
    Ok(ended)
}
