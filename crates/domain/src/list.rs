//! Lists that a viewer reads page by page: scope, filters, order, cursor and limit of all of them.
//!
//! A list begins with a [`Scope`], which only a [`Viewer`](crate::viewer::Viewer) makes, so none can be read without
//! being narrowed to what its viewer may see.

use nightshift_db::{Bind, Db, FromRow, Order, Query, Select, Timestamp, Values};

use crate::Result;
use crate::page::{Cursor, Limit, Page};
use crate::viewer::Scope;

/// A row of a list that is read page by page.
pub(crate) trait Listed: FromRow {
    /// The order of the list.
    const ORDER: Order;
    /// The values of the order's columns in a row.
    type Key: for<'q> Values<'q>;
    /// Where the page after this row begins.
    fn cursor(&self) -> Cursor;
    /// The key that a cursor holds.
    ///
    /// # Errors
    /// [`BadCursor`](crate::Error::BadCursor) for a cursor of another list.
    fn key(cursor: Cursor) -> Result<Self::Key>;
}

/// Implements [`Listed`] for a list from the newest row to the oldest: the columns of time and id, and their fields.
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

/// A list that is being put together.
#[must_use = "a list is read by `page`, `rows` or `end`"]
pub(crate) struct List<'c> {
    select: Select<'c>,
    scope: Scope<'c>,
    /// A selective filter is set.
    selective: bool,
}

impl<'c> List<'c> {
    /// The rows of `head`, which is everything up to the conditions, within a viewer's scope.
    pub(crate) fn new(db: &'c Db, head: &'static str, scope: Scope<'c>) -> Self {
        Self { select: db.select(head), scope, selective: false }
    }

    /// Only rows for which this holds.
    pub(crate) fn only<'q>(self, condition: &'static str, values: impl Values<'q>) -> Self {
        Self { select: self.select.only(condition, values), ..self }
    }

    /// Only rows for which this holds, when the filter is set.
    pub(crate) fn filter<'q, T: Bind<'q>>(self, condition: &'static str, value: Option<T>) -> Self {
        Self { select: self.select.filter(condition, value), ..self }
    }

    /// As [`filter`](Self::filter), written so that no index is used for the condition.
    pub(crate) fn check<'q, T: Bind<'q>>(self, condition: &'static str, value: Option<T>) -> Self {
        let Some(value) = value else { return self };
        Self { select: self.select.check(condition, (value,)), ..self }
    }

    /// As [`filter`](Self::filter), for a column whose own index leaves few rows. When the filter is set, no index is
    /// used for the scope: SQLite would rather walk all rows of the scope in their order than sort those few.
    pub(crate) fn selective<'q, T: Bind<'q>>(self, condition: &'static str, value: Option<T>) -> Self {
        let selective = self.selective || value.is_some();
        Self { selective, ..self.filter(condition, value) }
    }

    /// The page that begins at `cursor`, or the first.
    ///
    /// # Errors
    /// [`BadCursor`](crate::Error::BadCursor) for a cursor that no page of this list gave.
    pub(crate) async fn page<T: Listed>(self, cursor: Option<&str>, limit: Limit) -> Result<Page<T>> {
        let key = Cursor::parse(cursor)?.map(T::key).transpose()?;
        let rows = self.scoped().after(T::ORDER, key).ordered(T::ORDER, limit.rows_wanted()).all().await?;
        let (items, next_cursor) = limit.cut(rows, T::cursor);
        Ok(Page { items, next_cursor })
    }

    /// The first rows, for lists that have no further pages.
    pub(crate) fn rows(self, order: Order, limit: Limit) -> Query<'c> {
        self.scoped().ordered(order, limit.rows())
    }

    /// All rows, with this behind the conditions.
    pub(crate) fn end(self, tail: &'static str) -> Query<'c> {
        self.scoped().end(tail)
    }

    /// The statement, narrowed to the scope.
    fn scoped(self) -> Select<'c> {
        self.scope.into_conditions().fold(self.select, |select, (condition, id)| match self.selective {
            true => select.check(condition, (id,)),
            false => select.only(condition, (id,)),
        })
    }
}
