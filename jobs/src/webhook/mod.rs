//! What providers told: each delivery in the inbox has one job, which acts on it.

pub mod stripe_process;
pub mod twilio_status;
pub mod vapi_process;

use nightshift_db::{Timestamp, Tx};
use nightshift_domain::ids::InboxId;
use nightshift_domain::inbox::{self, InboxStatus};
use nightshift_queue::{DeadJob, Hooks, Job, JobError, RetriedJob, Revival};

use crate::decide::OrDecide;

/// Names the one job that acts on a delivery, whoever it came from.
#[must_use]
pub fn key(delivery: &InboxId) -> String {
    format!("inbox:{delivery}")
}

/// A job that acts on one delivery.
pub trait ActsOnDelivery: Job {
    /// The delivery's row in the inbox.
    fn inbox_id(&self) -> &InboxId;
}

/// A delivery whose body is kept.
struct Stored {
    /// As it was received.
    body: String,
    received_at: Timestamp,
}

/// The delivery that the job acts on. The job fails for good when its body is no longer kept.
async fn stored(tx: &mut Tx, job: &impl ActsOnDelivery) -> Result<Stored, JobError> {
    let received = inbox::load(tx, job.inbox_id()).await.or_decide()?;
    let body = received.payload.ok_or_else(|| JobError::fail("the delivery's body is no longer stored"))?;
    Ok(Stored { body, received_at: received.received_at })
}

/// The hooks of such jobs.
#[derive(Debug)]
pub enum DeliveryHooks {}

impl<J: ActsOnDelivery> Hooks<J> for DeliveryHooks {
    /// The inbox says that this delivery was given up.
    async fn on_dead(job: &J, tx: &mut Tx, dead: &DeadJob) -> Result<(), JobError> {
        inbox::settle(tx, job.inbox_id(), InboxStatus::Failed, None, &dead.info.id, dead.at).await.or_decide()
    }

    /// The delivery is to be acted on after all, as long as its body is kept.
    async fn on_retry(job: &J, tx: &mut Tx, retried: &RetriedJob) -> Result<Revival, JobError> {
        let reopened = inbox::reopen(tx, job.inbox_id(), retried.at).await.or_decide()?;
        Ok(if reopened {
            Revival::Ready
        } else {
            Revival::Pointless("the delivery is settled, or its body is no longer stored".to_owned())
        })
    }
}
