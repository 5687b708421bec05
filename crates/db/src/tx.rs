//! A transaction on whichever engine, with things to do once it is committed.

use futures_util::future::Either;
use sqlx::{Postgres, Sqlite, Transaction};

use crate::failpoint::statement;
use crate::query::Target;
use crate::{Engine, Query, Result};

/// An open transaction that can write. Dropped without [`Tx::commit`] it is rolled back.
pub struct Tx {
    inner: Inner,
    after_commit: Vec<Box<dyn FnOnce() + Send>>,
}

enum Inner {
    Postgres(Transaction<'static, Postgres>),
    Sqlite(Transaction<'static, Sqlite>),
}

impl Tx {
    pub(crate) fn postgres(tx: Transaction<'static, Postgres>) -> Self {
        Self { inner: Inner::Postgres(tx), after_commit: Vec::new() }
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
            Inner::Postgres(tx) => Target::Postgres(Either::Right(&mut **tx)),
            Inner::Sqlite(tx) => Target::Sqlite(Either::Right(&mut **tx)),
        };
        Query::new(target, sql)
    }

    /// The driver's connection when this is PostgreSQL, for statements over arrays.
    pub fn as_postgres(&mut self) -> Option<&mut sqlx::PgConnection> {
        match &mut self.inner {
            Inner::Postgres(tx) => Some(&mut **tx),
            Inner::Sqlite(_) => None,
        }
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
        let inner = self.inner;
        statement(async move {
            match inner {
                Inner::Postgres(tx) => tx.commit().await?,
                Inner::Sqlite(tx) => tx.commit().await?,
            }
            Ok(())
        })
        .await?;
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
            Inner::Postgres(tx) => tx.rollback().await?,
            Inner::Sqlite(tx) => tx.rollback().await?,
        }
        Ok(())
    }
}
