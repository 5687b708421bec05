//! What a job is, as values: its payload, keys and policy, how an attempt ends, and the job that is to be enqueued.
//!
//! Nothing here reads or writes anything.

pub(crate) mod outcome;
pub(crate) mod payload;
