//! Group commit: stores many small concurrent writes in few transactions.
//!
//! A commit costs one wait for the disk, whatever its size. Callers submit an item and wait. While one transaction
//! commits, new items gather, and the next transaction stores all of them. There is no timer: an idle writer writes the
//! first item at once, and batches grow only under load. Each caller gets its answer after the commit.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::{Db, DbError, Outage, Result, Tx, failpoint, sabotage};

pub trait BatchWrite: Send + Sync + 'static {
    /// What a caller submits.
    type Item: Send + Sync + 'static;
    /// What the caller gets after the commit.
    type Answer: Send + 'static;
    /// The names of the [`failpoint`]s before and after the commit. A statement that commits by itself
    /// ([`write_alone`](Self::write_alone)) has none within: the first is hit before it is sent. What happens when it is
    /// interrupted is tested by a network that cuts connections (`tests/it/network.rs`).
    const FAILPOINTS: [&'static str; 2];

    /// Writes `items` within `tx` and returns one answer per item, in the same order.
    ///
    /// # Errors
    /// An error rolls back the whole batch. Unless it is transient, each item is then written in a transaction of its
    /// own, so that only the bad item fails.
    fn write(&self, tx: &mut Tx, items: &[Self::Item]) -> impl Future<Output = Result<Vec<Self::Answer>>> + Send;

    /// Writes `items` with one statement that commits by itself. Returns `None` if they need a transaction.
    ///
    /// An error may come after the commit: a lost connection, which is transient, or an answer that can't be read. After
    /// the latter the items are written again, each by itself. So if the statement's answer has rows, it must store an
    /// item once, however often it is written.
    fn write_alone<'a>(
        &'a self,
        _db: &'a Db,
        _items: &'a [Self::Item],
    ) -> Option<BoxFuture<'a, Result<Vec<Self::Answer>>>> {
        None
    }
}

/// The limits of a group commit.
#[derive(Debug, Clone, Copy)]
pub struct GroupLimits {
    /// Maximum number of items in one transaction.
    pub batch_max: usize,
    /// Maximum number of waiting items. Further callers wait until there is room, or are refused.
    pub waiting_max: usize,
    /// Number of concurrent transactions. More than one is useless on SQLite, which has one writer.
    pub writers: usize,
}

impl Default for GroupLimits {
    fn default() -> Self {
        Self { batch_max: 256, waiting_max: 4096, writers: 1 }
    }
}

type Waiting<W> = (<W as BatchWrite>::Item, oneshot::Sender<Result<<W as BatchWrite>::Answer>>);

/// A cheap handle. When the last clone is dropped, the writer tasks end after the items that were already submitted.
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

    /// Submits one item and waits until it is committed.
    ///
    /// # Errors
    /// The error of its transaction. If the commit itself failed, the item may have been stored nevertheless.
    pub async fn submit(&self, item: W::Item) -> Result<W::Answer> {
        let (answer, answered) = oneshot::channel();
        self.waiting.send((item, answer)).await.map_err(|_| DbError::Unavailable(Outage::Closed))?;
        answered.await.map_err(|_| DbError::Unavailable(Outage::Closed))?
    }

    /// As [`GroupCommit::submit`], but does not wait for room.
    ///
    /// # Errors
    /// [`DbError::Overloaded`] if too many items are waiting; otherwise the errors of [`GroupCommit::submit`].
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
                    // The caller is gone if its client has disconnected. The item is stored nevertheless.
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

/// Writes a batch. A panic becomes an error of this batch, so that the writer task continues with the next one.
async fn write_guarded<W: BatchWrite>(db: &Db, write: &W, items: &[W::Item]) -> Result<Vec<W::Answer>> {
    AssertUnwindSafe(write_once(db, write, items)).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!(items = items.len(), "writing a batch panicked");
        Err(DbError::Unavailable(Outage::Panicked))
    })
}

async fn write_once<W: BatchWrite>(db: &Db, write: &W, items: &[W::Item]) -> Result<Vec<W::Answer>> {
    let [before_commit, after_commit] = W::FAILPOINTS;
    // Only a transaction can be left without its commit, so this defect takes that path.
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
