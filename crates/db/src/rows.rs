//! Statements over many rows whose columns are declared once.
//!
//! [`columns!`](crate::columns) declares the columns of a row: name, SQL type, and the expression for the value. The
//! texts and parameters of both engines are generated from that list: one array per column for PostgreSQL's `unnest`,
//! one JSON text of arrays for SQLite's `jsonb_each`. Reading members by name would take 50 % longer. `json_each` would
//! write each row as text again, and every member that is read would parse that text.
//!
//! A [`RowsStatement`] builds its text at the first use and keeps it; later uses format no SQL.

use std::sync::OnceLock;

use serde::Serialize;

use crate::{Engine, Query};

/// A column of a row. SQLite ignores the types.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub name: &'static str,
    /// The PostgreSQL type in which its values are sent.
    pub sent_as: &'static str,
    /// The PostgreSQL type to which the values are cast.
    pub wanted_as: &'static str,
}

/// The columns of a row, implemented by [`columns!`](crate::columns).
pub trait Columns {
    /// The Rust value that is stored as one row.
    type Row<'r>;
    /// The columns in the order of the parameters.
    const COLUMNS: &'static [Column];
    /// Binds many rows, for `{rows}`.
    #[doc(hidden)]
    fn bind_rows<'c>(query: Query<'c>, rows: &[Self::Row<'_>]) -> Query<'c>;
    /// Binds one row, for `{values}` or `{assignments}`.
    #[doc(hidden)]
    fn bind_values<'c>(query: Query<'c>, row: &Self::Row<'_>) -> Query<'c>;
}

/// A statement over rows of `C`, for both engines.
///
/// The text starts its own parameters at `$1` and contains these placeholders:
/// - `{columns}`: the names of the columns, `id, queue, kind`
/// - `{rows}`: the rows as a table expression, which needs an alias: `FROM {rows} AS new`
/// - `{values}`: the parameters of a single row, `$2, $3, $4`
/// - `{assignments}`: the columns set to the parameters of a single row, `id = $2, queue = $3, kind = $4`
pub struct RowsStatement<C> {
    text: &'static str,
    own: usize,
    postgres: OnceLock<String>,
    sqlite: OnceLock<String>,
    columns: std::marker::PhantomData<fn(C)>,
}

impl<C: Columns> RowsStatement<C> {
    /// Creates a statement. `own` is the number of its own parameters, which are bound before those of the rows.
    #[must_use]
    pub const fn new(own: usize, text: &'static str) -> Self {
        Self { text, own, postgres: OnceLock::new(), sqlite: OnceLock::new(), columns: std::marker::PhantomData }
    }

    /// Returns the text for an engine.
    pub fn sql(&'static self, engine: Engine) -> &'static str {
        let kept = match engine {
            Engine::Postgres => &self.postgres,
            Engine::Sqlite => &self.sqlite,
        };
        kept.get_or_init(|| self.build(engine))
    }

    /// Binds the rows of `{rows}`. The statement's own parameters must be bound before.
    pub fn bind_rows<'c>(&self, query: Query<'c>, rows: &[C::Row<'_>]) -> Query<'c> {
        C::bind_rows(query, rows)
    }

    /// Binds the row of `{values}` or `{assignments}`. The statement's own parameters must be bound before.
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
                format!("(SELECT {members} FROM jsonb_each(${first}))")
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
/// The types are those of [`kind`]. A value of a Rust type that its kind does not accept does not compile.
///
/// For a struct that is stored as a whole, add `all fields of Booking but id, version` after the columns. A field of
/// `Booking` that is neither a column nor listed there is then a compile error.
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

/// The kinds of columns: the SQL type of each, and the Rust types that it accepts.
pub mod kind {
    use crate::Timestamp;

    macro_rules! kinds {
        ($($(#[$doc:meta])* $kind:ident as $wanted:literal sent as $sent:literal: $Trait:ident for $($type:ty),+;)+) => {
            $(
                $(#[$doc])*
                pub trait $Trait {}
                $(impl $Trait for $type {} impl $Trait for Option<$type> {})+

                /// Returns the value. Compiles only for the Rust types of this kind.
                #[inline]
                pub fn $kind<T: $Trait>(value: T) -> T {
                    value
                }
            )+

            /// Constructors of [`Column`], one for each kind.
            pub mod column {
                use super::super::Column;

                $(
                    /// Returns a column of this kind.
                    #[must_use]
                    pub const fn $kind(name: &'static str) -> Column {
                        Column { name, sent_as: $sent, wanted_as: $wanted }
                    }
                )+
            }
        };
    }

    kinds! {
        /// The Rust types of a text column.
        text as "text" sent as "text": Text for &str, String;
        /// The Rust types of a JSON column: texts that are JSON already.
        json as "jsonb" sent as "text": JsonText for &str, String;
        /// The Rust types of a column of integers.
        bigint as "bigint" sent as "bigint": Bigint for i64;
        /// The Rust types of a boolean column.
        boolean as "boolean" sent as "boolean": Boolean for bool;
        /// The Rust types of a column of times.
        timestamptz as "timestamptz" sent as "timestamptz": Time for Timestamp;
    }
}

/// Writes rows as one JSON text: an array of arrays, whose values have the order of the columns.
#[doc(hidden)]
#[derive(Default)]
pub struct JsonRows {
    text: Vec<u8>,
    failed: Option<serde_json::Error>,
}

impl JsonRows {
    /// Starts the next row.
    pub fn row(&mut self) {
        self.text.extend_from_slice(if self.text.is_empty() { b"[[" } else { b"],[" });
    }

    /// Appends a value to the row.
    pub fn value(&mut self, value: &impl Serialize) {
        if self.text.last() != Some(&b'[') {
            self.text.push(b',');
        }
        if let Err(error) = serde_json::to_writer(&mut self.text, value) {
            self.failed.get_or_insert(error);
        }
    }

    /// Returns the text of all rows.
    ///
    /// # Errors
    /// The error of the first value that could not be serialised.
    pub fn finish(mut self) -> Result<String, sqlx::error::BoxDynError> {
        if let Some(error) = self.failed {
            return Err(error.into());
        }
        self.text.extend_from_slice(if self.text.is_empty() { b"[]" } else { b"]]" });
        Ok(String::from_utf8(self.text)?)
    }
}

/// Declares a struct that is read from a row, and a macro that lists its columns for statements that return it.
///
/// `booking_columns!("b.")` expands to the text `b.id, b.org_id, ...`, for use within `concat!`.
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
             FROM (SELECT value->>0 AS number, value->>1 AS facts FROM jsonb_each($2)) AS new"
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
