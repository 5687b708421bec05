//! Closes a thread a week after its booking was completed.

use std::time::Duration;

use nightshift_domain::actor::Actor;
use nightshift_domain::confirmation;
use nightshift_domain::ids::ThreadId;
use nightshift_queue::{Handler, Job, JobContext, JobResult, Keys, NoHooks, Outcome, Policy, Subject};
use serde::{Deserialize, Serialize};

use crate::job_error::OrJobError;
use crate::{App, subject};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadClose {
    pub thread_id: ThreadId,
}

impl Job for ThreadClose {
    const KIND: &'static str = "thread.close";
    const QUEUE: &'static str = "bookings";

    fn keys(&self) -> Keys {
        Keys::once(format!("close:{}", self.thread_id))
    }

    fn subject(&self) -> Option<Subject> {
        subject::conversation(&self.thread_id)
    }

    fn policy() -> Policy {
        Policy::standard(6).timeout(Duration::from_secs(15))
    }
}

impl Handler<App> for ThreadClose {
    type Hooks = NoHooks;

    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let mut tx = ctx.begin().await?;
        let by = Actor::system(ctx.job.id.as_str());
        confirmation::close_thread(&mut tx, &self.thread_id, &by, ctx.now()).await.or_job_error()?;
        tx.commit().await?;
        Ok(Outcome::done())
    }
}
