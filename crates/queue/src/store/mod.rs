//! The queue's tables: rows, the statements that read and write them, and the handle that callers enqueue with.
//!
//! What a row can go through is decided by [`lifecycle`]; a statement writes its result and checks the lease.

pub(crate) mod claim;
pub mod control;
pub mod effects;
pub(crate) mod enqueue;
pub(crate) mod finish;
pub(crate) mod hot;
pub mod lifecycle;
pub(crate) mod queue;
pub mod retention;
pub(crate) mod steps;
pub(crate) mod wake;
pub(crate) mod workers;
