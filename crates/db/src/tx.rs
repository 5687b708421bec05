//! A transaction on whichever engine, with things to do once it is committed.

use crate::connections::PooledConnection;
use crate::query::Target;
use crate::{Engine, Query, Result};

/// An open transaction that can write. Dropped without [`Tx::commit`] it is rolled back.
pub struct Tx {
    open: Open,
    after_commit: Vec<Box<dyn FnOnce() + Send>>,
}

/// The connection until the transaction ends; dropped, it is rolled back behind the back of whoever dropped it.
struct Open(Option<PooledConnection>);

impl Open {
    fn line(&self) -> &PooledConnection {
        self.0.as_ref().unwrap_or_else(|| unreachable!("it is taken only when the transaction ends"))
    }

    fn line_mut(&mut self) -> &mut PooledConnection {
        self.0.as_mut().unwrap_or_else(|| unreachable!("it is taken only when the transaction ends"))
    }

    async fn end(mut self, command: &'static str) -> Result<()> {
        match self.0.take() {
            Some(line) => line.end(command).await,
            None => Ok(()),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // Without a runtime the program ends, and the connection with it.
        if let (Some(line), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(line.end("ROLLBACK"));
        }
    }
}

impl Tx {
    pub(crate) fn new(line: PooledConnection) -> Self {
        Self { open: Open(Some(line)), after_commit: Vec::new() }
    }

    /// The engine underneath, for the few statements whose text differs.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.open.line().engine()
    }

    /// A statement within this transaction.
    pub fn query(&mut self, sql: &'static str) -> Query<'_> {
        Query::new(Target::PooledConnection(self.open.line_mut()), sql)
    }

    /// Runs `action` once the transaction is committed; never when it is rolled back.
    ///
    /// It must be quick and must not fail: its effect is only a hint (waking a worker), the committed rows are the truth.
    pub fn after_commit(&mut self, action: impl FnOnce() + Send + 'static) {
        self.after_commit.push(Box::new(action));
    }

    /// Commits, then runs what [`Tx::after_commit`] collected.
    ///
    /// # Errors
    /// When the commit failed or its answer was lost; the caller can't know then whether it took place.
    pub async fn commit(self) -> Result<()> {
        self.open.end("COMMIT").await?;
        for action in self.after_commit {
            action();
        }
        Ok(())
    }

    /// Rolls back now instead of when nobody waits for it.
    ///
    /// # Errors
    /// When the connection is lost, which rolls back as well.
    pub async fn rollback(self) -> Result<()> {
        self.open.end("ROLLBACK").await
    }
}
