//! Moves the window and the reminder of a booking whose time has changed, and texts the client.

use std::time::Duration;

use nightshift_domain::actor::Actor;
use nightshift_domain::confirmation;
use nightshift_domain::ids::BookingId;
use nightshift_queue::{Handler, Job, JobContext, JobResult, Keys, NoHooks, Outcome, Policy, Subject};
use serde::{Deserialize, Serialize};

use super::group::group;
use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::{App, automation, subject};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookingRescheduled {
    pub booking_id: BookingId,
    /// The booking's version with the new time.
    pub version: i64,
}

impl Job for BookingRescheduled {
    const KIND: &'static str = "booking.rescheduled";
    const QUEUE: &'static str = "bookings";

    fn keys(&self) -> Keys {
        Keys::once(format!("resched:{}:v{}", self.booking_id, self.version)).group(group(&self.booking_id))
    }

    fn subject(&self) -> Option<Subject> {
        subject::booking(&self.booking_id)
    }

    fn policy() -> Policy {
        Policy::standard(6).timeout(Duration::from_secs(30))
    }
}

impl Handler<App> for BookingRescheduled {
    type Hooks = NoHooks;

    /// Handles the change in one transaction.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let (by, now) = (Actor::system(ctx.job.id.as_str()), ctx.now());
        let mut tx = ctx.begin().await?;
        let grace = ctx.app.window_grace();
        let runs =
            confirmation::rescheduled(&mut tx, &self.booking_id, self.version, grace, &by, now).await.or_job_error()?;
        for run in &runs {
            automation::start(&Enqueuer::of(&ctx), &mut tx, run).await?;
        }
        tx.commit().await?;
        Ok(Outcome::done())
    }
}
