//! A transaction on whichever engine, with things to do once it is committed.

use futures_util::future::Either;
use sqlx::{Sqlite, Transaction};

use crate::limit::TimeLimit;
use crate::postgres::Line;
use crate::query::Target;
use crate::{Engine, Query, Result};

/// An open transaction that can write. Dropped without [`Tx::commit`] it is rolled back.
pub struct Tx {
    inner: Inner,
    after_commit: Vec<Box<dyn FnOnce() + Send>>,
}

enum Inner {
    Postgres(ServerTx),
    Sqlite(Transaction<'static, Sqlite>),
}

/// A transaction on a server; dropped, it is rolled back behind the back of whoever dropped it.
struct ServerTx(Option<Line>);

impl ServerTx {
    fn line(&mut self) -> &mut Line {
        self.0.as_mut().unwrap_or_else(|| unreachable!("it is taken only when the transaction ends"))
    }

    async fn end(mut self, command: &'static str) -> Result<()> {
        match self.0.take() {
            Some(line) => end(line, command).await,
            None => Ok(()),
        }
    }
}

async fn end(mut line: Line, command: &'static str) -> Result<()> {
    let ended = line.time_limit().run(line.command(command)).await;
    line.done(ended)
}

impl Drop for ServerTx {
    fn drop(&mut self) {
        // Without a runtime the program ends, and the server rolls back.
        if let (Some(line), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(end(line, "ROLLBACK"));
        }
    }
}

impl Tx {
    pub(crate) fn postgres(line: Line) -> Self {
        Self { inner: Inner::Postgres(ServerTx(Some(line))), after_commit: Vec::new() }
    }

    pub(crate) fn sqlite(tx: Transaction<'static, Sqlite>) -> Self {
        Self { inner: Inner::Sqlite(tx), after_commit: Vec::new() }
    }

    /// The engine underneath, for the few statements whose text differs.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.inner {
            Inner::Postgres(_) => Engine::Postgres,
            Inner::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// A statement within this transaction.
    pub fn query(&mut self, sql: &'static str) -> Query<'_> {
        let target = match &mut self.inner {
            Inner::Postgres(tx) => {
                let line = tx.line();
                let limit = line.time_limit();
                Target::Postgres(&mut *line, limit)
            }
            Inner::Sqlite(tx) => Target::Sqlite(Either::Right(&mut **tx)),
        };
        Query::new(target, sql)
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
        match self.inner {
            Inner::Postgres(tx) => tx.end("COMMIT").await?,
            Inner::Sqlite(tx) => TimeLimit::NONE.run(async { Ok(tx.commit().await?) }).await?,
        }
        for action in self.after_commit {
            action();
        }
        Ok(())
    }

    /// Rolls back now instead of when the connection is next used.
    ///
    /// # Errors
    /// When the connection is lost, which rolls back as well.
    pub async fn rollback(self) -> Result<()> {
        match self.inner {
            Inner::Postgres(tx) => tx.end("ROLLBACK").await?,
            Inner::Sqlite(tx) => tx.rollback().await?,
        }
        Ok(())
    }
}
