//! The tables of the queue: rows, the statements that read and write them, and the handle for enqueueing.
//!
//! [`lifecycle`] decides which changes a row can go through; the statements store its results and check the lease.

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
