//! Lists that a viewer reads page by page: their scope, filters, order, cursor and limit.
//!
//! A list begins with a [`Scope`], which only a [`Viewer`](crate::viewer::Viewer) can create. Every list is therefore
//! restricted to what its viewer may see.

use nightshift_db::{Bind, Db, FromRow, Order, Query, Select, Timestamp, Values};

use crate::Result;
use crate::page::{Cursor, Limit, Page, Search};
use crate::viewer::Scope;

/// A row type of a list with pages.
pub(crate) trait Listed: FromRow {
    const ORDER: Order;
    /// The values of the order's columns.
    type Key: for<'q> Values<'q>;
    /// Returns the cursor of the page after this row.
    fn cursor(&self) -> Cursor;
    /// Returns the values that a cursor holds.
    ///
    /// # Errors
    /// [`BadCursor`](crate::Error::BadCursor) if the cursor is from another list.
    fn key(cursor: Cursor) -> Result<Self::Key>;
}

/// Implements [`Listed`] for a list with the newest row first, given the columns of the time and the id and their
/// fields.
macro_rules! newest_first {
    ($row:ty: $at_column:literal = $($at:ident).+, $id_column:literal = $($id:ident).+) => {
        impl $crate::list::Listed for $row {
            const ORDER: nightshift_db::Order = nightshift_db::Order::descending(&[$at_column, $id_column]);
            type Key = $crate::list::NewestKey;

            fn cursor(&self) -> $crate::page::Cursor {
                $crate::page::Cursor { at: self.$($at).+, id: self.$($id).+.to_string() }
            }

            fn key(cursor: $crate::page::Cursor) -> $crate::Result<Self::Key> {
                Ok((cursor.at, cursor.id))
            }
        }
    };
}
pub(crate) use newest_first;

/// Time and id.
pub(crate) type NewestKey = (Timestamp, String);

/// A list under construction.
#[must_use = "a list is read by `page`, `rows` or `end`"]
pub(crate) struct List<'c> {
    select: Select<'c>,
    scope: Scope<'c>,
    /// Whether a selective filter is set.
    selective: bool,
}

impl<'c> List<'c> {
    /// Starts a list of the rows of `head`, which is the statement up to its conditions, restricted to `scope`.
    pub(crate) fn new(db: &'c Db, head: &'static str, scope: Scope<'c>) -> Self {
        Self { select: db.select(head), scope, selective: false }
    }

    /// Keeps only rows that satisfy the condition.
    pub(crate) fn only<'q>(self, condition: &'static str, values: impl Values<'q>) -> Self {
        Self { select: self.select.only(condition, values), ..self }
    }

    /// Keeps only rows that satisfy the condition, if the filter is set.
    pub(crate) fn filter<'q, T: Bind<'q>>(self, condition: &'static str, value: Option<T>) -> Self {
        Self { select: self.select.filter(condition, value), ..self }
    }

    /// Keeps only rows that match what was typed, if anything was: `$1` is the pattern for texts, `$2` that for the
    /// digits of phone numbers.
    pub(crate) fn search(self, condition: &'static str, typed: Option<Search>) -> Self {
        match typed {
            Some(Search { text, digits }) => self.only(condition, (text, digits)),
            None => self,
        }
    }

    /// Does the same as [`filter`](Self::filter), with the condition written so that the database uses no index for it.
    pub(crate) fn check<'q, T: Bind<'q>>(self, condition: &'static str, value: Option<T>) -> Self {
        let Some(value) = value else { return self };
        Self { select: self.select.check(condition, (value,)), ..self }
    }

    /// Does the same as [`filter`](Self::filter), for a column whose index leaves few rows. If the filter is set, no
    /// index is used for the scope, because SQLite would otherwise walk all rows of the scope in order rather than sort
    /// those few.
    pub(crate) fn selective<'q, T: Bind<'q>>(self, condition: &'static str, value: Option<T>) -> Self {
        let selective = self.selective || value.is_some();
        Self { selective, ..self.filter(condition, value) }
    }

    /// Reads the page that begins at `cursor`, or the first page.
    ///
    /// # Errors
    /// [`BadCursor`](crate::Error::BadCursor) if the cursor is not from a page of this list.
    pub(crate) async fn page<T: Listed>(self, cursor: Option<&str>, limit: Limit) -> Result<Page<T>> {
        let (items, next_cursor) = limit.cut(self.first(cursor, limit).await?, T::cursor);
        Ok(Page { items, next_cursor })
    }

    /// Reads the rows from `cursor` on, one more than the page shows, for a page that merges several lists.
    ///
    /// # Errors
    /// As [`page`](Self::page).
    pub(crate) async fn first<T: Listed>(self, cursor: Option<&str>, limit: Limit) -> Result<Vec<T>> {
        let key = Cursor::parse(cursor)?.map(T::key).transpose()?;
        Ok(self.scoped().after(T::ORDER, key).ordered(T::ORDER, limit.rows_wanted()).all().await?)
    }

    /// Reads the first rows, for a list without further pages.
    pub(crate) fn rows(self, order: Order, limit: Limit) -> Query<'c> {
        self.scoped().ordered(order, limit.rows())
    }

    /// Reads the first rows and one more, for a page whose cursor is a condition of its own.
    pub(crate) fn rows_and_one(self, order: Order, limit: Limit) -> Query<'c> {
        self.scoped().ordered(order, limit.rows_wanted())
    }

    /// Reads all rows; `tail` follows the conditions.
    pub(crate) fn end(self, tail: &'static str) -> Query<'c> {
        self.scoped().end(tail)
    }

    /// Returns the statement restricted to the scope.
    fn scoped(self) -> Select<'c> {
        self.scope.into_conditions().fold(self.select, |select, (condition, id)| match self.selective {
            true => select.check(condition, (id,)),
            false => select.only(condition, (id,)),
        })
    }
}
