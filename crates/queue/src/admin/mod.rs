//! Lists and explains jobs, retries and cancels them, and runs them now, for the operator pages and the command line.
//!
//! Every change is a transition of the [lifecycle](crate::lifecycle). Lists are paged by key, and no statement counts
//! the whole history.

mod detail;
mod explain;
mod list;
mod promises;
mod stats;
mod steer;

pub use detail::{Attempt, JobDetail, StepRow};
pub use explain::explain;
pub use list::{Filter, JobRow, Page};
pub use promises::{Broken, broken, effects_in_doubt, is_taken_care_of};
pub use stats::QueueStats;
pub use steer::{BulkOutcome, SteerError, Steered};
