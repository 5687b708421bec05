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
mod handlers;
mod job;
mod leases;
mod runtime;
pub mod schedule;
mod store;

pub use handlers::context::JobContext;
pub use handlers::handler::{DeadJob, Following, Handler, Hooks, NoHooks, OnDead, OnRetry, RetriedJob, Revival};
pub use handlers::registry::Registry;
pub use job::{
    Backoff, EnqueueError, Enqueued, ErrorClass, Job, JobError, JobInfo, JobResult, Keys, Mode, NewJob, OrFail,
    OrRetry, Outcome, PayloadError, Policy, Subject,
};
pub use runtime::worker::{Health, Worker, WorkerHandle, WorkerOptions};
pub use store::queue::Queue;
pub use store::{control, effects, lifecycle, retention};
