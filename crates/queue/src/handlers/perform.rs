//! Performs an effect once: the one protocol by which something leaves the program.
//!
//! [`perform`] reserves the effect in the ledger and marks it `asked` in the transaction in which the caller decides
//! that it may leave, commits, sends the request, and settles the answer together with the caller's own rows in a
//! second transaction. No transaction is open while the request is under way.
//!
//! It promises that [`Performable::ask`] runs only with a committed intent, and that an attempt that finds an intent of
//! an earlier one sends nothing: the caller gets [`Performed::Unclear`] and asks the provider. Only a settlement that
//! proves that nothing left lets the request leave again.

use std::fmt::Display;
use std::future::Future;

use nightshift_db::{Clock, Db, Timestamp, Tx, failpoint};

use crate::handlers::context::JobContext;
use crate::job::{JobError, JobResult, Mode};
use crate::store::effects::{self, Effect};

/// An effect that a job wants, how it is asked for and what its answer changes.
pub trait Performable: Sync {
    /// The ledger's name of such effects. It is stored, so it is never renamed.
    const KIND: &'static str;
    /// What the request says.
    type Request: Send;
    /// Why a request was not taken, in the provider's terms.
    type Error: Display + Send + Sync;

    /// The fact that asks for the effect. Two jobs with the same key perform one effect.
    fn key(&self) -> &str;

    /// Decides, holding the caller's rows, whether the request may leave, and marks them as about to be sent.
    fn begin(
        &self,
        tx: &mut Tx,
        now: Timestamp,
    ) -> impl Future<Output = Result<Decision<Self::Request>, JobError>> + Send;

    /// Sends the request. It is called outside any transaction, after the intent was committed.
    fn ask(&self, permit: Permit<Self::Request>) -> impl Future<Output = Answer<Self::Error>> + Send;

    /// Changes the caller's rows by the answer, in the transaction that settles the ledger. The inner result is how the
    /// job ends once that is committed; the outer error rolls back.
    fn settle(
        &self,
        tx: &mut Tx,
        answer: &Answer<Self::Error>,
        now: Timestamp,
    ) -> impl Future<Output = Result<JobResult, JobError>> + Send;
}

/// What the caller's rows say about an effect whose turn has come.
#[derive(Debug)]
pub enum Decision<R> {
    /// The request may leave, unless the ledger knows of an earlier attempt.
    Ask {
        /// What to send.
        request: R,
        /// Whether it is real.
        mode: Mode,
    },
    /// An earlier attempt may have sent it.
    Unclear,
    /// Nothing is to be sent now. What was changed is committed, and the job ends like this.
    Over(JobResult),
}

/// The right to send one request: its intent is committed. Only [`perform`] makes one.
///
/// ```compile_fail,E0451
/// let permit = nightshift_queue::effects::Permit { request: "a text" };
/// ```
#[derive(Debug)]
#[must_use = "the intent is committed; send the request"]
pub struct Permit<R> {
    request: R,
}

impl<R> Permit<R> {
    /// What to send. The permit is used up: whoever sends again must prove that nothing left, and perform again.
    #[must_use]
    pub fn into_request(self) -> R {
        self.request
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<E> {
    /// The provider took it and calls it this.
    Taken(String),
    /// The provider will not take it.
    Refused(E),
    /// It is proven that nothing left. It may be sent again.
    NotSent(E),
    /// It may have left or not, for this reason.
    Unclear(String),
}

/// What came of performing an effect.
#[derive(Debug)]
pub enum Performed {
    /// The job ends like this, and all of it is committed.
    Ended(JobResult),
    /// The ledger knows how an earlier attempt ended, so this one sent nothing.
    Settled(Effect),
    /// An earlier attempt may have sent the request, so this one sent nothing. Holds the ledger's record, if there is
    /// one: ask the provider, then [`settle`]. The earlier attempt may still be under way and settle first, so `settle`
    /// may find the caller's rows as something else than about to be sent.
    Unclear(Option<Effect>),
}

/// On whose behalf an effect is performed.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Where the ledger and the caller's rows are.
    pub db: &'a Db,
    /// What the ledger's times are taken from.
    pub clock: &'a Clock,
    /// The job's id.
    pub job_id: &'a str,
    /// The job's kind, which names the failpoints `KIND.after_ask` and `KIND.after_answer`.
    pub job_kind: &'a str,
}

impl<'a, S> From<&'a JobContext<S>> for Attempt<'a> {
    fn from(ctx: &'a JobContext<S>) -> Self {
        Self { db: ctx.db(), clock: ctx.clock(), job_id: &ctx.job.id, job_kind: &ctx.job.kind }
    }
}

/// Performs an effect, unless it was asked for before.
///
/// # Errors
/// A database error, or what the caller's steps failed with. Call again: nothing is sent twice.
pub async fn perform<P: Performable>(attempt: impl Into<Attempt<'_>>, effect: &P) -> Result<Performed, JobError> {
    let attempt = attempt.into();
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
    let may_ask = effects::ask(&mut tx, &record.id, now).await?;
    tx.commit().await?;
    if !may_ask {
        return Ok(earlier(Some(record)));
    }
    failpoint::hit(&format!("{}.after_ask", attempt.job_kind)).await?;
    let answer = effect.ask(Permit { request }).await;
    failpoint::hit(&format!("{}.after_answer", attempt.job_kind)).await?;
    settle(attempt, effect, Some(&record), &answer).await.map(Performed::Ended)
}

fn earlier(record: Option<Effect>) -> Performed {
    match record {
        Some(record) if record.state.is_settled() => Performed::Settled(record),
        record => Performed::Unclear(record),
    }
}

/// Settles an effect, and the caller's rows with it, by the answer to its request or by what the provider knows of it.
/// Without a record only the rows change, and a record that was settled before stays as it is.
///
/// # Errors
/// A database error, or what the caller's step failed with.
pub async fn settle<P: Performable>(
    attempt: impl Into<Attempt<'_>>,
    effect: &P,
    record: Option<&Effect>,
    answer: &Answer<P::Error>,
) -> Result<JobResult, JobError> {
    let attempt = attempt.into();
    let now = attempt.clock.now();
    let mut tx = attempt.db.begin().await?;
    let ended = effect.settle(&mut tx, answer, now).await?;
    if let Some(Effect { id, .. }) = record {
        match answer {
            Answer::Taken(reference) => effects::confirm(&mut tx, id, reference, now).await?,
            Answer::Refused(error) => effects::refuse(&mut tx, id, &error.to_string(), now).await?,
            Answer::NotSent(error) => effects::not_sent(&mut tx, id, &error.to_string(), now).await?,
            Answer::Unclear(why) => effects::mark_unknown(&mut tx, id, why, now).await?,
        };
    }
    tx.commit().await?;
    Ok(ended)
}
