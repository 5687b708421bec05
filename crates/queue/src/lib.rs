//! A durable job queue on SQLite and PostgreSQL.
//!
//! A job is a row. It is enqueued in the transaction of the change that causes it, claimed under a lease, run by an
//! [apalis](https://docs.rs/apalis) worker, and finished by a write that checks the lease. Its states and transitions
//! are one pure function ([`lifecycle`]), whose results the SQL stores. Retries, delays and polls are times in the row,
//! never a sleeping task, so a process may be killed at any moment without loss, and ten thousand waiting jobs cost ten
//! thousand rows.
//!
//! The crate is built in layers. A file uses its own layer and those below it, never one above:
//!
//! ```text
//!   runtime     claims jobs, runs them, stores their outcomes    what a program starts: Worker
//!   leases      renews leases, rescues jobs whose lease expired
//!   handlers    the program's code for each kind, the registry   admin      lists, explains, retries, cancels
//!   store       rows, statements, the Queue handle, wake-ups     schedule   enqueues jobs at scheduled times
//!   job         payload, keys, policy, outcome: values only
//! ```
//!
//! `admin` uses `handlers`, and `schedule` uses `store`. Neither uses `leases` or `runtime`, so a process that runs no
//! jobs can use both.
//!
//! **Invariant:** the queue knows nothing of bookings, messages or HTTP. The hooks of a kind do what must follow when a
//! job ends without success.

#![warn(missing_docs)]

/// The example of the README, compiled so that it stays correct.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod admin;
pub mod effects {
    //! The ledger of effects, and the protocol that sends each of them once.
    pub use crate::handlers::perform::{
        Answer, Attempt, Decision, Expired, PERMIT_LASTS, Performable, Performed, Permit, perform, settle,
    };
    pub use crate::store::effects::*;
}
mod handlers;
mod job;
mod leases;
mod runtime;
pub mod schedule;
mod store;
#[cfg(test)]
mod walk;

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
