//! A run: one claimed job in the hands of this process, from the claim until its end is handed to the writer.
//!
//! A run always ends. It is finished with what its attempt came to; one that is dropped before that, because something
//! outside the handler panicked or because nobody goes on with it, gives its job back by itself. If even that can't be
//! handed in, the lease is no longer renewed and runs out. No claim stands for ever behind a run that is gone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nightshift_db::{Clock, Timestamp};
use tokio::sync::{mpsc, watch};

use crate::handlers::signal::Signal;
use crate::handlers::task::RunningJob;
use crate::job::{ErrorClass, Policy, retry_at};
use crate::leases::table::{Lease, Leases};
use crate::store::claim::Claimed;
use crate::store::finish::Ended;
use crate::store::lifecycle::{Event, apply};

/// Results that may wait; beyond that handlers wait for room.
const WAITING_MAX: usize = 1024;

/// An end on its way to the writer, with the lease that it is written under.
pub(crate) type Ending = (Ended, Lease);

/// What all runs of a worker share.
pub(crate) struct Runs {
    endings: mpsc::Sender<Ending>,
    leases: Arc<Leases>,
    clock: Clock,
    /// How each kind is retried.
    policies: BTreeMap<&'static str, Policy>,
}

/// One claimed job. Dropped without [`Run::finish`] or [`Run::let_go`] it gives the job back.
pub(crate) struct Run {
    claimed: Arc<Claimed>,
    /// Taken when the run ends.
    lease: Mutex<Option<Lease>>,
    runs: Arc<Runs>,
}

impl Runs {
    /// The runs of a worker that knows these kinds, and where their ends come out. The receiver ends when neither a
    /// handle on the runs nor a run is left.
    pub(crate) fn channel(
        leases: Arc<Leases>,
        clock: Clock,
        policies: BTreeMap<&'static str, Policy>,
    ) -> (Arc<Self>, mpsc::Receiver<Ending>) {
        let (endings, receiver) = mpsc::channel(WAITING_MAX);
        (Arc::new(Self { endings, leases, clock, policies }), receiver)
    }

    /// Takes on what was claimed.
    pub(crate) fn begin(self: &Arc<Self>, claimed: Vec<Claimed>) -> Vec<Run> {
        let begin = |claimed: Claimed| {
            let lease = Mutex::new(Some(Lease::of(&self.leases, &claimed)));
            Run { claimed: Arc::new(claimed), lease, runs: self.clone() }
        };
        claimed.into_iter().map(begin).collect()
    }
}

impl Run {
    pub(crate) fn claimed(&self) -> &Arc<Claimed> {
        &self.claimed
    }

    /// The job as its handler receives it.
    pub(crate) fn job(&self) -> RunningJob {
        let lost = || watch::Sender::new(Signal::Lost).subscribe();
        let signal = self.lease().as_ref().map_or_else(lost, Lease::signal);
        RunningJob { claimed: self.claimed.clone(), signal, notes: Arc::default() }
    }

    pub(crate) fn is_cancel_requested(&self) -> bool {
        self.lease().as_ref().is_some_and(Lease::is_cancel_requested)
    }

    /// Hands in the end of the attempt. The lease is renewed until it is written.
    pub(crate) async fn finish(&self, ended: Ended) {
        let Some(lease) = self.lease().take() else { return };
        lease.finishing();
        // The receiving end lives as long as the worker; without it the lease runs out and another process takes over.
        let _ = self.runs.endings.send((ended, lease)).await;
    }

    /// Gives the job back untouched. Unlike a run that is dropped it waits until the writer has room.
    pub(crate) async fn give_back(&self) {
        let ended = self.lease().as_ref().and_then(|lease| self.broken_off(lease, false));
        if let Some(ended) = ended {
            self.finish(ended).await;
        }
    }

    /// Ends without writing anything: the lease belongs to somebody else, or is left to run out.
    pub(crate) fn let_go(&self) {
        self.lease().take();
    }

    fn lease(&self) -> MutexGuard<'_, Option<Lease>> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How a run ends that nobody finished: as a failed attempt when something panicked, so that it is tried again as
    /// often as its kind allows; untouched otherwise.
    fn broken_off(&self, lease: &Lease, panicked: bool) -> Option<Ended> {
        let now: Timestamp = self.runs.clock.now();
        let mut life = self.claimed.life();
        life.cancel_requested |= lease.is_cancel_requested();
        let (event, error) = if panicked {
            let policy = self.runs.policies.get(self.claimed.kind.as_str());
            let retry_at = policy.map(|policy| retry_at(policy, life.attempts + 1, None, now, fastrand::f64()));
            let error = (ErrorClass::Panic, "the run panicked outside the job's handler".to_owned());
            (Event::Fail { class: ErrorClass::Panic, retry_at }, Some(error))
        } else {
            (Event::Release, None)
        };
        let change = apply(&life, &event, now).ok()?;
        let claimed = self.claimed.clone();
        Some(Ended { claimed, change, result: None, error, notes: String::new(), started_at: now, ended_at: now })
    }
}

impl Drop for Run {
    /// Runs while a panic unwinds, so nothing in here may panic: no log line, no metric.
    fn drop(&mut self) {
        let Some(lease) = self.lease().take() else { return };
        let Some(ended) = self.broken_off(&lease, std::thread::panicking()) else { return };
        lease.finishing();
        // Without room, or without a writer, the lease is no longer renewed.
        let _ = self.runs.endings.try_send((ended, lease));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
pub(crate) mod tests {
    use std::panic::AssertUnwindSafe;

    use super::*;
    use crate::store::lifecycle::State;

    fn claimed(id: &str) -> Claimed {
        let now = Timestamp::from_unix_ms(0);
        Claimed {
            id: id.to_owned(),
            queue: "main".to_owned(),
            kind: "kind".to_owned(),
            org_id: None,
            payload: "{}".to_owned(),
            payload_version: 1,
            priority: 5,
            run_at: now,
            group_key: None,
            attempts: 0,
            max_attempts: 2,
            crashes: 0,
            polls: 0,
            poll_deadline: None,
            cancel_requested: false,
            mode: None,
            correlation_id: None,
            parent_job_id: None,
            traceparent: None,
            created_at: now,
            started_at: Some(now),
            lease_id: "lease".to_owned(),
        }
    }

    /// A run of a job of the kind `kind` in the queue `main`, and where its end comes out.
    pub(crate) fn begun() -> (Run, mpsc::Receiver<Ending>, Arc<Leases>) {
        let (mut runs, endings, leases) = begun_all(&["job"]);
        (runs.pop().unwrap(), endings, leases)
    }

    /// The same of these jobs.
    pub(crate) fn begun_all(ids: &[&str]) -> (Vec<Run>, mpsc::Receiver<Ending>, Arc<Leases>) {
        let leases = Arc::new(Leases::default());
        let clock = Clock::manual(Timestamp::from_unix_ms(0));
        let (runs, endings) = Runs::channel(leases.clone(), clock, [("kind", Policy::fast(2))].into());
        let runs = runs.begin(ids.iter().map(|id| claimed(id)).collect());
        assert_eq!(leases.count(), ids.len());
        (runs, endings, leases)
    }

    #[test]
    fn a_run_that_is_dropped_gives_its_job_back_untouched() {
        let (run, mut endings, leases) = begun();
        drop(run);
        let (ended, lease) = endings.try_recv().unwrap();
        assert_eq!((ended.change.life.state, ended.change.life.attempts), (State::Queued, 0));
        assert_eq!(leases.count(), 1, "the lease is renewed until that is written");
        drop(lease);
        assert_eq!(leases.count(), 0);
    }

    #[test]
    fn a_panic_outside_the_handler_is_a_failed_attempt() {
        let (run, mut endings, _) = begun();
        let panicked = std::panic::catch_unwind(AssertUnwindSafe(move || {
            let _run = run;
            std::panic::resume_unwind(Box::new("scripted"));
        }));
        assert!(panicked.is_err());
        let (ended, _) = endings.try_recv().unwrap();
        assert_eq!((ended.change.life.state, ended.change.life.attempts), (State::Retrying, 1));
        assert!(ended.change.life.run_at > ended.ended_at);
    }

    #[test]
    fn a_run_that_cannot_be_given_back_is_held_no_longer() {
        let (run, endings, leases) = begun();
        drop(endings);
        drop(run);
        assert_eq!(leases.count(), 0);
    }

    #[tokio::test]
    async fn an_end_that_nobody_takes_is_held_no_longer() {
        let (run, endings, leases) = begun();
        drop(endings);
        let ended = run.broken_off(run.lease().as_ref().unwrap(), false).unwrap();
        run.finish(ended).await;
        assert_eq!(leases.count(), 0);
    }
}
