//! The two database engines.

/// The engine of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Embedded: all processes run on the machine that holds the file.
    Sqlite,
    /// A server: processes may run on many machines.
    Postgres,
}
