//! Running one claimed job: decode, call the handler in a task of its own, and turn whatever happens into an event.
//!
//! Nothing a handler does reaches the worker: a panic is caught, an endless one is cut off at its time limit, a payload
//! that can't be read parks its job.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use nightshift_db::{Timestamp, failpoint};
use serde_json::{Value, json};
use tokio::sync::watch;
use tracing::Instrument;

use crate::handlers::context::JobContext;
use crate::handlers::registry::Registry;
use crate::handlers::signal::Signal;
use crate::job::{ErrorClass, JobError, JobInfo, JobResult, Outcome, SKIPPED, retry_at};
use crate::runtime::run::Run;
use crate::store::claim::Claimed;
use crate::store::finish::Ended;
use crate::store::lifecycle::{Change, Event, apply};
use crate::store::queue::Queue;

/// Everything a pool needs to run jobs.
pub(crate) struct Runner<S> {
    pub registry: Arc<Registry<S>>,
    pub app: Arc<S>,
    pub queue: Queue,
}

enum HowItEnded {
    Handler(JobResult),
    Unreadable(String),
    GivenBack,
    Lost,
}

impl<S: Send + Sync + 'static> Runner<S> {
    /// Runs the handler to its end and hands the result to the writer. Whatever panics in here, the run is dropped and
    /// gives its job back.
    pub(crate) async fn run(&self, run: Run) {
        if failpoint::hit("run.begun").await.is_err() {
            return;
        }
        let claimed = run.claimed();
        let started_at = self.queue.clock().now();
        let signal = run.signal();
        let info = Arc::new(claimed.info());
        metrics::histogram!("nightshift_job_queue_seconds", "kind" => claimed.kind.clone())
            .record(started_at.since(claimed.run_at).as_secs_f64());
        let notes = Arc::new(Mutex::new(String::new()));
        let context = JobContext {
            job: info.clone(),
            app: self.app.clone(),
            queue: self.queue.clone(),
            signal: signal.clone(),
            notes: notes.clone(),
        };
        let span = tracing::info_span!(
            "job",
            job.id = %claimed.id, job.kind = %claimed.kind, job.queue = %claimed.queue, job.attempt = info.attempt,
            correlation_id = claimed.correlation_id, org.id = claimed.org_id,
        );
        let ended = self.call(claimed, context, signal).instrument(span.clone()).await;
        if failpoint::hit("run.handled").await.is_err() {
            return;
        }
        let now = self.queue.clock().now();
        let notes = std::mem::take(&mut *notes.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        match span.in_scope(|| self.conclude(&run, &info, ended, started_at, now, notes)) {
            Some(ended) => run.finish(ended).await,
            None => run.let_go(),
        }
    }

    async fn call(&self, claimed: &Claimed, context: JobContext<S>, mut signal: watch::Receiver<Signal>) -> HowItEnded {
        let Some(kind) = self.registry.get(&claimed.kind) else {
            // Claims name the known kinds, so this is a job of a kind known to the program but not to this registry.
            return HowItEnded::GivenBack;
        };
        // Reading the payload is the kind's own code too.
        let handler = match std::panic::catch_unwind(AssertUnwindSafe(|| kind.run(claimed, context))) {
            Ok(Ok(handler)) => handler,
            Ok(Err(unreadable)) => return HowItEnded::Unreadable(unreadable.0),
            Err(panic) => return HowItEnded::Handler(Err(JobError::panic(panic_text(&*panic)))),
        };
        let limit = kind.policy.timeout;
        let clock = self.queue.clock();
        tokio::select! {
            biased;
            result = AssertUnwindSafe(handler).catch_unwind() => HowItEnded::Handler(match result {
                Ok(result) => result,
                Err(panic) => Err(JobError::panic(panic_text(&*panic))),
            }),
            () = clock.sleep(limit) => HowItEnded::Handler(Err(JobError::timeout(limit))),
            how = interrupted(&mut signal) => how,
        }
    }

    /// Turns the end of an attempt into the change that is to be written; `None` when nothing may be written.
    fn conclude(
        &self,
        run: &Run,
        info: &JobInfo,
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
                let policy = self.registry.get(&claimed.kind).map(|kind| kind.policy);
                let retry_at = policy
                    .filter(|_| failure.may_retry())
                    .map(|policy| retry_at(&policy, life.attempts + 1, failure.after, now, fastrand::f64()));
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
        count(info, &change, error.as_ref(), now.since(started_at));
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

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
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

fn count(info: &JobInfo, change: &Change, error: Option<&(ErrorClass, String)>, took: Duration) {
    let kind = info.kind.clone();
    let outcome = error.map_or("ok", |(class, _)| class.as_str());
    metrics::counter!("nightshift_job_attempts_total", "kind" => kind.clone(), "outcome" => outcome).increment(1);
    metrics::counter!("nightshift_jobs_total", "kind" => kind.clone(), "state" => change.life.state.as_str())
        .increment(1);
    metrics::histogram!("nightshift_job_run_seconds", "kind" => kind).record(took.as_secs_f64());
}
