//! Many small concurrent writes, few transactions.
//!
//! A commit costs one wait for the disk however much it holds. Callers hand in an item and wait; while one transaction
//! commits, the next items gather, and go together into the following one. Nobody waits for a timer: an idle writer
//! writes the first item at once, a busy one grows its batches by itself. Each caller is answered only after its commit.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::{Db, DbError, Outage, Result, Tx, failpoint, sabotage};

/// Writes a batch of items in one transaction.
pub trait BatchWrite: Send + Sync + 'static {
    /// What a caller hands in.
    type Item: Send + Sync + 'static;
    /// What it gets back after the commit.
    type Answer: Send + 'static;
    /// The [`failpoint`]s before and after the commit.
    const FAILPOINTS: [&'static str; 2];

    /// Writes `items` within `tx`; one answer per item, in their order.
    ///
    /// # Errors
    /// An error rolls the whole batch back. Unless it is transient the items are then tried one by one, so that a bad
    /// item fails alone.
    fn write(&self, tx: &mut Tx, items: &[Self::Item]) -> impl Future<Output = Result<Vec<Self::Answer>>> + Send;

    /// The same as one statement that commits by itself, for items that can be written so.
    fn write_alone<'a>(
        &'a self,
        _db: &'a Db,
        _items: &'a [Self::Item],
    ) -> Option<BoxFuture<'a, Result<Vec<Self::Answer>>>> {
        None
    }
}

/// How much a group commit takes on.
#[derive(Debug, Clone, Copy)]
pub struct GroupLimits {
    /// Items in one transaction.
    pub batch_max: usize,
    /// Items that may wait; a caller beyond that waits for room.
    pub waiting_max: usize,
    /// Transactions at a time; SQLite has one writer and gains nothing from more.
    pub writers: usize,
}

impl Default for GroupLimits {
    fn default() -> Self {
        Self { batch_max: 256, waiting_max: 4096, writers: 1 }
    }
}

type Waiting<W> = (<W as BatchWrite>::Item, oneshot::Sender<Result<<W as BatchWrite>::Answer>>);

/// A cheap handle; when the last one is dropped the writer ends after what it already took.
pub struct GroupCommit<W: BatchWrite> {
    waiting: mpsc::Sender<Waiting<W>>,
}

impl<W: BatchWrite> Clone for GroupCommit<W> {
    fn clone(&self) -> Self {
        Self { waiting: self.waiting.clone() }
    }
}

impl<W: BatchWrite> GroupCommit<W> {
    /// Starts the writer tasks on the current runtime.
    #[must_use]
    pub fn start(db: Db, write: W, limits: GroupLimits) -> Self {
        let (sender, receiver) = mpsc::channel(limits.waiting_max);
        let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
        let write = Arc::new(write);
        for _ in 0..limits.writers.max(1) {
            tokio::spawn(write_batches(db.clone(), write.clone(), receiver.clone(), limits.batch_max));
        }
        Self { waiting: sender }
    }

    /// Hands in one item and waits until it is committed.
    ///
    /// # Errors
    /// The error of its transaction. After an error of the commit itself the item may still have been stored.
    pub async fn submit(&self, item: W::Item) -> Result<W::Answer> {
        let (answer, answered) = oneshot::channel();
        self.waiting.send((item, answer)).await.map_err(|_| DbError::Unavailable(Outage::Closed))?;
        answered.await.map_err(|_| DbError::Unavailable(Outage::Closed))?
    }

    /// Like [`GroupCommit::submit`], but refuses at once when too many items wait already.
    ///
    /// # Errors
    /// [`DbError::Overloaded`] when there is no room; else as [`GroupCommit::submit`].
    pub async fn try_submit(&self, item: W::Item) -> Result<W::Answer> {
        let (answer, answered) = oneshot::channel();
        self.waiting.try_send((item, answer)).map_err(|refused| match refused {
            TrySendError::Full(_) => DbError::Overloaded,
            TrySendError::Closed(_) => DbError::Unavailable(Outage::Closed),
        })?;
        answered.await.map_err(|_| DbError::Unavailable(Outage::Closed))?
    }
}

async fn write_batches<W: BatchWrite>(
    db: Db,
    write: Arc<W>,
    waiting: Arc<tokio::sync::Mutex<mpsc::Receiver<Waiting<W>>>>,
    batch_max: usize,
) {
    loop {
        let mut batch = Vec::new();
        if waiting.lock().await.recv_many(&mut batch, batch_max).await == 0 {
            return;
        }
        let (items, callers): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        match write_guarded(&db, &*write, &items).await {
            Ok(answers) => {
                for (caller, answer) in callers.into_iter().zip(answers) {
                    // A caller that has gone away (its client hung up) needs no answer; the item is stored.
                    let _ = caller.send(Ok(answer));
                }
            }
            Err(error) if callers.len() == 1 || error.is_transient() => {
                let mut callers = callers;
                let last = callers.pop();
                for caller in callers {
                    let _ = caller.send(Err(error.for_another()));
                }
                let _ = last.map(|caller| caller.send(Err(error)));
            }
            Err(_) => {
                for (item, caller) in items.into_iter().zip(callers) {
                    let answer = write_guarded(&db, &*write, &[item]).await;
                    let _ = caller.send(answer.and_then(|mut answers| answers.pop().ok_or(DbError::NotFound)));
                }
            }
        }
    }
}

/// A panic fails its batch like an error of the database; the writer goes on with the next one.
async fn write_guarded<W: BatchWrite>(db: &Db, write: &W, items: &[W::Item]) -> Result<Vec<W::Answer>> {
    AssertUnwindSafe(write_once(db, write, items)).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(items = items.len(), "writing a batch panicked");
        Err(DbError::Unavailable(Outage::Panicked))
    })
}

async fn write_once<W: BatchWrite>(db: &Db, write: &W, items: &[W::Item]) -> Result<Vec<W::Answer>> {
    let [before_commit, after_commit] = W::FAILPOINTS;
    let sabotaged = sabotage::is("answered_without_a_commit");
    let answers = if let Some(writing) = write.write_alone(db, items).filter(|_| !sabotaged) {
        failpoint::hit(before_commit).await?;
        writing.await?
    } else {
        let mut tx = db.begin().await?;
        let answers = write.write(&mut tx, items).await?;
        failpoint::hit(before_commit).await?;
        if !sabotaged {
            tx.commit().await?;
        }
        answers
    };
    debug_assert_eq!(answers.len(), items.len(), "one answer per item");
    failpoint::hit(after_commit).await?;
    Ok(answers)
}
