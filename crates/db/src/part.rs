//! Statements that consist of parts from several crates, so that what these crates write is one statement: one message
//! to the server, which commits by itself. Only on PostgreSQL, where a common table expression can write.

use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::rows::Columns;
use crate::{Engine, Query, RowsStatement};

/// A part of a statement: rows that are inserted because the statement stores others. The text is one or more common
/// table expressions, `name AS (INSERT ...)`.
///
/// The statement around it has the current time as `$1`, and its expression `stored` has the ids of the rows that it
/// stored in the column `id`.
pub trait Part: Sync {
    /// Returns the text with its parameters numbered from `first`.
    fn text(&self, first: usize) -> String;
    /// Binds its parameters.
    fn bind<'c>(&self, query: Query<'c>) -> Query<'c>;
}

impl<C: Columns> RowsStatement<C> {
    /// Binds the rows, and puts `part` in the place of `{part}`. The statement's own parameters must be bound before.
    /// PostgreSQL only.
    pub fn bind_rows_and_part<'c>(&'static self, query: Query<'c>, rows: &[C::Row<'_>], part: &impl Part) -> Query<'c> {
        let query = self.bind_rows(query, rows);
        let text = self.sql(Engine::Postgres).replace("{part}", &part.text(query.bound() + 1));
        // Safe: the text consists of pieces of the program and placeholder numbers.
        part.bind(query.with_sql(AssertSqlSafe(text).into_sql_str()))
    }
}
