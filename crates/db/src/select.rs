//! A `SELECT` that has only the conditions of the filters that are set.
//!
//! `($1 IS NULL OR status = $1)` would allow one text for all combinations of filters, but no index could be used for
//! the column, because the text is planned once for all values. [`Select`] writes only the conditions whose filters are
//! set, so the planner sees `status = $1`. Each combination has its own text; the driver caches the last 100 prepared
//! texts per connection, so memory is bounded, and planning an uncached one takes less than a millisecond.
//!
//! **Invariant:** SQL is made only of `&'static str` pieces of the program; values are always bound. Each piece numbers
//! its placeholders from `$1`, and the builder renumbers them.

use std::fmt::Write as _;

use sqlx::{AssertSqlSafe, SqlSafeStr};

use crate::query::{Bind, Query};

/// Values that are bound to one piece of SQL, as its `$1`, `$2`, ...: a tuple of up to three.
pub trait Values<'q> {
    /// Number of values.
    const COUNT: usize;
    /// Binds the values in order.
    #[doc(hidden)]
    fn bind_to<'c>(self, query: Query<'c>) -> Query<'c>;
}

macro_rules! values {
    ($count:literal: $($name:ident $place:tt),+) => {
        impl<'q, $($name: Bind<'q>),+> Values<'q> for ($($name,)+) {
            const COUNT: usize = $count;
            fn bind_to<'c>(self, query: Query<'c>) -> Query<'c> {
                query$(.bind(self.$place))+
            }
        }
    };
}
impl Values<'_> for () {
    const COUNT: usize = 0;
    fn bind_to<'c>(self, query: Query<'c>) -> Query<'c> {
        query
    }
}
values!(1: A 0);
values!(2: A 0, B 1);
values!(3: A 0, B 1, C 2);

/// The order of a list: columns that are unique together, all in the same direction.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    columns: &'static [&'static str],
    direction: &'static str,
    after: char,
}

impl Order {
    #[must_use]
    pub const fn ascending(columns: &'static [&'static str]) -> Self {
        Self { columns, direction: "", after: '>' }
    }

    #[must_use]
    pub const fn descending(columns: &'static [&'static str]) -> Self {
        Self { columns, direction: " DESC", after: '<' }
    }
}

/// A statement under construction, created by [`Db::select`](crate::Db::select).
#[must_use = "a statement does nothing until it is run"]
pub struct Select<'c> {
    query: Query<'c>,
    sql: String,
    bound: usize,
    narrowed: bool,
}

impl<'c> Select<'c> {
    /// Starts a statement with `head`, everything before the conditions: `SELECT ... FROM ...`.
    pub(crate) fn new(query: Query<'c>, head: &'static str) -> Self {
        let mut sql = String::with_capacity(head.len() + 256);
        sql.push_str(head);
        Self { query, sql, bound: 0, narrowed: false }
    }

    /// Adds a condition.
    pub fn only<'q>(mut self, condition: &'static str, values: impl Values<'q>) -> Self {
        self.connect();
        self.push(condition);
        self.bind(values)
    }

    /// Adds a condition in a form that no index can serve, so that it is checked row by row.
    pub fn check<'q>(mut self, condition: &'static str, values: impl Values<'q>) -> Self {
        self.connect();
        self.sql.push('(');
        self.push(condition);
        self.sql.push_str(" IS TRUE)");
        self.bind(values)
    }

    /// Adds a condition if `value` is set.
    pub fn filter<'q, T: Bind<'q>>(self, condition: &'static str, value: Option<T>) -> Self {
        match value {
            Some(value) => self.only(condition, (value,)),
            None => self,
        }
    }

    /// Adds the condition that a row comes after `key` in `order`, if there is a key.
    pub fn after<'q>(mut self, order: Order, key: Option<impl Values<'q>>) -> Self {
        let Some(key) = key else { return self };
        self.connect();
        let first = self.bound + 1;
        // One column is compared by itself: SQL has no row value with a single member.
        match order.columns {
            [column] => {
                let _ = write!(self.sql, "{column} {} ${first}", order.after);
            }
            columns => {
                let _ = write!(self.sql, "({}) {} (", columns.join(", "), order.after);
                for place in 0..columns.len() {
                    let comma = if place == 0 { "" } else { ", " };
                    let _ = write!(self.sql, "{comma}${}", first + place);
                }
                self.sql.push(')');
            }
        }
        self.bind(key)
    }

    /// Finishes the statement: at most `limit` rows in this order.
    pub fn ordered(mut self, order: Order, limit: i64) -> Query<'c> {
        self.sql.push_str(" ORDER BY ");
        for (place, column) in order.columns.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            let _ = write!(self.sql, "{comma}{column}{}", order.direction);
        }
        let _ = write!(self.sql, " LIMIT ${}", self.bound + 1);
        self.bind((limit,)).end("")
    }

    /// Finishes the statement with the text that follows the conditions: `GROUP BY ...`, `ORDER BY ...`.
    pub fn end(mut self, tail: &'static str) -> Query<'c> {
        self.sql.push(' ');
        self.sql.push_str(tail);
        // Safe: the text consists of pieces of the program and placeholder numbers.
        self.query.with_sql(AssertSqlSafe(self.sql).into_sql_str())
    }

    fn connect(&mut self) {
        self.sql.push_str(if self.narrowed { " AND " } else { " WHERE " });
        self.narrowed = true;
    }

    /// Appends a piece in parentheses and renumbers its placeholders to follow those that are already bound.
    fn push(&mut self, piece: &'static str) {
        self.sql.push('(');
        let mut rest = piece;
        while let Some(place) = rest.find('$') {
            self.sql.push_str(&rest[..place]);
            rest = &rest[place + 1..];
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number: usize = rest[..digits].parse().unwrap_or(0);
            debug_assert!(number > 0, "a placeholder is a dollar sign and a number: {piece}");
            let _ = write!(self.sql, "${}", self.bound + number);
            rest = &rest[digits..];
        }
        self.sql.push_str(rest);
        self.sql.push(')');
    }

    fn bind<'q, V: Values<'q>>(mut self, values: V) -> Self {
        self.bound += V::COUNT;
        self.query = values.bind_to(self.query);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Db, DbOptions};

    fn text(query: Query<'_>) -> String {
        query.sql().to_owned()
    }

    #[tokio::test]
    async fn a_condition_is_written_when_its_filter_is_set() {
        let db = Db::connect("postgres://nobody@127.0.0.1:1/none", &DbOptions::default()).await.ok();
        let Some(db) = db else { unreachable!("PostgreSQL is not contacted yet") };
        const NEWEST: Order = Order::descending(&["t.at", "t.id"]);
        let none = db.select("SELECT 1 FROM t").filter("a = $1", None::<i64>).after(NEWEST, None::<(i64, i64)>);
        assert_eq!(text(none.ordered(NEWEST, 5)), "SELECT 1 FROM t ORDER BY t.at DESC, t.id DESC LIMIT $1 ");
        let all = db
            .select("SELECT 1 FROM t")
            .filter("a = $1", Some(1i64))
            .only("b < $2 OR c LIKE $1 OR d = $1", ("x", 2i64))
            .filter("e = $1", Some(true))
            .check("f = $1", ("y",))
            .after(NEWEST, Some((3i64, "id")));
        assert_eq!(
            text(all.ordered(NEWEST, 5)),
            "SELECT 1 FROM t WHERE (a = $1) AND (b < $3 OR c LIKE $2 OR d = $2) AND (e = $4) \
             AND ((f = $5) IS TRUE) AND (t.at, t.id) < ($6, $7) ORDER BY t.at DESC, t.id DESC LIMIT $8 "
        );
        let by_id = Order::ascending(&["id"]);
        let one = db.select("SELECT 1 FROM t").after(by_id, Some(("id",)));
        assert_eq!(text(one.end("ORDER BY id")), "SELECT 1 FROM t WHERE id > $1 ORDER BY id");
    }
}
