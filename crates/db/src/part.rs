//! Statements that consist of parts from several crates, so that what these crates write is one statement: one message
//! to the server, which commits by itself. Only on PostgreSQL, where a common table expression can write.

use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::rows::Columns;
use crate::{Db, Engine, Query, RowsStatement, Timestamp};

/// A part of a statement: rows that are inserted because the statement stores others. The text is one or more common
/// table expressions, `name AS (INSERT ...)`.
///
/// The statement around it has the current time as `$1`, and its expression `stored` has the ids of the rows that it
/// stored in the column `id`. A part takes no time of its own: a row that is due at a later reading of the clock than
/// `$1` would be stored as not yet due.
pub trait Part: Sync {
    /// Returns the text with its parameters numbered from `first`.
    fn text(&self, first: usize) -> String;
    /// Binds its parameters. `now` is the statement's `$1`.
    fn bind<'c>(&self, query: Query<'c>, now: Timestamp) -> Query<'c>;
}

impl<C: Columns> RowsStatement<C> {
    /// Returns the statement with `now` as `$1`, its only own parameter, and with `part` in the place of `{part}`.
    /// PostgreSQL only.
    pub fn with_part<'c>(
        &'static self,
        db: &'c Db,
        now: Timestamp,
        rows: &[C::Row<'_>],
        part: &impl Part,
    ) -> Query<'c> {
        let query = self.bind_rows(db.write("").bind(now), rows);
        let text = self.sql(Engine::Postgres).replace("{part}", &part.text(query.bound() + 1));
        // Safe: the text consists of pieces of the program and placeholder numbers.
        part.bind(query.with_sql(AssertSqlSafe(text).into_sql_str()), now)
    }
}
