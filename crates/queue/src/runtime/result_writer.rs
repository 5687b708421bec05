//! Storing how attempts ended, in batches.
//!
//! A handler's slot is free as soon as it ends; its result gathers with others while the previous batch is being
//! written. While the database is away the results wait here, and their leases are still renewed.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use nightshift_db::{Clock, Db};
use tokio::sync::mpsc;

use crate::handlers::end::write_dead;
use crate::handlers::registry::Registry;
use crate::runtime::run::Ending;
use crate::store::finish::{Ended, Written, write_all};
use crate::store::wake::{Wake, Woken};

const BATCH_MAX: usize = 512;
const RETRY_EVERY: Duration = Duration::from_millis(500);

/// Writes what attempts came to, until no run is left.
pub(crate) struct ResultWriter<S> {
    pub db: Db,
    pub clock: Clock,
    pub registry: Arc<Registry<S>>,
    pub wake: Arc<Wake>,
}

impl<S: Send + Sync + 'static> ResultWriter<S> {
    /// Whatever panics in here, the next results are written: without a writer all leases would be renewed for nothing.
    pub(crate) async fn run(&self, endings: &mut mpsc::Receiver<Ending>) {
        while AssertUnwindSafe(self.write_all_that_come(endings)).catch_unwind().await.is_err() {}
    }

    async fn write_all_that_come(&self, endings: &mut mpsc::Receiver<Ending>) {
        loop {
            let mut batch = Vec::new();
            if endings.recv_many(&mut batch, BATCH_MAX).await == 0 {
                return;
            }
            let (mut ending, others): (Vec<_>, Vec<_>) =
                batch.into_iter().partition(|(ended, _)| ended.change.ended_without_success());
            if !others.is_empty() {
                ending.extend(self.write_batch(others).await);
            }
            for ending in ending {
                self.write_end(ending).await;
            }
        }
    }

    /// Writes the end of a job without success.
    pub(crate) async fn write_end(&self, (ended, lease): Ending) {
        let written = self.guarded(std::slice::from_ref(&ended), self.write_dying(&ended)).await;
        drop(lease);
        match written.as_deref() {
            Some([]) => refused(&ended),
            Some(_) => self.written(&ended),
            None => {}
        }
    }

    /// Writes what ends no job without success. Returns what a person has cancelled meanwhile: its end is to be written
    /// instead.
    pub(crate) async fn write_batch(&self, batch: Vec<Ending>) -> Vec<Ending> {
        let (batch, leases): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        let Some(written) = self.guarded(&batch, self.write_surviving(&batch)).await else { return Vec::new() };
        let Some(written) = written else {
            // One result that the database will never take must not cost the others theirs.
            let mut to_cancel = Vec::new();
            if batch.len() > 1 {
                for ending in batch.into_iter().zip(leases) {
                    to_cancel.extend(Box::pin(self.write_batch(vec![ending])).await);
                }
            }
            return to_cancel;
        };
        let written: HashSet<&str> = written.iter().map(|row| row.id.as_str()).collect();
        let mut to_cancel = Vec::new();
        for (ended, lease) in batch.into_iter().zip(leases) {
            if written.contains(ended.claimed.id.as_str()) {
                drop(lease);
                self.written(&ended);
            } else if ended.change.life.state.is_claimable() {
                // It was to wait again. Should its lease be lost, writing its end shows.
                to_cancel.push((ended.cancelled(), lease));
            } else {
                drop(lease);
                refused(&ended);
            }
        }
        to_cancel
    }

    /// What was written; nothing after a panic. That costs these results only: they are held no longer, so the leases run
    /// out and the jobs run again.
    async fn guarded<T>(&self, batch: &[Ended], writing: impl Future<Output = T>) -> Option<T> {
        let written = AssertUnwindSafe(writing).catch_unwind().await.ok();
        if written.is_none() {
            tracing::error!(jobs = batch.len(), "writing results panicked; their leases will run out");
        }
        written
    }

    /// Tries until the database has taken it. Only a refusal that can't pass ends in giving up, with nothing: the leases
    /// then run out.
    async fn write_surviving(&self, batch: &[Ended]) -> Option<Vec<Written>> {
        loop {
            match write_all(&self.db, batch, self.clock.now()).await {
                Ok(written) => return Some(written),
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "results could not be written; trying again");
                    tokio::time::sleep(RETRY_EVERY).await;
                }
                Err(error) => {
                    tracing::error!(jobs = batch.len(), %error, "the database refused results");
                    return None;
                }
            }
        }
    }

    /// The same for a job that ends without success.
    async fn write_dying(&self, ended: &Ended) -> Vec<Written> {
        loop {
            match write_dead(&self.db, ended, None, self.clock.now(), &self.registry).await {
                Ok(written) => return written,
                Err(error) if error.may_retry() => {
                    tracing::warn!(%error, "a dead job could not be written; trying again");
                    tokio::time::sleep(RETRY_EVERY).await;
                }
                Err(error) => {
                    tracing::error!(job.id = %ended.claimed.id, job.kind = %ended.claimed.kind, %error,
                        "a dead job was refused; its lease will run out");
                    return Vec::new();
                }
            }
        }
    }

    fn written(&self, ended: &Ended) {
        let life = &ended.change.life;
        let comes_back = life.state.is_claimable() && !life.parked;
        // A row that was written as waiting must be made ready first, even if its time has come meanwhile.
        let waits = ended.waits();
        self.wake.tell_here(Woken {
            ready: ended.claimed.group_key.is_some() || (comes_back && !waits),
            due: (comes_back && waits).then_some(life.run_at),
            cancel: false,
        });
    }
}

fn refused(ended: &Ended) {
    metrics::counter!("nightshift_finishes_refused_total").increment(1);
    tracing::warn!(job.id = %ended.claimed.id, job.kind = %ended.claimed.kind,
        "the result was refused: the job's lease belongs to somebody else by now");
}
