//! Closes a conversation a week after its booking was completed.

use std::time::Duration;

use nightshift_domain::actor::Actor;
use nightshift_domain::confirmation;
use nightshift_domain::ids::ThreadId;
use nightshift_queue::{Job, JobContext, JobResult, Keys, Outcome, Policy};
use serde::{Deserialize, Serialize};

use crate::App;
use crate::decide::OrDecide;

/// A conversation whose booking is over.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadClose {
    /// The conversation.
    pub thread_id: ThreadId,
}

impl Job for ThreadClose {
    const KIND: &'static str = "thread.close";
    const QUEUE: &'static str = "bookings";

    fn keys(&self) -> Keys {
        Keys::once(format!("close:{}", self.thread_id))
    }

    fn policy() -> Policy {
        Policy::standard(6).timeout(Duration::from_secs(15))
    }
}

/// Closes it.
///
/// # Errors
/// The database's.
pub async fn run(job: ThreadClose, ctx: JobContext<App>) -> JobResult {
    let mut tx = ctx.begin().await?;
    let by = Actor::system(ctx.job.id.as_str());
    confirmation::close_thread(&mut tx, &job.thread_id, &by, ctx.now()).await.or_decide()?;
    tx.commit().await?;
    Ok(Outcome::done())
}
