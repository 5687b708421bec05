//! The values that describe a job: payload, keys, policy, outcome of an attempt, and the job to be enqueued.
//!
//! This module does not access the database.

mod info;
mod keys;
mod mode;
mod new_job;
mod outcome;
mod payload;
mod policy;

pub use info::JobInfo;
pub use keys::Keys;
pub use mode::Mode;
pub use new_job::{EnqueueError, Enqueued, NewJob};
pub(crate) use outcome::SKIPPED;
pub use outcome::{ErrorClass, JobError, JobResult, OrFail, OrRetry, Outcome};
pub use payload::{Job, PayloadError, Subject};
pub(crate) use policy::retry_at;
pub use policy::{Backoff, Policy};
