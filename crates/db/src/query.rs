//! One statement and its parameters, for either engine.
//!
//! Created by [`Db::read`](crate::Db::read), [`Db::write`](crate::Db::write) or [`Tx::query`](crate::Tx::query).
//! Placeholders are `$1`, `$2`, ... on both engines, and values are always bound.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Encode, SqlStr, Sqlite, Type};

use crate::connections::{Connection, Connections, PooledConnection};
use crate::limit::TimeLimit;
use crate::step::Step;
use crate::{DbError, Engine, Result};

/// A value that both engines accept as a parameter.
pub trait Bind<'q>: Encode<'q, sqlx::Postgres> + Type<sqlx::Postgres> + Encode<'q, Sqlite> + Type<Sqlite> {}
impl<'q, T> Bind<'q> for T where T: Encode<'q, sqlx::Postgres> + Type<sqlx::Postgres> + Encode<'q, Sqlite> + Type<Sqlite>
{}

/// A type that can be read from a row of either engine. Derive [`sqlx::FromRow`] to get it.
pub trait FromRow: for<'r> sqlx::FromRow<'r, PgRow> + for<'r> sqlx::FromRow<'r, SqliteRow> + Send + Unpin {}
impl<T> FromRow for T where T: for<'r> sqlx::FromRow<'r, PgRow> + for<'r> sqlx::FromRow<'r, SqliteRow> + Send + Unpin {}

pub(crate) enum Target<'c> {
    Pool(&'c Connections),
    PooledConnection(&'c mut PooledConnection),
}

impl Target<'_> {
    fn engine(&self) -> Engine {
        match self {
            Self::Pool(connections) => connections.engine(),
            Self::PooledConnection(line) => line.engine(),
        }
    }

    fn time_limit(&self) -> TimeLimit {
        match self {
            Self::Pool(connections) => connections.time_limit(),
            Self::PooledConnection(line) => line.time_limit(),
        }
    }
}

enum Parameters {
    Postgres(PgArguments),
    Sqlite(SqliteArguments),
}

/// A statement with its bound parameters.
#[must_use = "a statement does nothing until it is run"]
pub struct Query<'c> {
    target: Target<'c>,
    parameters: Parameters,
    sql: SqlStr,
    unbound: Option<sqlx::error::BoxDynError>,
}

/// Runs one of sqlx's fetch methods on the query's target.
macro_rules! run {
    ($query:ident, $build:path, $method:ident) => {{
        #[cfg(feature = "testing")]
        crate::testing::statements::note($query.sql.as_str());
        if let Some(error) = $query.unbound {
            return Err(DbError::Value(error));
        }
        match $query.target {
            Target::Pool(connections) => {
                let mut line = connections.take().await?;
                let answer = run_on!(line, $query, $build, $method);
                line.done(answer)?
            }
            Target::PooledConnection(line) => {
                let answer = run_on!(line, $query, $build, $method);
                line.heed(answer)?
            }
        }
    }};
}

macro_rules! run_on {
    ($line:ident, $query:ident, $build:path, $method:ident) => {
        match ($line.connection(), $query.parameters) {
            (Connection::Postgres(connection), Parameters::Postgres(arguments)) => {
                $build($query.sql, arguments).$method(connection).await.map(Into::into).map_err(DbError::from)
            }
            (Connection::Sqlite(connection), Parameters::Sqlite(arguments)) => {
                $build($query.sql, arguments).$method(connection).await.map(Into::into).map_err(DbError::from)
            }
            _ => unreachable!("a query is built with the parameters of its own engine"),
        }
    };
}

struct Affected(u64);
impl From<sqlx::postgres::PgQueryResult> for Affected {
    fn from(result: sqlx::postgres::PgQueryResult) -> Self {
        Self(result.rows_affected())
    }
}
impl From<sqlx::sqlite::SqliteQueryResult> for Affected {
    fn from(result: sqlx::sqlite::SqliteQueryResult) -> Self {
        Self(result.rows_affected())
    }
}

impl<'c> Query<'c> {
    pub(crate) fn new(target: Target<'c>, sql: &'static str) -> Self {
        let parameters = match target.engine() {
            Engine::Postgres => Parameters::Postgres(PgArguments::default()),
            Engine::Sqlite => Parameters::Sqlite(SqliteArguments::default()),
        };
        Self { target, parameters, sql: SqlStr::from_static(sql), unbound: None }
    }

    pub(crate) fn with_sql(self, sql: SqlStr) -> Self {
        Self { sql, ..self }
    }

    #[cfg(test)]
    pub(crate) fn sql(&self) -> &str {
        self.sql.as_str()
    }

    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.parameters {
            Parameters::Postgres(_) => Engine::Postgres,
            Parameters::Sqlite(_) => Engine::Sqlite,
        }
    }

    /// Returns the number of parameters that are bound.
    pub(crate) fn bound(&self) -> usize {
        match &self.parameters {
            Parameters::Postgres(arguments) => arguments.len(),
            Parameters::Sqlite(arguments) => arguments.len(),
        }
    }

    /// Binds the next parameter. An error of encoding is returned when the statement runs.
    pub fn bind<'q, T: Bind<'q>>(mut self, value: T) -> Self {
        let bound = match &mut self.parameters {
            Parameters::Postgres(arguments) => arguments.add(value),
            Parameters::Sqlite(arguments) => arguments.add(value),
        };
        if let Err(error) = bound {
            self.unbound.get_or_insert(error);
        }
        self
    }

    /// Binds the next parameter. An error in `value` is returned when the statement runs.
    #[doc(hidden)]
    pub fn bind_encoded<'q, T: Bind<'q>>(mut self, value: Result<T, sqlx::error::BoxDynError>) -> Self {
        match value {
            Ok(value) => self.bind(value),
            Err(error) => {
                self.unbound.get_or_insert(error);
                self
            }
        }
    }

    /// Binds an array as the next parameter. Only for statements on PostgreSQL, because SQLite has no arrays.
    pub fn bind_array<'q, T>(mut self, values: T) -> Self
    where
        T: Encode<'q, sqlx::Postgres> + Type<sqlx::Postgres>,
    {
        let bound = match &mut self.parameters {
            Parameters::Postgres(arguments) => arguments.add(values),
            Parameters::Sqlite(_) => Err("SQLite has no arrays".into()),
        };
        if let Err(error) = bound {
            self.unbound.get_or_insert(error);
        }
        self
    }

    /// Runs the statement and returns the number of affected rows.
    pub async fn execute(self) -> Result<u64> {
        let step = Step::of(self.sql.as_str());
        self.target
            .time_limit()
            .run(step, async move {
                let affected: Affected = run!(self, sqlx::query_with, execute);
                Ok(affected.0)
            })
            .await
    }

    /// Returns all rows.
    pub async fn all<T: FromRow>(self) -> Result<Vec<T>> {
        let step = Step::of(self.sql.as_str());
        self.target
            .time_limit()
            .run(step, async move {
                let rows: Vec<T> = run!(self, sqlx::query_as_with::<_, T, _>, fetch_all);
                Ok(rows)
            })
            .await
    }

    /// Returns the first row, or `None`.
    pub async fn optional<T: FromRow>(self) -> Result<Option<T>> {
        let step = Step::of(self.sql.as_str());
        self.target
            .time_limit()
            .run(step, async move {
                let row: Option<T> = run!(self, sqlx::query_as_with::<_, T, _>, fetch_optional);
                Ok(row)
            })
            .await
    }

    /// Returns the first row.
    ///
    /// # Errors
    /// [`DbError::NotFound`] if there is no row.
    pub async fn one<T: FromRow>(self) -> Result<T> {
        self.optional().await?.ok_or(DbError::NotFound)
    }

    /// Returns the first column of the first row, as in `SELECT count(*) ...`.
    ///
    /// # Errors
    /// [`DbError::NotFound`] if there is no row.
    pub async fn scalar<T>(self) -> Result<T>
    where
        (T,): FromRow,
    {
        Ok(self.one::<(T,)>().await?.0)
    }
}
