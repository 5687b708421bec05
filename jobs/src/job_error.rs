//! Converts an error of a rule into the error of the job that called the rule.

use nightshift_domain::Error;
use nightshift_queue::JobError;

/// Decides whether to retry by the rule's error: a database that is down will be back, but a missing row, an invalid
/// value or a conflict will stay.
pub(crate) trait OrJobError<T> {
    fn or_job_error(self) -> Result<T, JobError>;
}

impl<T> OrJobError<T> for Result<T, Error> {
    fn or_job_error(self) -> Result<T, JobError> {
        self.map_err(|error| if error.is_transient() { JobError::retry(error) } else { JobError::fail(error) })
    }
}
