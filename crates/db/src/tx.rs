//! A transaction with actions to run after its commit.

use crate::connections::PooledConnection;
use crate::query::Target;
use crate::{Engine, Query, Result};

/// An open transaction that can write. Rolled back if dropped without [`Tx::commit`].
pub struct Tx {
    open: Open,
    after_commit: Vec<Box<dyn FnOnce() + Send>>,
}

/// The connection until the transaction ends. When dropped, the transaction is rolled back in a spawned task.
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
        // Without a runtime the process is ending, which closes the connection and thereby rolls back.
        if let (Some(line), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(line.end("ROLLBACK"));
        }
    }
}

impl Tx {
    pub(crate) fn new(line: PooledConnection) -> Self {
        Self { open: Open(Some(line)), after_commit: Vec::new() }
    }

    #[must_use]
    pub fn engine(&self) -> Engine {
        self.open.line().engine()
    }

    /// Builds a statement within this transaction.
    pub fn query(&mut self, sql: &'static str) -> Query<'_> {
        Query::new(Target::PooledConnection(self.open.line_mut()), sql)
    }

    /// Runs `action` after the commit, and not at all after a rollback.
    ///
    /// The action must be fast and must not fail. It is only a hint, such as waking a worker: the committed rows must
    /// suffice.
    pub fn after_commit(&mut self, action: impl FnOnce() + Send + 'static) {
        self.after_commit.push(Box::new(action));
    }

    /// Commits, then runs the actions of [`Tx::after_commit`].
    ///
    /// # Errors
    /// The commit failed or its answer was lost. The caller can't know whether the transaction was committed.
    pub async fn commit(self) -> Result<()> {
        self.open.end("COMMIT").await?;
        for action in self.after_commit {
            action();
        }
        Ok(())
    }

    /// Rolls back and waits until that is done.
    ///
    /// # Errors
    /// The connection was lost, which also rolls back.
    pub async fn rollback(self) -> Result<()> {
        self.open.end("ROLLBACK").await
    }
}
