//! Database access shared by the queue and the domain.
//!
//! [`Db`] (pool), [`Tx`] (transaction) and [`Query`] (statement) wrap the native SQLite and PostgreSQL drivers, so that
//! nearly every statement has one text for both engines. The crate also provides [`Timestamp`]s in milliseconds, the
//! [`Clock`], sortable ids, typed errors, migrations, and [`GroupCommit`], which stores many small concurrent writes in
//! few transactions.
//!
//! **Invariant:** this crate knows no table of the product, no jobs and no requests.

mod clock;
mod connections;
mod contraction;
mod engine;
mod error;
pub mod failpoint;
mod file;
mod gate;
mod group_commit;
mod id;
mod limit;
mod machine;
mod migrations;
mod options;
mod part;
mod pool;
mod query;
pub mod rows;
pub mod sabotage;
mod select;
mod session;
mod settings;
mod step;
#[cfg(feature = "testing")]
pub mod testing;
mod timeline;
mod timestamp;
mod trouble;
mod tx;

pub use clock::{Clock, Moment, Reading};
pub use contraction::Contraction;
pub use engine::Engine;
pub use error::{DbError, Outage, Result};
pub use gate::Gate;
pub use group_commit::{BatchWrite, GroupCommit, GroupLimits};
pub use id::{lowest_id, new_id};
pub use migrations::{MigrationState, check_contractions, migrate, migration_state};
pub use options::DbOptions;
pub use part::Part;
pub use pool::Db;
pub use query::{Bind, FromRow, Query};
pub use rows::RowsStatement;
pub use select::{Order, Select, Values};
pub use settings::{Setting, settings};
pub use sqlx::types::Json;
pub use timestamp::{ParseTimestampError, Timestamp};
pub use tx::Tx;

/// The driver crate, for the few statements whose text differs by engine.
pub use sqlx;
