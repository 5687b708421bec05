//! A durable job queue on SQLite and PostgreSQL.
//!
//! A job is a row. It is enqueued in the transaction of whatever causes it, claimed under a lease, run by an
//! [apalis](https://docs.rs/apalis) worker, and finished by a write that the lease fences. What a job can go through is
//! one pure function ([`lifecycle`]); the SQL is its shadow. Retries, waits and polls are times in the row, never a
//! sleeping task, so a process may be killed at any moment and nothing is lost, and ten thousand waiting jobs cost ten
//! thousand rows.
//!
//! The crate is built in floors. A file uses its own floor and those below it, never one above:
//!
//! ```text
//!   runtime     claims jobs, runs them, stores how they ended    what a program starts: Worker
//!   leases      renews leases, rescues jobs that lost theirs
//!   handlers    the program's code for each kind, the registry   admin      lists, explains, retries, cancels
//!   store       rows, statements, the Queue handle, wake-ups     schedule   enqueues what the clock asks for
//!   job         payload, keys, policy, outcome: values only
//! ```
//!
//! `admin` stands on `handlers` and `schedule` on `store`; neither knows `leases` or `runtime`, so a process that runs no
//! jobs can use both.
//!
//! **Invariant:** the queue knows nothing of bookings, messages or HTTP; what a kind does when its attempts are used up
//! is handed in by the kind.

#![warn(missing_docs)]

/// The worker of the README, compiled so that it stays true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod admin;
pub mod effects {
    //! The ledger of effects, and the protocol that sends one once.
    pub use crate::handlers::perform::{Answer, Attempt, Decision, Performable, Performed, Permit, perform, settle};
    pub use crate::store::effects::*;
}
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
pub use store::{control, lifecycle, retention};
