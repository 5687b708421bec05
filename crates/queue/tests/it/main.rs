//! One conformance suite for the queue: every test runs on SQLite and on PostgreSQL.
//!
//! Time is a clock that the tests move; they wait for conditions in the database, never for a while.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure here is a failed test")]

mod bed;
mod cancel;
mod clocks;
mod control;
mod effects;
mod enqueue;
mod explain;
mod failures;
mod groups;
mod history;
mod hooks;
mod leases;
mod lifecycle;
mod list;
mod panics;
mod perform;
mod polls;
mod retention;
mod sabotage;
mod schedule;
mod shutdown;
mod wakeups;
