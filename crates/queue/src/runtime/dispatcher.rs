//! The dispatcher: one per process, claims for all queues and hands the jobs to the workers of their kinds.
//!
//! It claims as soon as there is both a free slot and a reason to look: a wake-up, a freed slot of a queue that had
//! more, a job that becomes due. Without a reason it looks once in a while, in case a wake-up was lost.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use nightshift_db::{Clock, Db, Result, Timestamp, failpoint, new_id, sabotage};
use tokio::sync::watch;

use crate::leases::renewal::LEASE;
use crate::runtime::backend::Deliveries;
use crate::runtime::run::Runs;
use crate::runtime::slots::{Slot, Slots};
use crate::store::claim::{self, Claim, Outlook, Want};
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

/// What a round of claiming found out.
struct Round {
    /// Look again at once: slots were filled or more is due.
    again: bool,
    /// A limit over all processes holds jobs back.
    limited: bool,
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
            return Err(error);
        }
        let Outlook { mut next_due, mut limited } = Outlook::read(&self.db).await?;
        loop {
            if *stop.borrow() {
                return Ok(());
            }
            let now = self.clock.now();
            if next_due.is_some_and(|due| due <= now) {
                let more = claim::promote_due(&self.db, now).await?;
                next_due = if more { Some(now) } else { claim::next_due(&self.db).await? };
            }
            if self.slots.iter().any(|slots| slots.gathers()) {
                tokio::time::sleep(GATHER).await;
            }
            let round = self.claim_once(&limited, now).await?;
            if round.again || next_due.is_some_and(|due| due <= self.clock.now()) {
                tokio::task::yield_now().await;
                continue;
            }
            // From the instant that was looked at: what became due while we looked is not passed over.
            let look_at = now + if round.limited { LOOK_LIMITED_EVERY } else { LOOK_EVERY };
            tokio::select! {
                woken = self.wake.woken() => {
                    next_due = earlier(next_due, woken.due);
                }
                () = self.clock.sleep_until(next_due.map_or(look_at, |due| due.min(look_at))) => {
                    if self.clock.now() >= look_at {
                        Outlook { next_due, limited } = Outlook::read(&self.db).await?;
                    }
                }
                () = stopped(stop) => return Ok(()),
            }
        }
    }

    async fn claim_once(&self, limited: &[String], now: Timestamp) -> Result<Round> {
        let wants: Vec<Want> = self
            .slots
            .iter()
            .map(|slots| Want { queue: slots.queue.clone(), slots: slots.free() })
            .filter(|want| want.slots > 0)
            .collect();
        if wants.is_empty() {
            // A slot that becomes free wakes us.
            self.slots.iter().for_each(|slots| slots.set_backlog(true));
            return Ok(Round { again: self.slots.iter().any(|slots| slots.free() > 0), limited: false });
        }
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
            Err(error) if error.is_unique_violation() => return Ok(Round { again: true, limited: false }),
            claimed => claimed?,
        };
        if !claimed.is_empty() {
            failpoint::hit("claim.after_commit").await?;
        }
        self.last_claim_ms.store(self.clock.now().unix_ms(), Ordering::Release);
        let runs = self.runs.begin(claimed);
        let mut again = false;
        for slots in &self.slots {
            let taken = runs.iter().filter(|run| run.claimed().queue == slots.queue).count();
            let wanted = wants.iter().find(|want| want.queue == slots.queue).map_or(0, |want| want.slots);
            slots.take(taken);
            // All slots of the queue are full, or it got as many as it asked for: there may be more.
            slots.set_backlog(wanted == 0 || taken == wanted);
            again |= taken > 0 && taken == wanted && slots.free() > 0;
        }
        for run in runs {
            let Some(slots) = self.slots.iter().find(|slots| slots.queue == run.claimed().queue) else { continue };
            let slot = Slot::taken(slots);
            if let Some(worker) = self.deliveries.get(run.claimed().kind.as_str()) {
                // The receiver lives as long as the workers; a run that no worker got gives its job back.
                let _ = worker.send((run, slot));
            }
        }
        Ok(Round { again, limited: held_back })
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
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
