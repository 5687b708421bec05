//! The state machine of a job: (life, event, now) -> life.
//!
//! A pure function without I/O. Every change of a job's state in the database is one of its transitions. The statements
//! that store them only add a check of the lease.
//!
//! ```text
//!            claim              done, skip
//!  queued ----------> running ------------> succeeded
//!    ^  ^               | | |
//!    |  +- release,-----+ | +-- fail (last attempt, permanent), third lost lease --> dead
//!    |     poll,          |
//!    |     lost lease     +-- fail (attempts left) --> retrying -- claim --> running
//!    |
//!    +-- operator's retry -- dead, cancelled, retrying          cancel: queued, retrying --> cancelled
//! ```

use std::fmt;
use std::str::FromStr;

use nightshift_db::{Timestamp, sabotage};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::job::ErrorClass;

/// Number of lost leases after which a job is dead, because it may be what kills its process.
pub const CRASHES_MAX: i64 = 3;

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[schema(as = JobState)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waiting for a worker, now or until its `runAt`.
    Queued,
    /// Being run by a worker under a lease.
    Running,
    /// Failed before, and waiting for its next attempt.
    Retrying,
    /// Finished successfully.
    Succeeded,
    /// Failed for good, and waiting for an operator.
    Dead,
    /// Cancelled by an operator.
    Cancelled,
}

impl State {
    /// All states.
    pub const ALL: [State; 6] =
        [Self::Queued, Self::Running, Self::Retrying, Self::Succeeded, Self::Dead, Self::Cancelled];

    /// Returns the text that is stored in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Succeeded => "succeeded",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns whether the job has ended.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Dead | Self::Cancelled)
    }

    /// Returns whether the job has ended without success.
    #[must_use]
    pub fn ended_without_success(self) -> bool {
        matches!(self, Self::Dead | Self::Cancelled)
    }

    /// Returns whether the job waits to be claimed.
    #[must_use]
    pub fn is_claimable(self) -> bool {
        matches!(self, Self::Queued | Self::Retrying)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The error of parsing a text that is not a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown state {0:?}; one of queued, running, retrying, succeeded, dead, cancelled")]
pub struct UnknownState(String);

impl FromStr for State {
    type Err = UnknownState;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| UnknownState(text.to_owned()))
    }
}

impl TryFrom<String> for State {
    type Error = UnknownState;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// The part of a job that events change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// The current state.
    pub state: State,
    /// Number of attempts that count: failures and the success. Polls, releases and lost leases don't count.
    pub attempts: i64,
    /// Number of failed attempts after which the job is dead.
    pub max_attempts: i64,
    /// Number of lost leases.
    pub crashes: i64,
    /// Number of polls: times that the handler asked to be called again.
    pub polls: i64,
    /// Time before which the job is not claimed.
    pub run_at: Timestamp,
    /// Time after which no poll may be scheduled. `None` for no deadline.
    pub poll_deadline: Option<Timestamp>,
    /// Whether an operator has requested to cancel the running job. It is cancelled instead of waiting again.
    pub cancel_requested: bool,
    /// Whether its payload could not be read. A parked job is not claimed until it is released.
    pub parked: bool,
}

/// An event in the life of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A worker claims it.
    Claim,
    /// The handler has finished, or found nothing left to do.
    Done,
    /// The handler asks to be called again.
    Poll {
        /// Time of the next call.
        at: Timestamp,
        /// Deadline of the whole polling. Ignored if an earlier poll set one.
        until: Option<Timestamp>,
    },
    /// The attempt failed.
    Fail {
        /// Class of the failure.
        class: ErrorClass,
        /// Time of the next attempt. `None` if the failure is permanent.
        retry_at: Option<Timestamp>,
    },
    /// The lease expired: the process died, hung or lost its connection.
    LeaseLost,
    /// The worker returns the job at shutdown, before or during its attempt.
    Release,
    /// The payload could not be read.
    Park,
    /// An operator cancels it.
    Cancel,
    /// An operator retries it, with all its attempts.
    Retry {
        /// Time before which the job is not claimed.
        run_at: Timestamp,
    },
    /// What the job waited for has happened: it becomes due now instead of at `run_at`.
    RunNow,
}

/// The reason why an event does not apply to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The job has ended.
    #[error("the job has already ended")]
    Final,
    /// The event applies only to running jobs.
    #[error("the job is not running")]
    NotRunning,
    /// The event does not apply to running jobs.
    #[error("the job is running")]
    Running,
    /// The job is not due, or it is parked.
    #[error("the job is not due")]
    NotDue,
    /// A job that has succeeded can't be retried.
    #[error("the job has succeeded")]
    Succeeded,
}

/// The outcome of an attempt in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// It failed.
    Failed(ErrorClass),
    /// It ended because an operator cancelled the job.
    Cancelled,
}

/// The result of applying an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The job after the event.
    pub life: Life,
    /// The outcome to record in the history. `None` unless the event ended an attempt without success.
    pub attempt: Option<AttemptOutcome>,
}

impl Change {
    /// Returns whether this event made the job dead.
    #[must_use]
    pub fn died(&self) -> bool {
        self.life.state == State::Dead
    }

    /// Returns whether this event ended the job without success, so that the kind's hooks must run.
    #[must_use]
    pub fn ended_without_success(&self) -> bool {
        self.life.state.ended_without_success()
    }
}

/// Applies `event` at the time `now`.
///
/// # Errors
/// [`Refusal`] if the event does not apply to the job's state.
pub fn apply(life: &Life, event: &Event, now: Timestamp) -> Result<Change, Refusal> {
    let mut next = life.clone();
    let mut attempt = None;
    match event {
        Event::Claim => {
            if life.state.is_final() {
                return Err(Refusal::Final);
            }
            if life.state == State::Running {
                return Err(Refusal::Running);
            }
            if life.parked || life.run_at > now {
                return Err(Refusal::NotDue);
            }
            next.state = State::Running;
        }
        Event::Done => {
            require_running(life)?;
            next.state = State::Succeeded;
            next.attempts += 1;
        }
        Event::Poll { at, until } => {
            require_running(life)?;
            next.poll_deadline = life.poll_deadline.or(*until);
            if next.poll_deadline.is_some_and(|deadline| *at > deadline) {
                next.state = State::Dead;
                next.attempts += 1;
                attempt = Some(AttemptOutcome::Failed(ErrorClass::Timeout));
            } else {
                next.polls += 1;
                next.attempts += i64::from(sabotage::is("polls_spend_attempts"));
                wait_again(&mut next, State::Queued, *at);
            }
        }
        Event::Fail { class, retry_at } => {
            require_running(life)?;
            next.attempts += i64::from(!sabotage::is("failures_not_counted"));
            attempt = Some(AttemptOutcome::Failed(*class));
            match retry_at {
                Some(at) if next.attempts < life.max_attempts => wait_again(&mut next, State::Retrying, *at),
                _ => next.state = State::Dead,
            }
        }
        Event::LeaseLost => {
            require_running(life)?;
            next.crashes += i64::from(!sabotage::is("lost_leases_not_counted"));
            attempt = Some(AttemptOutcome::Failed(ErrorClass::LeaseLost));
            if next.crashes >= CRASHES_MAX {
                next.state = State::Dead;
            } else {
                wait_again(&mut next, State::Queued, now);
            }
        }
        Event::Release => {
            require_running(life)?;
            next.attempts += i64::from(sabotage::is("shutdown_spends_attempts"));
            wait_again(&mut next, State::Queued, now);
        }
        Event::Park => {
            require_running(life)?;
            wait_again(&mut next, State::Queued, life.run_at);
            next.parked = next.state == State::Queued;
        }
        Event::Cancel => match life.state {
            state if state.is_final() => return Err(Refusal::Final),
            State::Running => next.cancel_requested = true,
            _ => next.state = State::Cancelled,
        },
        Event::Retry { run_at } => {
            match life.state {
                State::Running => return Err(Refusal::Running),
                State::Succeeded => return Err(Refusal::Succeeded),
                State::Queued | State::Retrying | State::Dead | State::Cancelled => {}
            }
            next = Life {
                state: State::Queued,
                attempts: 0,
                crashes: 0,
                run_at: *run_at,
                poll_deadline: None,
                cancel_requested: false,
                parked: false,
                ..next
            };
        }
        Event::RunNow => match life.state {
            state if state.is_final() => return Err(Refusal::Final),
            State::Running => return Err(Refusal::Running),
            _ => next.run_at = life.run_at.min(now),
        },
    }
    if next.state == State::Cancelled && life.state == State::Running {
        attempt = Some(AttemptOutcome::Cancelled);
    }
    Ok(Change { life: next, attempt })
}

fn require_running(life: &Life) -> Result<(), Refusal> {
    match life.state {
        State::Running => Ok(()),
        state if state.is_final() => Err(Refusal::Final),
        _ => Err(Refusal::NotRunning),
    }
}

/// Makes the job wait for `run_at`, or cancels it if that was requested.
fn wait_again(life: &mut Life, state: State, run_at: Timestamp) {
    if life.cancel_requested {
        life.state = State::Cancelled;
    } else {
        life.state = state;
        life.run_at = run_at;
    }
}
