//! Creates everything that a confirmed booking needs: its thread, a masking number, the sitter's window, a text.
//!
//! Seven steps, each in its own transaction that first checks what exists. If the job is killed between two steps, it
//! runs again and finds the earlier ones done; however often it runs, it creates everything once.

use std::time::Duration;

use nightshift_db::{Tx, failpoint};
use nightshift_domain::actor::Actor;
use nightshift_domain::confirmation::{self, AutomationStep, Loaded, ThreadStep, WindowStep};
use nightshift_domain::ids::BookingId;
use nightshift_domain::messaging::masking::NumberStep;
use nightshift_queue::{
    DeadJob, ErrorClass, Handler, Hooks, Job, JobContext, JobError, JobResult, Keys, Outcome, Policy, RetriedJob,
    Revival, Subject,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::group::group;
use crate::enqueuer::Enqueuer;
use crate::job_error::OrJobError;
use crate::{App, automation, subject, thread};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookingConfirm {
    pub booking_id: BookingId,
    /// What confirmed the booking: `stripe` or `api`.
    pub trigger: String,
    /// The type of the actor: `user`, `api_key`, `webhook` or `system`.
    pub actor: String,
}

impl BookingConfirm {
    /// Returns the dedup key of a booking's confirmation.
    pub(crate) fn key(booking: &BookingId) -> String {
        format!("booking.confirm:{booking}")
    }
}

impl Job for BookingConfirm {
    const KIND: &'static str = "booking.confirm";
    const QUEUE: &'static str = "bookings";

    fn keys(&self) -> Keys {
        Keys::dedup(Self::key(&self.booking_id)).group(group(&self.booking_id))
    }

    fn subject(&self) -> Option<Subject> {
        subject::booking(&self.booking_id)
    }

    fn policy() -> Policy {
        Policy::standard(6).timeout(Duration::from_secs(60))
    }
}

const CANCELLED: &str = "the booking was cancelled in the meantime";

impl Handler<App> for BookingConfirm {
    type Hooks = Self;

    /// Runs the steps in order.
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        let confirmation = Confirmation { id: &self.booking_id, by: Actor::system(ctx.job.id.as_str()), ctx: &ctx };
        if let Some(ended) = confirmation.load().await? {
            return ended;
        }
        failpoint::hit("booking.confirm.after_load").await?;
        ctx.checkpoint()?;
        let Some(thread) = confirmation.thread().await? else { return Ok(Outcome::skip(CANCELLED)) };
        failpoint::hit("booking.confirm.after_thread").await?;
        ctx.checkpoint()?;
        let Some(number) = confirmation.number().await? else { return Ok(Outcome::skip(CANCELLED)) };
        failpoint::hit("booking.confirm.after_number").await?;
        ctx.checkpoint()?;
        let Some(window) = confirmation.window().await? else { return Ok(Outcome::skip(CANCELLED)) };
        failpoint::hit("booking.confirm.after_window").await?;
        ctx.checkpoint()?;
        let Some(automation) = confirmation.automation().await? else { return Ok(Outcome::skip(CANCELLED)) };
        failpoint::hit("booking.confirm.after_automation").await?;
        let outcome = confirmation::Outcome { thread, number: number.given.number().cloned(), window, automation };
        confirmation.audit(&outcome).await?;
        failpoint::hit("booking.confirm.after_audit").await?;
        Ok(Outcome::done_with(json!({
            "threadId": outcome.thread.thread_id,
            "windowId": outcome.window.window_id,
            "automationRunId": outcome.automation.run_id,
            "number": outcome.number.map(|number| number.class),
        })))
    }
}

struct Confirmation<'a> {
    id: &'a BookingId,
    by: Actor,
    ctx: &'a JobContext<App>,
}

impl Confirmation<'_> {
    /// Returns the result of the job if there is nothing to confirm, or if the booking can never be confirmed.
    async fn load(&self) -> Result<Option<JobResult>, JobError> {
        let mut tx = self.ctx.begin().await?;
        let loaded = confirmation::load(&mut tx, self.id, &self.by, self.ctx.now()).await.or_job_error()?;
        let ended = match loaded {
            Loaded::Ready(_) => None,
            Loaded::Skip(why) => Some(Ok(Outcome::skip(why))),
            Loaded::Broken(why) => Some(Err(JobError::fail(why))),
        };
        self.ctx.step_done(&mut tx, "load", json!({})).await?;
        tx.commit().await?;
        Ok(ended)
    }

    async fn thread(&self) -> Result<Option<ThreadStep>, JobError> {
        let mut tx = self.ctx.begin().await?;
        let step = confirmation::thread(&mut tx, self.id, &self.by, self.ctx.now()).await.or_job_error()?;
        if let Some(step) = &step {
            let output = json!({"threadId": step.thread_id, "created": step.created});
            self.ctx.step_done(&mut tx, "thread", output).await?;
        }
        tx.commit().await?;
        Ok(step)
    }

    async fn number(&self) -> Result<Option<NumberStep>, JobError> {
        let mut tx = self.ctx.begin().await?;
        let step = confirmation::number(&mut tx, self.id, &self.by, self.ctx.now()).await.or_job_error()?.into_option();
        if let Some(step) = &step {
            thread::resume(&Enqueuer::of(self.ctx), &mut tx, step).await?;
            let output = json!({"numberId": step.given.number().map(|number| &number.number_id)});
            self.ctx.step_done(&mut tx, "number", output).await?;
        }
        tx.commit().await?;
        Ok(step)
    }

    async fn window(&self) -> Result<Option<WindowStep>, JobError> {
        let mut tx = self.ctx.begin().await?;
        let grace = self.ctx.app.window_grace();
        let step = confirmation::window(&mut tx, self.id, grace, &self.by, self.ctx.now()).await.or_job_error()?;
        if let Some(step) = &step {
            self.ctx.step_done(&mut tx, "window", json!({"windowId": step.window_id})).await?;
        }
        tx.commit().await?;
        Ok(step)
    }

    async fn automation(&self) -> Result<Option<AutomationStep>, JobError> {
        let mut tx = self.ctx.begin().await?;
        let step = confirmation::automation(&mut tx, self.id, self.ctx.now()).await.or_job_error()?.into_option();
        if let Some(step) = &step {
            if let Some(run) = &step.start {
                automation::start(&Enqueuer::of(self.ctx), &mut tx, run).await?;
            }
            let output = json!({"automationRunId": step.run_id, "created": step.created, "blocked": step.blocked});
            self.ctx.step_done(&mut tx, "automation", output).await?;
        }
        tx.commit().await?;
        Ok(step)
    }

    async fn audit(&self, outcome: &confirmation::Outcome) -> Result<(), JobError> {
        let mut tx = self.ctx.begin().await?;
        confirmation::audit(&mut tx, self.id, outcome, &self.by, self.ctx.now()).await.or_job_error()?;
        self.ctx.step_done(&mut tx, "audit", json!({})).await?;
        Ok(tx.commit().await?)
    }
}

impl Hooks for BookingConfirm {
    /// Records the failure with the booking. After a permanent error `load` has recorded it already.
    async fn on_dead(job: &Self, tx: &mut Tx, dead: &DeadJob) -> Result<(), JobError> {
        if dead.class == ErrorClass::Permanent {
            return Ok(());
        }
        let by = Actor::system(dead.info.id.as_str());
        confirmation::fail(tx, &job.booking_id, &dead.error, &by, dead.at).await.or_job_error()
    }

    /// Refuses to retry for a booking that need not be confirmed. Otherwise each step checks what exists.
    async fn on_retry(job: &Self, tx: &mut Tx, _: &RetriedJob) -> Result<Revival, JobError> {
        Ok(match confirmation::to_be_confirmed(tx, &job.booking_id).await.or_job_error()? {
            Ok(()) => Revival::Ready,
            Err(why) => Revival::Pointless(why.to_owned()),
        })
    }
}
