//! Database access shared by the queue and the domain.
//!
//! One pool type ([`Db`]), one transaction type ([`Tx`]) and one statement type ([`Query`]) stand over the native
//! SQLite and PostgreSQL drivers, so that nearly every statement is one text that both engines take. Here too live
//! the things every row needs: [`Timestamp`]s in milliseconds, one [`Clock`], sortable ids, typed errors, migrations,
//! and [`GroupCommit`], which turns many small concurrent writes into few transactions.
//!
//! **Invariant:** nothing here knows a table of the product, a job or a request.

mod clock;
mod connections;
mod engine;
mod error;
pub mod failpoint;
mod file;
mod group_commit;
mod id;
mod limit;
mod migrations;
mod options;
mod pool;
mod query;
pub mod rows;
pub mod sabotage;
mod select;
mod session;
mod settings;
#[cfg(feature = "testing")]
pub mod testing;
mod timeline;
mod timestamp;
mod trouble;
mod tx;

pub use clock::Clock;
pub use engine::Engine;
pub use error::{DbError, Outage, Result};
pub use group_commit::{BatchWrite, GroupCommit, GroupLimits};
pub use id::{lowest_id, new_id};
pub use migrations::{MigrationState, migrate, migration_state};
pub use options::DbOptions;
pub use pool::Db;
pub use query::{Bind, FromRow, Query};
pub use rows::RowsStatement;
pub use select::{Order, Select, Values};
pub use settings::{Setting, settings};
pub use sqlx::types::Json;
pub use timestamp::{ParseTimestampError, Timestamp};
pub use tx::Tx;

/// The drivers, for the few statements whose text differs by engine.
pub use sqlx;
