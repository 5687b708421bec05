//! Webhook events: each event in the inbox has one job that processes it.

pub mod gaps;
mod inbound;
pub mod openphone_process;
pub mod stripe_process;
mod text;
pub mod twilio_inbound;
pub mod twilio_status;
pub mod unrouted;
pub mod vapi_process;

use nightshift_db::{Timestamp, Tx};
use nightshift_domain::ids::InboxId;
use nightshift_domain::inbox::{self, InboxStatus};
use nightshift_queue::{DeadJob, Hooks, Job, JobError, RetriedJob, Revival};

use crate::job_error::OrJobError;

/// Returns the once key of the job that processes an event, whatever its source.
#[must_use]
pub fn key(delivery: &InboxId) -> String {
    format!("inbox:{delivery}")
}

/// A job that processes one webhook event.
pub trait ActsOnDelivery: Job {
    /// Returns the id of the event's row in the inbox.
    fn inbox_id(&self) -> &InboxId;
}

/// An event whose body is still stored.
struct Stored {
    /// The body as received.
    body: String,
    received_at: Timestamp,
}

/// Loads the event that the job processes. The job fails for good if the body is no longer stored.
async fn stored(tx: &mut Tx, job: &impl ActsOnDelivery) -> Result<Stored, JobError> {
    let received = inbox::load(tx, job.inbox_id()).await.or_job_error()?;
    let body = received.payload.ok_or_else(|| JobError::fail("the delivery's body is no longer stored"))?;
    Ok(Stored { body, received_at: received.received_at })
}

/// The hooks of jobs that process webhook events.
#[derive(Debug)]
pub enum DeliveryHooks {}

impl<J: ActsOnDelivery> Hooks<J> for DeliveryHooks {
    /// Marks the event as failed in the inbox.
    async fn on_dead(job: &J, tx: &mut Tx, dead: &DeadJob) -> Result<(), JobError> {
        inbox::settle(tx, job.inbox_id(), InboxStatus::Failed, None, &dead.info.id, dead.at).await.or_job_error()
    }

    /// Reopens the event, if its body is still stored.
    async fn on_retry(job: &J, tx: &mut Tx, retried: &RetriedJob) -> Result<Revival, JobError> {
        let reopened = inbox::reopen(tx, job.inbox_id(), retried.at).await.or_job_error()?;
        Ok(if reopened {
            Revival::Ready
        } else {
            Revival::Pointless("the delivery is settled, or its body is no longer stored".to_owned())
        })
    }
}
