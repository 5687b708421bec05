//! Reopens snoozed exceptions whose time has come, every few minutes.

use std::time::Duration;

use nightshift_domain::exceptions;
use nightshift_queue::{Handler, Job, JobContext, JobResult, Keys, NoHooks, Outcome, Policy};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::App;
use crate::job_error::OrJobError;

#[derive(Debug, Serialize, Deserialize)]
pub struct ExceptionsWake {}

impl Job for ExceptionsWake {
    const KIND: &'static str = "exceptions.wake";
    const QUEUE: &'static str = "maintenance";
    const PRIORITY: i64 = 9;

    fn keys(&self) -> Keys {
        Keys::dedup("exceptions.wake")
    }

    fn policy() -> Policy {
        Policy::standard(3).timeout(Duration::from_secs(30))
    }
}

impl Handler<App> for ExceptionsWake {
    type Hooks = NoHooks;

    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let mut tx = ctx.begin().await?;
        let woken = exceptions::wake(&mut tx, ctx.now()).await.or_job_error()?;
        tx.commit().await?;
        Ok(Outcome::done_with(json!({"woken": woken})))
    }
}
