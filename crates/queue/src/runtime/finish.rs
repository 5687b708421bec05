//! The layer that finishes attempts: it turns whatever happens to a job's handler into the end that the writer stores.
//!
//! apalis's layers for panics and for the time limit lie within it, so both arrive here as errors of the handler. Those
//! that give each job a task of its own and that hand in data lie outside it. It also watches the signal: a job whose
//! lease is lost, or that is to be given back, ends here.

use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use apalis::prelude::{BoxDynError, Task};
use futures_util::future::BoxFuture;
use nightshift_db::{Clock, Timestamp, failpoint};
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::timeout::error::Elapsed;
use tower::{Layer, Service};
use tracing::Instrument;

use crate::handlers::signal::Signal;
use crate::handlers::task::{RunningJob, data};
use crate::job::{ErrorClass, JobError, Outcome, PayloadError, Policy, SKIPPED, retry_at};
use crate::runtime::backend::Delivered;
use crate::runtime::run::Run;
use crate::store::finish::Ended;
use crate::store::lifecycle::{Change, Event, apply};

/// Finishes the attempts that a kind's handler makes.
#[derive(Clone)]
pub(crate) struct FinishLayer {
    pub clock: Clock,
    /// Of the kind.
    pub policy: Policy,
}

impl<H> Layer<H> for FinishLayer {
    type Service = Finish<H>;

    fn layer(&self, handler: H) -> Finish<H> {
        Finish { handler, layer: self.clone() }
    }
}

/// The service of a [`FinishLayer`]. It returns when the end of the attempt is with the writer.
#[derive(Clone)]
pub(crate) struct Finish<H> {
    handler: H,
    layer: FinishLayer,
}

impl<H> Service<Task<RunningJob>> for Finish<H>
where
    H: Service<Task<RunningJob>, Response = Outcome, Error = BoxDynError> + Clone + Send + 'static,
    H::Future: Send,
{
    type Response = ();
    type Error = BoxDynError;
    type Future = BoxFuture<'static, Result<(), BoxDynError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        self.handler.poll_ready(cx)
    }

    fn call(&mut self, task: Task<RunningJob>) -> Self::Future {
        let delivered = data::<Arc<Delivered>, _>(&task);
        let job = task.args.clone();
        let layer = self.layer.clone();
        // The one that was polled until it was ready; the clone is polled before the next call.
        let clone = self.handler.clone();
        let mut handler = std::mem::replace(&mut self.handler, clone);
        Box::pin(async move {
            let delivered = delivered?;
            layer.finish(&delivered.0, job, || handler.call(task)).await;
            Ok(())
        })
    }
}

impl FinishLayer {
    /// Calls the handler, waits for its end and hands that to the writer. If anything in here panics, the run is dropped and
    /// gives its job back.
    ///
    /// The time limit counts from the call, so the call is made here, in the job's own task: until that begins, it may wait
    /// for a thread.
    pub(crate) async fn finish<F>(&self, run: &Run, job: RunningJob, handle: impl FnOnce() -> F)
    where
        F: Future<Output = Result<Outcome, BoxDynError>> + Send,
    {
        if failpoint::hit("run.begun").await.is_err() {
            return;
        }
        let claimed = &job.claimed;
        let started_at = self.clock.now();
        metrics::histogram!("nightshift_job_queue_seconds", "kind" => claimed.kind.clone())
            .record(started_at.since(claimed.run_at).as_secs_f64());
        let span = tracing::info_span!(
            "job",
            job.id = %claimed.id, job.kind = %claimed.kind, job.queue = %claimed.queue, job.attempt = claimed.attempts + 1,
            correlation_id = claimed.correlation_id, org.id = claimed.org_id,
        );
        let result = unless_stopped(handle(), job.signal).instrument(span.clone()).await;
        if failpoint::hit("run.handled").await.is_err() {
            return;
        }
        let now = self.clock.now();
        let notes = std::mem::take(&mut *job.notes.lock().unwrap_or_else(PoisonError::into_inner));
        match result.and_then(|result| span.in_scope(|| self.conclude(run, result, started_at, now, notes))) {
            Some(ended) => run.finish(ended).await,
            None => run.let_go(),
        }
    }

    /// The failure that an error of the handler, or of a layer around it, stands for.
    fn failure(&self, error: BoxDynError) -> JobError {
        match error.downcast() {
            Ok(failure) => *failure,
            Err(error) if error.is::<Elapsed>() => JobError::timeout(self.policy.timeout),
            Err(error) => JobError::fail(error),
        }
    }

    /// Turns the end of an attempt into the change that is to be written; `None` when nothing may be written.
    fn conclude(
        &self,
        run: &Run,
        result: Result<Outcome, BoxDynError>,
        started_at: Timestamp,
        now: Timestamp,
        notes: String,
    ) -> Option<Ended> {
        let claimed = run.claimed();
        let mut life = claimed.life();
        life.cancel_requested |= run.is_cancel_requested();
        let mut stored: Option<Value> = None;
        let mut error: Option<(ErrorClass, String)> = None;
        let event = match result {
            Ok(Outcome::Done(value)) => {
                stored = value;
                Event::Done
            }
            Ok(Outcome::Skip(why)) => {
                stored = Some(json!({ SKIPPED: why }));
                Event::Done
            }
            Ok(Outcome::Poll { after, until }) => Event::Poll { at: now + after, until },
            Err(failure) => match failure.downcast::<PayloadError>() {
                Ok(unreadable) => {
                    tracing::error!(error = %unreadable, "the payload can't be read; the job is parked");
                    error = Some((ErrorClass::Permanent, unreadable.0));
                    Event::Park
                }
                Err(failure) => {
                    let failure = self.failure(failure);
                    if failure.is_interrupted() {
                        Event::Release
                    } else {
                        let attempts = life.attempts + 1;
                        let retry_at = failure
                            .may_retry()
                            .then(|| retry_at(&self.policy, attempts, failure.after, now, fastrand::f64()));
                        error = Some((failure.class(), failure.to_string()));
                        Event::Fail { class: failure.class(), retry_at }
                    }
                }
            },
        };
        let change = match apply(&life, &event, now) {
            Ok(change) => change,
            Err(refusal) => {
                // A claimed job is running, and running jobs take all of these events.
                tracing::error!(%refusal, ?event, "a running job refused the end of its attempt");
                return None;
            }
        };
        if error.is_none() && change.died() {
            error = Some((ErrorClass::Timeout, "the polling was not done by its deadline".to_owned()));
        }
        report(&change, error.as_ref(), now.since(started_at));
        count(&claimed.kind, &change, error.as_ref(), now.since(started_at));
        let ended = Ended { claimed: claimed.clone(), change, result: stored, error, notes, started_at, ended_at: now };
        Some(ended.storable())
    }
}

/// The result of the handler: an interruption when the job is to be given back, and `None` when its lease is lost, because
/// nothing may be written then. The handler is dropped before this returns.
async fn unless_stopped(
    handled: impl Future<Output = Result<Outcome, BoxDynError>> + Send,
    mut signal: watch::Receiver<Signal>,
) -> Option<Result<Outcome, BoxDynError>> {
    tokio::select! {
        biased;
        result = handled => Some(result),
        told = signal.wait_for(|signal| matches!(signal, Signal::GiveBack | Signal::Lost)) => match told.as_deref() {
            Ok(Signal::GiveBack) => Some(Err(JobError::interrupted().into())),
            // Without a sender nobody holds the lease for this run any more.
            _ => {
                tracing::warn!("the lease was lost while the job ran; its result is not written");
                None
            }
        },
    }
}

/// A failure is logged here, once; success only for those who ask for detail.
fn report(change: &Change, error: Option<&(ErrorClass, String)>, took: Duration) {
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let state = change.life.state.as_str();
    match error {
        Some((class, error)) if change.died() => {
            tracing::error!(duration_ms, error.class = class.as_str(), error, "the job is dead");
        }
        Some((class, error)) => {
            tracing::warn!(duration_ms, job.state = state, error.class = class.as_str(), error, run_at = %change.life.run_at, "the attempt failed");
        }
        None => tracing::debug!(duration_ms, job.state = state, "the attempt ended"),
    }
}

fn count(kind: &str, change: &Change, error: Option<&(ErrorClass, String)>, took: Duration) {
    let kind = kind.to_owned();
    let outcome = error.map_or("ok", |(class, _)| class.as_str());
    metrics::counter!("nightshift_job_attempts_total", "kind" => kind.clone(), "outcome" => outcome).increment(1);
    metrics::counter!("nightshift_jobs_total", "kind" => kind.clone(), "state" => change.life.state.as_str())
        .increment(1);
    metrics::histogram!("nightshift_job_run_seconds", "kind" => kind).record(took.as_secs_f64());
}
