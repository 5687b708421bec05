//! What follows from a fact: the jobs that go into the transaction of the change that makes them necessary.
//!
//! The domain tells what happened and knows no queue; the queue knows no business. This is where they meet, for
//! requests and for other jobs alike.

use nightshift_db::{Timestamp, Tx};
use nightshift_domain::Error as DomainError;
use nightshift_domain::actor::Actor;
use nightshift_domain::automations::ledger::{self, RunToStart};
use nightshift_domain::bookings::{Created, StatusChange};
use nightshift_domain::calls::{Call, CallMode, Scheduled};
use nightshift_domain::confirmation::CloseThread;
use nightshift_domain::ids::{BookingId, CallId, MessageId, NumberId, OrgId, ThreadId};
use nightshift_domain::messaging::masking::{self, NumberGiven, NumberStep};
use nightshift_domain::messaging::numbers::{self, NewNumber, Number, NumberPatch};
use nightshift_domain::messaging::post::Posted;
use nightshift_domain::reconciliation::{self, Trigger};
use nightshift_queue::admin::SteerError;
use nightshift_queue::lifecycle::State;
use nightshift_queue::{EnqueueError, Enqueued, Job, JobContext, JobError, JobInfo, Keys, Mode, NewJob, Queue};

use crate::automation::run::AutomationRun;
use crate::booking::confirm::BookingConfirm;
use crate::booking::rescheduled::BookingRescheduled;
use crate::booking::status_changed::BookingStatusChanged;
use crate::booking_call::poll::BookingCallPoll;
use crate::booking_call::start::BookingCallStart;
use crate::pricing::reconcile::PricingReconcile;
use crate::sms::send::SmsSend;
use crate::thread::assign_number::ThreadAssignNumber;
use crate::thread::close::ThreadClose;

/// What follows could not be enqueued.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// A rule refused or the database failed.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// The queue failed.
    #[error(transparent)]
    Enqueue(#[from] EnqueueError),
}

impl From<FollowError> for JobError {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Domain(error) if error.is_transient() => Self::retry(error),
            FollowError::Domain(error) => Self::fail(error),
            FollowError::Enqueue(error) => error.into(),
        }
    }
}

/// What waking a job came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hastened {
    /// It runs now.
    Woken,
    /// It runs already, and may have looked at what it waits for before.
    Running,
    /// It has ended.
    Ended,
}

/// Enqueues what follows, on behalf of a request or of a job.
pub struct Follow<'a> {
    queue: &'a Queue,
    cause: Option<&'a JobInfo>,
}

impl<'a> Follow<'a> {
    /// What follows from a request.
    #[must_use]
    pub fn of_request(queue: &'a Queue) -> Self {
        Self { queue, cause: None }
    }

    /// What follows from a job, which the new jobs name as their parent.
    #[must_use]
    pub fn of_job<S>(ctx: &'a JobContext<S>) -> Self {
        Self { queue: ctx.queue(), cause: Some(&ctx.job) }
    }

    /// A booking was made. Answers with the job that follows its first status.
    ///
    /// # Errors
    /// The queue's.
    pub async fn created(&self, tx: &mut Tx, created: &Created) -> Result<String, EnqueueError> {
        let booking = &created.booking;
        let job = BookingStatusChanged { history_id: created.history_id.clone(), booking_id: booking.id.clone() };
        Ok(self.enqueue(tx, self.about(&job, &booking.org_id, &booking.id)?).await?.id().to_owned())
    }

    /// A booking was changed, or asked to be confirmed again. Answers with the job whose end means that all of it has
    /// taken effect.
    ///
    /// # Errors
    /// The queue's.
    pub async fn changed(
        &self,
        tx: &mut Tx,
        change: &StatusChange,
        trigger: &str,
        by: &Actor,
    ) -> Result<Option<String>, EnqueueError> {
        let booking = &change.booking;
        let mut last = None;
        if let Some(history_id) = &change.history_id {
            let job = BookingStatusChanged { history_id: history_id.clone(), booking_id: booking.id.clone() };
            last = Some(self.enqueue(tx, self.about(&job, &booking.org_id, &booking.id)?).await?);
        }
        if let Some(version) = change.rescheduled_to_version {
            let job = BookingRescheduled { booking_id: booking.id.clone(), version };
            last = Some(self.enqueue(tx, self.about(&job, &booking.org_id, &booking.id)?).await?);
        }
        if change.needs_confirm {
            last = Some(self.confirm(tx, change, trigger, by).await?);
        }
        Ok(last.map(|job| job.id().to_owned()))
    }

    /// One confirmation waits at a time. One that already runs may have passed what was just changed, so the change
    /// gets a run of its own after it; the booking's group keeps the two apart.
    async fn confirm(
        &self,
        tx: &mut Tx,
        change: &StatusChange,
        trigger: &str,
        by: &Actor,
    ) -> Result<Enqueued, EnqueueError> {
        let booking = &change.booking;
        let job = BookingConfirm {
            booking_id: booking.id.clone(),
            trigger: trigger.to_owned(),
            actor: by.actor_type().to_owned(),
        };
        let new = self.about(&job, &booking.org_id, &booking.id)?;
        let enqueued = self.enqueue(tx, new.clone()).await?;
        let Enqueued::Existing { id } = &enqueued else { return Ok(enqueued) };
        if self.queue.state(tx, id).await? != Some(State::Running) {
            return Ok(enqueued);
        }
        let again = Keys::once(format!("{}:v{}", BookingConfirm::key(&booking.id), booking.version));
        self.enqueue(tx, new.keys(again.group(booking_group(&booking.id)))).await
    }

    /// A run of the ledger is to be executed. A run that is set free or brought back has had its job; that one is
    /// woken if it still waits, and gets a successor if it ended.
    pub(crate) async fn run(&self, tx: &mut Tx, run: &RunToStart) -> Result<(), EnqueueError> {
        // Whether a text is real is told by who sends it.
        let mut new = self.new_job(&AutomationRun { automation_run_id: run.run_id.clone() })?.without_mode();
        if let Some(at) = run.not_before {
            new = new.run_at(at);
        }
        let Enqueued::Existing { id } = self.enqueue(tx, new.clone()).await? else { return Ok(()) };
        if self.hasten(tx, &id).await? != Hastened::Ended {
            return Ok(());
        }
        let again = Keys::once(format!("{}:after:{id}", AutomationRun::key(&run.run_id)));
        self.enqueue(tx, new.keys(again)).await?;
        Ok(())
    }

    /// A person's text was stored. A repeated one has had its job.
    ///
    /// # Errors
    /// The queue's.
    pub async fn posted(&self, tx: &mut Tx, org: &OrgId, posted: &Posted) -> Result<Option<String>, EnqueueError> {
        let Posted::Queued { message_id, thread_id, not_before, repeated: _ } = posted else { return Ok(None) };
        let mut new =
            self.new_job(&SmsSend::first(message_id.clone(), thread_id.clone()))?.org(org.as_str()).priority(2);
        if let Some(at) = not_before {
            new = new.run_at(*at);
        }
        Ok(Some(self.enqueue(tx, new).await?.id().to_owned()))
    }

    /// An automatic text was stored, or is to be sent once more.
    pub(crate) async fn text(
        &self,
        tx: &mut Tx,
        message: &MessageId,
        thread: &ThreadId,
        resend: i64,
    ) -> Result<(), EnqueueError> {
        let job = SmsSend { message_event_id: message.clone(), thread_id: thread.clone(), resend };
        self.enqueue(tx, self.new_job(&job)?).await?;
        Ok(())
    }

    /// A conversation got its number: what waited for it goes on.
    pub(crate) async fn number_given(&self, tx: &mut Tx, step: &NumberStep) -> Result<(), EnqueueError> {
        for run in &step.released {
            self.run(tx, run).await?;
        }
        for text in &step.texts {
            let key = SmsSend::key(&text.id, text.resends);
            if let Some(id) = self.queue.unfinished_once(tx, &key).await? {
                self.hasten(tx, &id).await?;
            }
        }
        if step.given == NumberGiven::Missing {
            self.number_missing(tx, &step.thread_id).await?;
        }
        Ok(())
    }

    /// A conversation has no number.
    pub(crate) async fn number_missing(&self, tx: &mut Tx, thread: &ThreadId) -> Result<(), EnqueueError> {
        self.enqueue(tx, self.new_job(&ThreadAssignNumber { thread_id: thread.clone() })?).await?;
        Ok(())
    }

    /// Takes a number into service. What waits for one tries at once.
    ///
    /// # Errors
    /// As [`numbers::add`]; the queue's.
    pub async fn number_added(
        &self,
        tx: &mut Tx,
        org: &OrgId,
        new: &NewNumber,
        by: &Actor,
    ) -> Result<Number, FollowError> {
        let number = numbers::add(tx, org, new, by, self.queue.clock().now()).await?;
        self.numbers_changed(tx, org).await?;
        Ok(number)
    }

    /// Changes a number. The conversations of one that goes out of service get another.
    ///
    /// # Errors
    /// As [`numbers::patch`]; the queue's.
    pub async fn number_changed(
        &self,
        tx: &mut Tx,
        org: &OrgId,
        id: &NumberId,
        patch: &NumberPatch,
        by: &Actor,
    ) -> Result<Number, FollowError> {
        let number = numbers::patch(tx, org, id, patch, by, self.queue.clock().now()).await?;
        self.numbers_changed(tx, org).await?;
        Ok(number)
    }

    /// An organisation's numbers are others now: what has none in service looks for one at once instead of within ten
    /// minutes.
    ///
    /// # Errors
    /// The rules' or the queue's.
    pub async fn numbers_changed(&self, tx: &mut Tx, org: &OrgId) -> Result<(), FollowError> {
        for thread_id in masking::waiting_for_number(tx, org).await? {
            let next = Keys::dedup(format!("{}:next", ThreadAssignNumber::key(&thread_id)));
            let new = self.new_job(&ThreadAssignNumber { thread_id })?.org(org.as_str());
            if let Enqueued::Existing { id } = self.enqueue(tx, new.clone()).await?
                && self.hasten(tx, &id).await? == Hastened::Running
            {
                // It may have looked before this change.
                self.enqueue(tx, new.keys(next)).await?;
            }
        }
        for run in ledger::waiting_for_front_desk(tx, org).await? {
            self.run(tx, &run).await?;
        }
        Ok(())
    }

    /// A conversation is to be closed later.
    pub(crate) async fn close(&self, tx: &mut Tx, close: &CloseThread) -> Result<(), EnqueueError> {
        let new = self.new_job(&ThreadClose { thread_id: close.thread_id.clone() })?.run_at(close.at);
        self.enqueue(tx, new).await?;
        Ok(())
    }

    /// A call is wanted. Answers with the job that places it; a wish that was there before has its job.
    ///
    /// # Errors
    /// The queue's.
    pub async fn call_scheduled(&self, tx: &mut Tx, scheduled: &Scheduled) -> Result<String, EnqueueError> {
        let job = BookingCallStart {
            booking_call_id: scheduled.call_id.clone(),
            service_request_id: scheduled.request_id.clone(),
        };
        let new = self.new_job(&job)?.org(scheduled.org_id.as_str()).correlation(scheduled.request_id.as_str());
        Ok(self.enqueue(tx, new.mode(mode_of(scheduled.mode))).await?.id().to_owned())
    }

    /// A call was placed: it is looked at until it ends.
    pub(crate) async fn call_placed(&self, tx: &mut Tx, call: &Call, at: Timestamp) -> Result<(), EnqueueError> {
        let new = self.new_job(&BookingCallPoll { booking_call_id: call.id.clone() })?.run_at(at).priority(3);
        self.enqueue(tx, new.mode(mode_of(call.mode))).await?;
        Ok(())
    }

    /// Somebody wants an organisation's prices checked now. Answers with the job that begins it.
    ///
    /// # Errors
    /// [`Conflict`](DomainError::Conflict) `reconciliation_running` while a run goes on; the queue's.
    pub async fn reconcile(&self, tx: &mut Tx, org: &OrgId, local_date: &str) -> Result<String, FollowError> {
        if reconciliation::current(tx, org).await?.is_some() {
            let sentence = "a price check of this organisation is running";
            return Err(DomainError::conflict("reconciliation_running", sentence).into());
        }
        let job = PricingReconcile {
            org_id: org.clone(),
            local_date: local_date.to_owned(),
            trigger_kind: Trigger::Manual,
            attempt_no: reconciliation::next_attempt(tx, org, local_date).await?,
            missed: false,
        };
        Ok(self.enqueue(tx, self.new_job(&job)?.org(org.as_str())).await?.id().to_owned())
    }

    /// Something happened to a call that is in the air: whoever looks at it does so now.
    pub(crate) async fn look_at_call(&self, tx: &mut Tx, call: &CallId) -> Result<(), EnqueueError> {
        if let Some(id) = self.queue.unfinished_with(tx, &BookingCallPoll::key(call)).await? {
            self.hasten(tx, &id).await?;
        }
        Ok(())
    }

    /// Runs a waiting job now.
    async fn hasten(&self, tx: &mut Tx, id: &str) -> Result<Hastened, EnqueueError> {
        match self.queue.hasten(tx, id).await {
            Ok(_) => Ok(Hastened::Woken),
            Err(SteerError::Db(error)) => Err(error.into()),
            Err(_) if self.queue.state(tx, id).await? == Some(State::Running) => Ok(Hastened::Running),
            Err(_) => Ok(Hastened::Ended),
        }
    }

    fn about<J: Job>(&self, job: &J, org: &OrgId, booking: &BookingId) -> Result<NewJob, EnqueueError> {
        Ok(self.new_job(job)?.org(org.as_str()).correlation(booking.as_str()))
    }

    fn new_job<J: Job>(&self, job: &J) -> Result<NewJob, EnqueueError> {
        let new = NewJob::of(job)?;
        Ok(match self.cause {
            Some(cause) => new.caused_by(cause),
            None => new,
        })
    }

    async fn enqueue(&self, tx: &mut Tx, new: NewJob) -> Result<Enqueued, EnqueueError> {
        self.queue.enqueue_new(tx, new).await
    }
}

/// Whether a call's effects are real.
pub(crate) fn mode_of(call: CallMode) -> Mode {
    match call {
        CallMode::Simulated => Mode::Simulated,
        CallMode::Test => Mode::Test,
        CallMode::Production => Mode::Live,
    }
}

/// All jobs about one booking run one after the other.
pub(crate) fn booking_group(booking: &BookingId) -> String {
    format!("booking:{booking}")
}
