//! Expires the links of texts that nobody answered in time, every few minutes.

use std::time::Duration;

use nightshift_domain::metrics::response_links;
use nightshift_queue::{Handler, Job, JobContext, JobResult, Keys, NoHooks, Outcome, Policy};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::{App, metrics};

/// The links that expire in one transaction.
const BATCH: i64 = 200;

#[derive(Debug, Serialize, Deserialize)]
pub struct ResponseLinksExpire {}

impl Job for ResponseLinksExpire {
    const KIND: &'static str = "response_links.expire";
    const QUEUE: &'static str = "metrics";
    const PRIORITY: i64 = 8;

    fn keys(&self) -> Keys {
        Keys::dedup("response_links.expire")
    }

    fn policy() -> Policy {
        Policy::standard(3).timeout(Duration::from_secs(60))
    }
}

impl Handler<App> for ResponseLinksExpire {
    type Hooks = NoHooks;

    /// Expires them in batches. The job that computes a sitter's figures is enqueued with the batch, so a run that is
    /// interrupted leaves nothing half done.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let mut links = 0;
        loop {
            ctx.checkpoint()?;
            let mut tx = ctx.begin().await?;
            let expired = response_links::expire(&mut tx, BATCH, ctx.now()).await.or_job_error()?;
            for sitter in &expired.sitters {
                metrics::sitter_changed(&Enqueuer::of(&ctx), &mut tx, sitter).await?;
            }
            tx.commit().await?;
            links += expired.links;
            if expired.links == 0 {
                return Ok(Outcome::done_with(json!({"expired": links})));
            }
        }
    }
}
