//! The job for a delivery, made when the delivery is stored.

use nightshift_domain::ids::InboxId;
use nightshift_queue::{EnqueueError, Job, NewJob};

/// Makes the job that acts on an event, once the event's row in the inbox is known. It may be asked more than once: a
/// batch that fails is written again, delivery by delivery.
pub struct JobFor(Box<dyn Fn(InboxId) -> Result<NewJob, EnqueueError> + Send + Sync>);

impl JobFor {
    /// The job that `make` says.
    pub fn new<J: Job>(make: impl Fn(InboxId) -> J + Send + Sync + 'static) -> Self {
        Self(Box::new(move |inbox| NewJob::of(&make(inbox))))
    }

    /// The job for the event in row `inbox`.
    ///
    /// # Errors
    /// When its payload can't be written or is too large.
    pub(super) fn make(&self, inbox: InboxId) -> Result<NewJob, EnqueueError> {
        (self.0)(inbox)
    }
}
