//! A durable job queue on SQLite and PostgreSQL.
//!
//! A job is a row. It is enqueued in the transaction of whatever causes it, claimed under a lease, run by an
//! [apalis](https://docs.rs/apalis) worker, and finished by a write that the lease fences. What a job can go through is
//! one pure function ([`lifecycle`]); the SQL is its shadow. Retries, waits and polls are times in the row, never a
//! sleeping task, so a process may be killed at any moment and nothing is lost, and ten thousand waiting jobs cost ten
//! thousand rows.
//!
//! **Invariant:** the queue knows nothing of bookings, messages or HTTP; what a kind does when its attempts are used up
//! is handed in by the kind.

/// The worker of the README, compiled so that it stays true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod admin;
mod claim;
mod context;
pub mod control;
mod dispatcher;
pub mod effects;
pub mod effects_perform;
mod enqueue;
mod finish;
mod handler;
mod held;
mod job;
mod keeper;
mod kind;
pub mod lifecycle;
mod outcome;
mod pool;
mod queue;
mod registry;
mod rescue;
pub mod retention;
mod run;
mod runner;
pub mod schedule;
mod steps;
mod supervise;
mod wake;
mod worker;

pub use context::{JobContext, JobInfo};
pub use enqueue::{Enqueued, NewJob};
pub use handler::{DeadJob, Following, Handler, Hooks, NoHooks, OnDead, OnRetry, RetriedJob, Revival};
pub use job::{Backoff, Job, Keys, Mode, PayloadError, Policy, Subject};
pub use outcome::{ErrorClass, JobError, JobResult, OrFail, OrRetry, Outcome};
pub use queue::{EnqueueError, Queue};
pub use registry::Registry;
pub use worker::{Health, Worker, WorkerHandle, WorkerOptions};
