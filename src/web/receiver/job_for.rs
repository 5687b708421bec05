//! The job for a delivery, created when the delivery is stored.

use nightshift_domain::ids::InboxId;
use nightshift_queue::{EnqueueError, Job, NewJob};

/// Creates the job that processes an event from the id of the event's inbox row. It may run more than once: after a
/// batch fails, its deliveries are written one by one.
pub struct JobFor(Box<dyn Fn(InboxId) -> Result<NewJob, EnqueueError> + Send + Sync>);

impl JobFor {
    pub fn new<J: Job>(make: impl Fn(InboxId) -> J + Send + Sync + 'static) -> Self {
        Self(Box::new(move |inbox| NewJob::of(&make(inbox))))
    }

    /// Creates the job for the event in row `inbox`.
    ///
    /// # Errors
    /// Returns an error if the payload can't be serialized or is too large.
    pub(super) fn make(&self, inbox: InboxId) -> Result<NewJob, EnqueueError> {
        (self.0)(inbox)
    }
}
