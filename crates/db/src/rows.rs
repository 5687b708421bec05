//! Many rows in one statement, whose columns are listed once.
//!
//! [`columns!`](crate::columns) declares the columns of a row: name, SQL type, and the value for a Rust value. From that
//! one list come the texts and the parameters of both engines: an array per column for PostgreSQL's `unnest`, one JSON
//! text of arrays for SQLite's `json_each` (looking members up by name would take half as long again).
//!
//! A [`RowsStatement`] is written once for both engines, with the parameters of its own first (`$1`, `$2`, ...) and
//! these words where the columns belong:
//! - `{columns}`: their names, `id, queue, kind`
//! - `{rows}`: the rows as a table of the columns, to be given a name: `FROM {rows} AS new`
//! - `{values}`: the parameters of a single row, `$2, $3, $4`
//! - `{assignments}`: the columns of a single row set to them, `id = $2, queue = $3, kind = $4`
//!
//! Its text is put together at its first use and kept; after that a use formats no SQL.

use std::sync::OnceLock;

use serde::Serialize;

use crate::{Engine, Query};

/// A column of a row: its name, and its type on PostgreSQL (SQLite stores what it is given).
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The column's name, in the table as in the statement.
    pub name: &'static str,
    /// The type its values are sent in.
    pub sent_as: &'static str,
    /// The type they are wanted in.
    pub wanted_as: &'static str,
}

/// The columns of a row; implemented by [`columns!`](crate::columns).
pub trait Columns {
    /// What a row is made of.
    type Row<'r>;
    /// Its columns, in the order of its parameters.
    const COLUMNS: &'static [Column];
    /// Binds many rows, for `{rows}`.
    #[doc(hidden)]
    fn bind_rows<'c>(query: Query<'c>, rows: &[Self::Row<'_>]) -> Query<'c>;
    /// Binds one row, for `{values}` or `{assignments}`.
    #[doc(hidden)]
    fn bind_values<'c>(query: Query<'c>, row: &Self::Row<'_>) -> Query<'c>;
}

/// A statement over rows of `C`, for both engines.
pub struct RowsStatement<C> {
    text: &'static str,
    own: usize,
    postgres: OnceLock<String>,
    sqlite: OnceLock<String>,
    columns: std::marker::PhantomData<fn(C)>,
}

impl<C: Columns> RowsStatement<C> {
    /// `own` is the number of its parameters that belong to no row; they are bound first.
    #[must_use]
    pub const fn new(own: usize, text: &'static str) -> Self {
        Self { text, own, postgres: OnceLock::new(), sqlite: OnceLock::new(), columns: std::marker::PhantomData }
    }

    /// The text for an engine.
    pub fn sql(&'static self, engine: Engine) -> &'static str {
        let kept = match engine {
            Engine::Postgres => &self.postgres,
            Engine::Sqlite => &self.sqlite,
        };
        kept.get_or_init(|| self.build(engine))
    }

    /// Binds the rows of `{rows}`, once the statement's own parameters are bound.
    pub fn bind_rows<'c>(&self, query: Query<'c>, rows: &[C::Row<'_>]) -> Query<'c> {
        C::bind_rows(query, rows)
    }

    /// Binds the row of `{values}` or `{assignments}`, once the statement's own parameters are bound.
    pub fn bind_values<'c>(&self, query: Query<'c>, row: &C::Row<'_>) -> Query<'c> {
        C::bind_values(query, row)
    }

    fn build(&self, engine: Engine) -> String {
        let list = |piece: &dyn Fn(usize, &Column) -> String| {
            C::COLUMNS.iter().enumerate().map(|(place, column)| piece(place, column)).collect::<Vec<_>>().join(", ")
        };
        let names = list(&|_, column| column.name.to_owned());
        let first = self.own + 1;
        let cast = |column: &Column, array: &str| match column {
            Column { sent_as, wanted_as, .. } if sent_as == wanted_as => format!("::{sent_as}{array}"),
            Column { sent_as, wanted_as, .. } => format!("::{sent_as}{array}::{wanted_as}{array}"),
        };
        let value = |place: usize, column: &Column| match engine {
            Engine::Postgres => format!("${}{}", first + place, cast(column, "")),
            Engine::Sqlite => format!("${}", first + place),
        };
        let rows = match engine {
            Engine::Postgres => {
                let arrays = list(&|place, column| format!("${}{}", first + place, cast(column, "[]")));
                format!("(SELECT * FROM unnest({arrays}) AS sent ({names}))")
            }
            Engine::Sqlite => {
                let members = list(&|place, column| format!("value->>{place} AS {}", column.name));
                format!("(SELECT {members} FROM json_each(${first}))")
            }
        };
        self.text
            .replace("{columns}", &names)
            .replace("{rows}", &rows)
            .replace("{values}", &list(&value))
            .replace("{assignments}", &list(&|place, column| format!("{} = {}", column.name, value(place, column))))
    }
}

/// Declares the columns of a row.
///
/// ```ignore
/// columns! {
///     /// The columns of a new job.
///     pub(crate) struct NewJobColumns(job: &'r NewJob, 'r) {
///         id: text = job.id.as_str(),
///         attempts: bigint = job.attempts,
///         payload: json = job.payload.as_str(),
///     }
/// }
/// ```
/// The types are those of [`kind`]; a value that is none of the Rust types of its kind does not compile.
///
/// Where a struct with named fields is stored whole, `all fields of Booking but id, version` behind the columns makes
/// it a compile error when a field is neither a column nor among those named here.
#[macro_export]
macro_rules! columns {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident($row:ident: $Row:ty, $life:lifetime) {
            $($column:ident: $kind:ident = $value:expr),+ $(,)?
        }
        all fields of $Whole:ident but $($unwritten:ident),+
    ) => {
        $crate::columns! {
            $(#[$meta])*
            $visibility struct $name($row: $Row, $life) {
                $($column: $kind = $value),+
            }
        }

        const _: fn(&$Whole) = |whole| {
            let $Whole { $($column: _,)+ $($unwritten: _),+ } = whole;
        };
    };
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident($row:ident: $Row:ty, $life:lifetime) {
            $($column:ident: $kind:ident = $value:expr),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy)]
        $visibility struct $name;

        impl $crate::rows::Columns for $name {
            type Row<$life> = $Row;

            const COLUMNS: &'static [$crate::rows::Column] =
                &[$($crate::rows::kind::column::$kind(stringify!($column))),+];

            fn bind_rows<'c>(query: $crate::Query<'c>, rows: &[Self::Row<'_>]) -> $crate::Query<'c> {
                match query.engine() {
                    $crate::Engine::Postgres => query
                        $(.bind_array(rows.iter().map(|$row| $crate::rows::kind::$kind($value)).collect::<Vec<_>>()))+,
                    $crate::Engine::Sqlite => {
                        let mut json = $crate::rows::JsonRows::default();
                        for $row in rows {
                            json.row();
                            $(json.value(&$crate::rows::kind::$kind($value));)+
                        }
                        query.bind_encoded(json.finish())
                    }
                }
            }

            fn bind_values<'c>(query: $crate::Query<'c>, $row: &Self::Row<'_>) -> $crate::Query<'c> {
                query$(.bind($crate::rows::kind::$kind($value)))+
            }
        }
    };
}

/// The kinds of columns: the SQL type of each, and the Rust types that it takes.
pub mod kind {
    use crate::Timestamp;

    macro_rules! kinds {
        ($($(#[$doc:meta])* $kind:ident as $wanted:literal sent as $sent:literal: $Trait:ident for $($type:ty),+;)+) => {
            $(
                $(#[$doc])*
                pub trait $Trait {}
                $(impl $Trait for $type {} impl $Trait for Option<$type> {})+

                /// The value itself, which is of a type that the kind takes.
                #[inline]
                pub fn $kind<T: $Trait>(value: T) -> T {
                    value
                }
            )+

            /// A column of each kind.
            pub mod column {
                use super::super::Column;

                $(
                    /// A column of this kind.
                    #[must_use]
                    pub const fn $kind(name: &'static str) -> Column {
                        Column { name, sent_as: $sent, wanted_as: $wanted }
                    }
                )+
            }
        };
    }

    kinds! {
        /// What a text column takes.
        text as "text" sent as "text": Text for &str, String;
        /// What a column of JSON takes: JSON that is text already.
        json as "jsonb" sent as "text": JsonText for &str, String;
        /// What a column of whole numbers takes.
        bigint as "bigint" sent as "bigint": Bigint for i64;
        /// What a column of truth values takes.
        boolean as "boolean" sent as "boolean": Boolean for bool;
        /// What a column of times takes.
        timestamptz as "timestamptz" sent as "timestamptz": Time for Timestamp;
    }
}

/// Rows as one JSON text: an array for each, its values in the columns' order.
#[doc(hidden)]
#[derive(Default)]
pub struct JsonRows {
    text: Vec<u8>,
    failed: Option<serde_json::Error>,
}

impl JsonRows {
    /// Begins the next row.
    pub fn row(&mut self) {
        self.text.extend_from_slice(if self.text.is_empty() { b"[[" } else { b"],[" });
    }

    /// Adds the next value of the row.
    pub fn value(&mut self, value: &impl Serialize) {
        if self.text.last() != Some(&b'[') {
            self.text.push(b',');
        }
        if let Err(error) = serde_json::to_writer(&mut self.text, value) {
            self.failed.get_or_insert(error);
        }
    }

    /// The text of all rows.
    ///
    /// # Errors
    /// The first value that is no JSON.
    pub fn finish(mut self) -> Result<String, sqlx::error::BoxDynError> {
        if let Some(error) = self.failed {
            return Err(error.into());
        }
        self.text.extend_from_slice(if self.text.is_empty() { b"[]" } else { b"]]" });
        Ok(String::from_utf8(self.text)?)
    }
}

/// Declares a struct that is read from a row, and a macro with the names of its columns, for statements that return it.
///
/// `booking_columns!("b.")` is the text `b.id, b.org_id, ...`, to be used within `concat!`.
#[macro_export]
macro_rules! row {
    (
        columns = $columns:ident $dollar:tt;
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            $(#[$first_meta:meta])* $first_visibility:vis $first:ident: $First:ty,
            $($(#[$field_meta:meta])* $field_visibility:vis $field:ident: $Field:ty),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        $visibility struct $name {
            $(#[$first_meta])* $first_visibility $first: $First,
            $($(#[$field_meta])* $field_visibility $field: $Field),+
        }

        macro_rules! $columns {
            ($dollar prefix:literal) => {
                concat!($dollar prefix, stringify!($first) $(, ", ", $dollar prefix, stringify!($field))+)
            };
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    columns! {
        struct Pairs(pair: (i64, &'r str), 'r) {
            number: bigint = pair.0,
            facts: json = pair.1,
        }
    }

    static INSERT: RowsStatement<Pairs> =
        RowsStatement::new(1, "INSERT INTO t ({columns}, at) SELECT {columns}, $1 FROM {rows} AS new");
    static ONE: RowsStatement<Pairs> = RowsStatement::new(1, "INSERT INTO t ({columns}, at) VALUES ({values}, $1)");

    #[test]
    fn both_engines_texts_come_from_one_list() {
        assert_eq!(
            INSERT.sql(Engine::Postgres),
            "INSERT INTO t (number, facts, at) SELECT number, facts, $1 \
             FROM (SELECT * FROM unnest($2::bigint[], $3::text[]::jsonb[]) AS sent (number, facts)) AS new"
        );
        assert_eq!(
            INSERT.sql(Engine::Sqlite),
            "INSERT INTO t (number, facts, at) SELECT number, facts, $1 \
             FROM (SELECT value->>0 AS number, value->>1 AS facts FROM json_each($2)) AS new"
        );
        assert_eq!(
            ONE.sql(Engine::Postgres),
            "INSERT INTO t (number, facts, at) VALUES ($2::bigint, $3::text::jsonb, $1)"
        );
        assert_eq!(ONE.sql(Engine::Sqlite), "INSERT INTO t (number, facts, at) VALUES ($2, $3, $1)");
    }

    #[test]
    fn rows_become_arrays_of_arrays() {
        let mut json = JsonRows::default();
        for (number, text) in [(1, Some("a\"")), (2, None)] {
            json.row();
            json.value(&number);
            json.value(&text);
        }
        assert_eq!(json.finish().ok().as_deref(), Some(r#"[[1,"a\""],[2,null]]"#));
        assert_eq!(JsonRows::default().finish().ok().as_deref(), Some("[]"));
    }
}
