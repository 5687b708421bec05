//! Computes the figures of every active sitter of an organisation, once a day.
//!
//! Days pass without an answer or an offer, so figures and tiers change although nothing happened. If it never
//! succeeds, they change with the next answer, or the next night.

use std::time::Duration;

use nightshift_domain::actor::Actor;
use nightshift_domain::ids::OrgId;
use nightshift_domain::metrics;
use nightshift_queue::{Handler, Job, JobContext, JobResult, Keys, NoHooks, Outcome, Policy};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::App;
use crate::job_error::OrJobError;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricsNightly {
    pub org_id: OrgId,
    /// The day in the organisation's time zone, `YYYY-MM-DD`.
    pub local_date: String,
}

impl Job for MetricsNightly {
    const KIND: &'static str = "metrics.nightly";
    const QUEUE: &'static str = "metrics";
    const PRIORITY: i64 = 8;

    fn keys(&self) -> Keys {
        // One for each local date, even if the organisation changes its time zone.
        Keys::once(format!("metrics.nightly:{}:{}", self.org_id, self.local_date))
    }

    fn policy() -> Policy {
        Policy::standard(4).timeout(Duration::from_secs(300))
    }
}

impl Handler<App> for MetricsNightly {
    type Hooks = NoHooks;

    /// Computes each sitter in a transaction of their own, as of now. A second run stores the same.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let by = Actor::system(ctx.job.id.as_str());
        let mut tx = ctx.begin().await?;
        let sitters = metrics::active_sitters(&mut tx, &self.org_id).await.or_job_error()?;
        tx.commit().await?;
        let mut changed = 0;
        for sitter in &sitters {
            ctx.checkpoint()?;
            let mut tx = ctx.begin().await?;
            let computed = metrics::compute(&mut tx, sitter, &by, ctx.now()).await.or_job_error()?;
            tx.commit().await?;
            changed += usize::from(computed.tier_before.is_some());
        }
        Ok(Outcome::done_with(json!({"sitters": sitters.len(), "tiersChanged": changed})))
    }
}
