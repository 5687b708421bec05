//! The layer that finishes attempts: it turns whatever happens to a job's handler into the end that the writer stores.
//!
//! apalis's layers lie within it, so a panic and an exceeded time limit arrive here as errors of the handler. It also
//! watches the signal: a job whose lease is lost, or that is to be given back, ends here.

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
use crate::handlers::task::RunningJob;
use crate::job::{ErrorClass, JobError, JobResult, Outcome, PayloadError, Policy, SKIPPED, retry_at};
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
    H: Service<Task<RunningJob>, Response = Outcome, Error = BoxDynError>,
    H::Future: Send + 'static,
{
    type Response = ();
    type Error = BoxDynError;
    type Future = BoxFuture<'static, Result<(), BoxDynError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        self.handler.poll_ready(cx)
    }

    fn call(&mut self, task: Task<RunningJob>) -> Self::Future {
        let delivered = task.data().get_checked::<Arc<Delivered>>().cloned();
        let job = task.args.clone();
        let handled = self.handler.call(task);
        let layer = self.layer.clone();
        Box::pin(async move {
            let delivered = delivered?;
            layer.finish(&delivered.0, job, handled).await;
            Ok(())
        })
    }
}

enum HowItEnded {
    Handler(JobResult),
    Unreadable(String),
    GivenBack,
    Lost,
}

impl FinishLayer {
    /// Waits for the end of the handler and hands it to the writer. Whatever panics in here, the run is dropped and gives
    /// its job back.
    async fn finish(
        &self,
        run: &Run,
        job: RunningJob,
        handled: impl Future<Output = Result<Outcome, BoxDynError>> + Send,
    ) {
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
        let how = self.end_of(handled, job.signal).instrument(span.clone()).await;
        if failpoint::hit("run.handled").await.is_err() {
            return;
        }
        let now = self.clock.now();
        let notes = std::mem::take(&mut *job.notes.lock().unwrap_or_else(PoisonError::into_inner));
        match span.in_scope(|| self.conclude(run, how, started_at, now, notes)) {
            Some(ended) => run.finish(ended).await,
            None => run.let_go(),
        }
    }

    /// Waits for the handler's end, unless the job is to be given back or its lease is lost. The handler is dropped when
    /// this returns, so nothing of it goes on while its end is written.
    async fn end_of(
        &self,
        handled: impl Future<Output = Result<Outcome, BoxDynError>> + Send,
        mut signal: watch::Receiver<Signal>,
    ) -> HowItEnded {
        tokio::select! {
            biased;
            result = handled => result.map_or_else(
                |error| self.failed(error),
                |outcome| HowItEnded::Handler(Ok(outcome)),
            ),
            how = interrupted(&mut signal) => how,
        }
    }

    /// What an error of the handler or of a layer around it means.
    fn failed(&self, error: BoxDynError) -> HowItEnded {
        if error.is::<Elapsed>() {
            return HowItEnded::Handler(Err(JobError::timeout(self.policy.timeout)));
        }
        match error.downcast::<PayloadError>() {
            Ok(unreadable) => HowItEnded::Unreadable(unreadable.0),
            Err(error) => HowItEnded::Handler(Err(error
                .downcast()
                .map_or_else(JobError::fail, |failure: Box<JobError>| *failure))),
        }
    }

    /// Turns the end of an attempt into the change that is to be written; `None` when nothing may be written.
    fn conclude(
        &self,
        run: &Run,
        how: HowItEnded,
        started_at: Timestamp,
        now: Timestamp,
        notes: String,
    ) -> Option<Ended> {
        let claimed = run.claimed();
        let mut life = claimed.life();
        life.cancel_requested |= run.is_cancel_requested();
        let mut result: Option<Value> = None;
        let mut error: Option<(ErrorClass, String)> = None;
        let event = match how {
            HowItEnded::Lost => {
                tracing::warn!("the lease was lost while the job ran; its result is not written");
                return None;
            }
            HowItEnded::GivenBack => Event::Release,
            HowItEnded::Unreadable(why) => {
                tracing::error!(error = %why, "the payload can't be read; the job is parked");
                error = Some((ErrorClass::Permanent, why));
                Event::Park
            }
            HowItEnded::Handler(Ok(Outcome::Done(value))) => {
                result = value;
                Event::Done
            }
            HowItEnded::Handler(Ok(Outcome::Skip(why))) => {
                result = Some(json!({ SKIPPED: why }));
                Event::Done
            }
            HowItEnded::Handler(Ok(Outcome::Poll { after, until })) => Event::Poll { at: now + after, until },
            HowItEnded::Handler(Err(failure)) if failure.is_interrupted() => Event::Release,
            HowItEnded::Handler(Err(failure)) => {
                let retry_at = failure
                    .may_retry()
                    .then(|| retry_at(&self.policy, life.attempts + 1, failure.after, now, fastrand::f64()));
                error = Some((failure.class(), failure.to_string()));
                Event::Fail { class: failure.class(), retry_at }
            }
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
        Some(Ended { claimed: claimed.clone(), change, result, error, notes, started_at, ended_at: now }.storable())
    }
}

async fn interrupted(signal: &mut watch::Receiver<Signal>) -> HowItEnded {
    match signal.wait_for(|signal| matches!(signal, Signal::GiveBack | Signal::Lost)).await.map(|signal| *signal) {
        Ok(Signal::GiveBack) => HowItEnded::GivenBack,
        // Without a sender nobody holds the lease for us any more.
        _ => HowItEnded::Lost,
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
