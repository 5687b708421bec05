//! The dispatcher: one per process, claims for all queues and hands the jobs to the workers of their kinds.
//!
//! It claims as soon as there is both a free slot and a reason to look: a wake-up, a freed slot of a queue that had
//! more, a job that becomes due. Without a reason it looks once in a while, in case a wake-up was lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use nightshift_db::{Clock, Db, DbError, Reading, Timestamp, failpoint, new_id, sabotage};
use tokio::sync::watch;

use crate::leases::renewal::LEASE;
use crate::runtime::backend::Deliveries;
use crate::runtime::run::{Run, Runs};
use crate::runtime::slots::{Slot, Slots};
use crate::store::claim::{self, Claim, Outlook, Promoted, Want};
use crate::store::wake::Wake;

/// Between routine looks of an idle process.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Between looks while a limit over all processes holds jobs back: another process may free a place any time.
const LOOK_LIMITED_EVERY: Duration = Duration::from_millis(200);
/// Under a backlog slots become free one by one; so long they are gathered, that one claim may fill many.
const GATHER: Duration = Duration::from_millis(1);
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(250);

pub(crate) struct Dispatcher {
    pub db: Db,
    pub clock: Clock,
    pub worker_id: String,
    pub kinds: Vec<&'static str>,
    /// Of each queue that this process runs.
    pub slots: Vec<Arc<Slots>>,
    /// The worker of each kind.
    pub deliveries: BTreeMap<&'static str, Deliveries>,
    pub wake: Arc<Wake>,
    pub runs: Arc<Runs>,
    /// When the database last answered a claim, in Unix milliseconds.
    pub last_claim_ms: Arc<AtomicI64>,
    pub unparked: AtomicBool,
}

/// Why a round of claiming failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DispatchError {
    #[error(transparent)]
    Db(#[from] DbError),
    /// They were given back. Without a pause they would be claimed again at once.
    #[error("no worker takes jobs of the kind {0}; they were given back")]
    NoWorker(String),
}

type Result<T, E = DispatchError> = std::result::Result<T, E>;

/// What a round of claiming found out.
pub(crate) struct Round {
    /// Look again at once: slots were filled or more is due.
    again: bool,
    /// A limit over all processes holds jobs back.
    limited: bool,
    /// A queue has no free slot left, so there may be jobs that others must take.
    full: bool,
}

impl Dispatcher {
    /// Claims until `stop` is set.
    pub(crate) async fn run(&self, stop: &mut watch::Receiver<bool>) -> Result<()> {
        // Before the first lease is given, and after each outage: the server may be another one by now.
        self.db.agree_on_time(&self.clock).await?;
        if !self.unparked.swap(true, Ordering::AcqRel)
            && let Err(error) = claim::unpark(&self.db, &self.kinds, self.clock.now()).await
        {
            self.unparked.store(false, Ordering::Release);
            return Err(error.into());
        }
        let Outlook { mut next_due, mut limited } = Outlook::read(&self.db).await?;
        let (mut steps, mut look_at) = (self.clock.steps(), self.clock.now() + LOOK_EVERY);
        loop {
            if *stop.borrow() {
                return Ok(());
            }
            let Reading { at: now, steps: counted } = self.clock.read();
            // Checked in each round: hints that keep coming must not put off the look that finds what had none. After a
            // step of the clock the time of the look is of before.
            if now >= look_at || counted != steps {
                (steps, look_at) = (counted, now + LOOK_EVERY);
                Outlook { next_due, limited } = Outlook::read(&self.db).await?;
            }
            let mut promoted = Promoted::default();
            if next_due.is_some_and(|due| due <= now) {
                promoted = claim::promote_due(&self.db, now).await?;
                next_due = if promoted.more { Some(now) } else { claim::next_due(&self.db).await? };
            }
            if self.slots.iter().any(|slots| slots.gathers()) {
                tokio::time::sleep(GATHER).await;
            }
            let round = self.claim_once(&limited).await?;
            if promoted.any && round.full {
                // The others no longer find these jobs among those that become due.
                self.wake.look_elsewhere();
            }
            if round.again || next_due.is_some_and(|due| due <= self.clock.now()) {
                tokio::task::yield_now().await;
                continue;
            }
            // From the instant that was looked at: what became due while we looked is not passed over.
            let again_at = if round.limited { look_at.min(now + LOOK_LIMITED_EVERY) } else { look_at };
            tokio::select! {
                woken = self.wake.woken() => {
                    next_due = earlier(next_due, woken.due);
                }
                () = self.clock.sleep_until(next_due.map_or(again_at, |due| due.min(again_at))) => {}
                () = self.clock.stepped(steps) => {}
                () = stopped(stop) => return Ok(()),
            }
        }
    }

    pub(crate) async fn claim_once(&self, limited: &[String]) -> Result<Round> {
        let wants: Vec<Want> = self
            .slots
            .iter()
            .map(|slots| Want { queue: slots.queue.clone(), slots: slots.free() })
            .filter(|want| want.slots > 0)
            .collect();
        if wants.is_empty() {
            // A slot that becomes free wakes us.
            self.slots.iter().for_each(|slots| slots.set_backlog(true));
            return Ok(Round { again: self.slots.iter().any(|slots| slots.free() > 0), limited: false, full: true });
        }
        let now = self.db.agreed_time(&self.clock).await?.at;
        let lease_id = if sabotage::is("one_lease_for_ever") { self.worker_id.clone() } else { new_id(now) };
        let claim = Claim {
            worker_id: &self.worker_id,
            lease_id: &lease_id,
            leased_until: now + LEASE,
            kinds: &self.kinds,
            now,
        };
        let claim::Taken { jobs: claimed, held_back } = match claim::claim(&self.db, &wants, limited, &claim).await {
            // Another process claimed a job of the same group at the same moment; the index refused ours.
            Err(error) if error.is_unique_violation() => return Ok(Round { again: true, limited: false, full: true }),
            claimed => claimed?,
        };
        if !claimed.is_empty() {
            failpoint::hit("claim.after_commit").await?;
        }
        self.last_claim_ms.store(self.clock.now().unix_ms(), Ordering::Release);
        let runs = self.runs.begin(claimed);
        let (mut again, mut full) = (false, false);
        for slots in &self.slots {
            let taken = runs.iter().filter(|run| run.claimed().queue == slots.queue).count();
            let wanted = wants.iter().find(|want| want.queue == slots.queue).map_or(0, |want| want.slots);
            slots.take(taken);
            // All slots of the queue are full, or it got as many as it asked for: there may be more.
            let filled = wanted == 0 || taken == wanted;
            slots.set_backlog(filled);
            full |= filled;
            again |= taken > 0 && taken == wanted && slots.free() > 0;
        }
        deliver(runs, &self.slots, &self.deliveries)?;
        Ok(Round { again, limited: held_back, full })
    }
}

/// Sends each run to the worker of its kind, with a slot that was taken before. A run that no worker gets gives its job
/// back; the others are sent all the same.
fn deliver(runs: Vec<Run>, slots: &[Arc<Slots>], deliveries: &BTreeMap<&'static str, Deliveries>) -> Result<()> {
    let mut delivered = Ok(());
    for run in runs {
        let Some(slots) = slots.iter().find(|slots| slots.queue == run.claimed().queue) else { continue };
        let slot = Slot::taken(slots);
        let claimed = run.claimed().clone();
        let sent = deliveries.get(claimed.kind.as_str()).is_some_and(|worker| worker.send((run, slot)).is_ok());
        if !sent {
            tracing::error!(job.id = %claimed.id, job.kind = %claimed.kind, "no worker takes the job; it is given back");
            delivered = Err(DispatchError::NoWorker(claimed.kind.clone()));
        }
    }
    delivered
}

/// Waits until `stop` is set.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the worker is gone, which is as good as a stop.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// The pause after a failed round, so that a database that is away is asked a few times a second, not more.
pub(crate) async fn pause_after_error() {
    tokio::time::sleep(PAUSE_AFTER_ERROR).await;
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;
    use crate::runtime::backend::ClaimedJobs;
    use crate::runtime::run::tests::begun;
    use crate::store::lifecycle::State;

    fn is_given_back_without_a_worker(deliveries: &BTreeMap<&'static str, Deliveries>) {
        let (run, mut endings, _) = begun();
        let slots = Slots::new("main".to_owned(), 1, Wake::new());
        slots.take(1);
        let delivered = deliver(vec![run], std::slice::from_ref(&slots), deliveries);
        assert!(matches!(delivered, Err(DispatchError::NoWorker(kind)) if kind == "kind"));
        assert_eq!(endings.try_recv().unwrap().0.change.life.state, State::Queued);
        assert_eq!(slots.free(), 1);
    }

    #[test]
    fn a_job_that_no_worker_takes_is_given_back_and_fails_the_round() {
        is_given_back_without_a_worker(&BTreeMap::new());
        let (ended, jobs) = ClaimedJobs::channel();
        drop(jobs);
        is_given_back_without_a_worker(&[("kind", ended)].into());
    }
}
