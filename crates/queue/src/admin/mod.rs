//! Looking at jobs and steering single ones: what the ops console and the command line stand on.
//!
//! Every change goes through the life cycle. Lists use keyset pages; nothing counts the history.

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
