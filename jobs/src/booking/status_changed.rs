//! Handles a booking's new status: the reminder, the end of the window, a text to the client.

use std::time::Duration;

use nightshift_domain::actor::Actor;
use nightshift_domain::automations::runs::RunsToStart;
use nightshift_domain::bookings::{self, Status};
use nightshift_domain::confirmation;
use nightshift_domain::ids::{BookingId, HistoryId};
use nightshift_queue::{Handler, Job, JobContext, JobResult, Keys, NoHooks, Outcome, Policy, Subject};
use serde::{Deserialize, Serialize};

use super::group::group;
use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::{App, automation, subject, thread};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookingStatusChanged {
    /// The entry of the status history.
    pub history_id: HistoryId,
    pub booking_id: BookingId,
}

impl Job for BookingStatusChanged {
    const KIND: &'static str = "booking.status_changed";
    const QUEUE: &'static str = "bookings";

    fn keys(&self) -> Keys {
        Keys::once(format!("history:{}", self.history_id)).group(group(&self.booking_id))
    }

    fn subject(&self) -> Option<Subject> {
        subject::booking(&self.booking_id)
    }

    fn policy() -> Policy {
        Policy::standard(6).timeout(Duration::from_secs(30))
    }
}

impl Handler<App> for BookingStatusChanged {
    type Hooks = NoHooks;

    /// Handles the change in one transaction.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let (by, now) = (Actor::system(ctx.job.id.as_str()), ctx.now());
        let enqueuer = Enqueuer::of(&ctx);
        let mut tx = ctx.begin().await?;
        let record = bookings::load_record(&mut tx, &self.history_id).await.or_job_error()?;
        let runs = match record.to_status {
            Status::Confirmed => confirmation::confirmed(&mut tx, &record, &by, now).await.or_job_error()?,
            Status::Cancelled => confirmation::cancelled(&mut tx, &record, &by, now).await.or_job_error()?,
            Status::Completed => {
                if let Some(close) = confirmation::completed(&mut tx, &record).await.or_job_error()?.into_option() {
                    thread::close_at(&enqueuer, &mut tx, &close).await?;
                }
                RunsToStart::default()
            }
            Status::Pending | Status::InProgress => RunsToStart::default(),
        };
        for run in &runs {
            automation::start(&enqueuer, &mut tx, run).await?;
        }
        tx.commit().await?;
        Ok(Outcome::done())
    }
}
