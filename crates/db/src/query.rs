//! One statement, on whichever engine.
//!
//! Built by [`Db::read`](crate::Db::read), [`Db::write`](crate::Db::write) or [`Tx::query`](crate::Tx::query);
//! placeholders are `$1`, `$2`, ... on both engines, values are always bound.

use futures_util::future::Either;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Encode, PgConnection, Sqlite, SqliteConnection, SqlitePool, Type};

use crate::limit::TimeLimit;
use crate::postgres::Postgres;
use crate::{DbError, Result};

/// A value both engines can take as a parameter.
pub trait Bind<'q>: Encode<'q, sqlx::Postgres> + Type<sqlx::Postgres> + Encode<'q, Sqlite> + Type<Sqlite> {}
impl<'q, T> Bind<'q> for T where T: Encode<'q, sqlx::Postgres> + Type<sqlx::Postgres> + Encode<'q, Sqlite> + Type<Sqlite>
{}

/// A type that can be read from a row of either engine; derive [`sqlx::FromRow`].
pub trait FromRow: for<'r> sqlx::FromRow<'r, PgRow> + for<'r> sqlx::FromRow<'r, SqliteRow> + Send + Unpin {}
impl<T> FromRow for T where T: for<'r> sqlx::FromRow<'r, PgRow> + for<'r> sqlx::FromRow<'r, SqliteRow> + Send + Unpin {}

pub(crate) enum Target<'c> {
    Server(&'c Postgres),
    Postgres(&'c mut PgConnection, TimeLimit),
    Sqlite(Either<&'c SqlitePool, &'c mut SqliteConnection>),
}

enum Parameters {
    Postgres(PgArguments),
    Sqlite(SqliteArguments),
}

/// A statement with its bound parameters, not yet run.
#[must_use = "a statement does nothing until it is run"]
pub struct Query<'c> {
    target: Target<'c>,
    parameters: Parameters,
    sql: &'static str,
    unbound: Option<sqlx::error::BoxDynError>,
}

/// Runs one of sqlx's fetch methods on whatever the statement is aimed at.
macro_rules! run {
    ($query:ident, $build:path, $method:ident) => {{
        if let Some(error) = $query.unbound {
            return Err(DbError::Refused(sqlx::Error::Encode(error)));
        }
        match ($query.target, $query.parameters) {
            (Target::Server(server), Parameters::Postgres(arguments)) => {
                let mut line = server.take().await?;
                let answer = $build($query.sql, arguments).$method(&mut *line).await;
                line.done(answer.map_err(DbError::from))?.into()
            }
            (Target::Postgres(connection, _), Parameters::Postgres(arguments)) => {
                $build($query.sql, arguments).$method(connection).await?.into()
            }
            (Target::Sqlite(Either::Left(pool)), Parameters::Sqlite(arguments)) => {
                $build($query.sql, arguments).$method(pool).await?.into()
            }
            (Target::Sqlite(Either::Right(connection)), Parameters::Sqlite(arguments)) => {
                $build($query.sql, arguments).$method(connection).await?.into()
            }
            _ => unreachable!("a query is built with the parameters of its own engine"),
        }
    }};
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
        let parameters = match target {
            Target::Server(_) | Target::Postgres(..) => Parameters::Postgres(PgArguments::default()),
            Target::Sqlite(_) => Parameters::Sqlite(SqliteArguments::default()),
        };
        Self { target, parameters, sql, unbound: None }
    }

    fn time_limit(&self) -> TimeLimit {
        match &self.target {
            Target::Server(server) => server.time_limit(),
            Target::Postgres(_, limit) => *limit,
            Target::Sqlite(_) => TimeLimit::NONE,
        }
    }

    /// Binds the next parameter. A value that can't be encoded is reported when the statement runs.
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

    /// Binds the next parameter, an array: only PostgreSQL takes one, so the statement is one for PostgreSQL.
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

    /// Runs the statement; the number of rows it changed.
    ///
    /// # Errors
    /// [`DbError`] by what the caller should do.
    pub async fn execute(self) -> Result<u64> {
        self.time_limit()
            .run(async move {
                let affected: Affected = run!(self, sqlx::query_with, execute);
                Ok(affected.0)
            })
            .await
    }

    /// All rows.
    ///
    /// # Errors
    /// [`DbError`] by what the caller should do.
    pub async fn all<T: FromRow>(self) -> Result<Vec<T>> {
        self.time_limit()
            .run(async move {
                let rows: Vec<T> = run!(self, sqlx::query_as_with::<_, T, _>, fetch_all);
                Ok(rows)
            })
            .await
    }

    /// The first row, if any.
    ///
    /// # Errors
    /// [`DbError`] by what the caller should do.
    pub async fn optional<T: FromRow>(self) -> Result<Option<T>> {
        self.time_limit()
            .run(async move {
                let row: Option<T> = run!(self, sqlx::query_as_with::<_, T, _>, fetch_optional);
                Ok(row)
            })
            .await
    }

    /// The one row.
    ///
    /// # Errors
    /// [`DbError::NotFound`] when there is none; else by what the caller should do.
    pub async fn one<T: FromRow>(self) -> Result<T> {
        self.optional().await?.ok_or(DbError::NotFound)
    }

    /// The first column of the one row, as in `SELECT count(*) ...`.
    ///
    /// # Errors
    /// [`DbError::NotFound`] when there is no row; else by what the caller should do.
    pub async fn scalar<T>(self) -> Result<T>
    where
        (T,): FromRow,
    {
        Ok(self.one::<(T,)>().await?.0)
    }
}
