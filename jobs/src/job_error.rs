//! What a failed rule means for the job that called it.

use nightshift_domain::Error;
use nightshift_queue::JobError;

/// The rule's error itself says whether it may pass: a database that is away will be back; a missing row, an invalid
/// value or a conflict will stay.
pub(crate) trait OrJobError<T> {
    fn or_job_error(self) -> Result<T, JobError>;
}

impl<T> OrJobError<T> for Result<T, Error> {
    fn or_job_error(self) -> Result<T, JobError> {
        self.map_err(|error| if error.is_transient() { JobError::retry(error) } else { JobError::fail(error) })
    }
}
