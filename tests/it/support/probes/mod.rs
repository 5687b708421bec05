//! Named queries about the state of a program: `nightshift.texts().sent().until(1)` waits for one sent text,
//! `world.jobs("sms.send").dead().count()` counts, `all` and `one` read whole rows.
//!
//! A [`Nightshift`](super::Nightshift) and a [`World`](super::process::World) both dereference to [`Probes`], so the
//! queries are the same for a program in this process and for a process of its own. A query that only one test needs is
//! an SQL string in that test, for [`Probes::count`], [`Probes::rows`] and [`Probes::until`].

mod bookings;
mod calls;
mod given;
mod jobs;
mod messages;
pub mod offers;
mod prices;
mod records;
mod time;
mod wait;

use std::marker::PhantomData;
use std::path::PathBuf;

use nightshift_db::{Clock, Db, FromRow, Select, Timestamp};

/// Reads the database of a program and waits for what the program does.
pub struct Probes {
    db: Db,
    time: Time,
}

/// How time passes while a test waits.
pub enum Time {
    /// The test moves the program's clock.
    Manual(Clock),
    /// The program has the machine's clock, and logs into this file.
    Real { log: PathBuf },
}

impl Probes {
    pub fn new(db: Db, time: Time) -> Self {
        Self { db, time }
    }

    /// All rows of a statement.
    pub async fn rows<T: FromRow>(&self, sql: &'static str) -> Vec<T> {
        self.db.read(sql).all().await.expect("rows")
    }

    /// The number that a statement gives.
    pub async fn count(&self, sql: &'static str) -> i64 {
        self.db.read(sql).scalar().await.expect("a count")
    }

    /// Waits until a statement that counts gives `wanted`, as [`Rows::until`] does.
    pub async fn until(&self, sql: &'static str, wanted: i64) {
        self.ask::<()>(Table { count: sql, all: "", order: "" }).until(wanted).await;
    }

    fn ask<T>(&self, table: Table) -> Rows<'_, T> {
        Rows { probes: self, table, conditions: Vec::new(), row: PhantomData }
    }
}

/// The parts of a table's statements.
#[derive(Debug, Clone, Copy)]
struct Table {
    count: &'static str,
    all: &'static str,
    order: &'static str,
}

/// The table of this name, whose rows are read in this order.
macro_rules! table {
    ($name:literal, $order:literal) => {
        super::Table {
            count: concat!("SELECT count(*) FROM ", $name),
            all: concat!("SELECT * FROM ", $name),
            order: concat!("ORDER BY ", $order),
        }
    };
    ($name:literal) => {
        table!($name, "id")
    };
}
use table;
pub use wait::{LOOK_EVERY, PATIENCE};

/// A query for the rows of a table that meet all conditions. `T` is what a test reads of a row.
#[must_use = "nothing is read until `count`, `all`, `one` or a wait is called"]
pub struct Rows<'p, T> {
    probes: &'p Probes,
    table: Table,
    conditions: Vec<(&'static str, Value)>,
    row: PhantomData<fn() -> T>,
}

/// What a condition compares with, as its `$1`.
#[derive(Debug, Clone)]
enum Value {
    Nothing,
    Text(String),
    Number(i64),
    Time(Timestamp),
}

impl<'p, T> Rows<'p, T> {
    /// Only the rows for which a condition without a placeholder holds.
    fn only(self, condition: &'static str) -> Self {
        self.with(condition, Value::Nothing)
    }

    /// Only the rows for which a condition about `$1` holds.
    fn with(mut self, condition: &'static str, value: impl Into<Value>) -> Self {
        self.conditions.push((condition, value.into()));
        self
    }

    /// The same query without the type of its rows, for lists of counts.
    pub fn counted(self) -> Rows<'p, ()> {
        Rows { probes: self.probes, table: self.table, conditions: self.conditions, row: PhantomData }
    }

    pub async fn count(&self) -> i64 {
        self.statement(self.table.count).end("").scalar().await.expect("a count")
    }

    fn statement(&self, head: &'static str) -> Select<'_> {
        self.conditions.iter().fold(self.probes.db.select(head), |select, (condition, value)| match value {
            Value::Nothing => select.only(condition, ()),
            Value::Text(text) => select.only(condition, (text.clone(),)),
            Value::Number(number) => select.only(condition, (*number,)),
            Value::Time(time) => select.only(condition, (*time,)),
        })
    }
}

impl<T: FromRow> Rows<'_, T> {
    /// All rows in the order of the table's query, which is mostly oldest first.
    pub async fn all(&self) -> Vec<T> {
        self.statement(self.table.all).end(self.table.order).all().await.expect("rows")
    }

    /// The only row.
    ///
    /// # Panics
    /// When there are none or several.
    pub async fn one(&self) -> T {
        let mut rows = self.all().await;
        assert_eq!(rows.len(), 1, "{self:?}");
        rows.remove(0)
    }
}

impl<T> std::fmt::Debug for Rows<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.table.count)?;
        for (condition, value) in &self.conditions {
            write!(f, "; {condition} {value:?}")?;
        }
        Ok(())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}
