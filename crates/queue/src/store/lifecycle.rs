//! The life of a job: (life, event, now) -> life.
//!
//! A pure function without I/O. Every change of a job's state in the database is one of these transitions; the
//! statements that write them only add the fence (a finish must hold the lease it was claimed with).
//!
//! ```text
//!            claim              done, skip
//!  queued ----------> running ------------> succeeded
//!    ^  ^               | | |
//!    |  +- release,-----+ | +-- fail (last attempt, permanent), third lost lease --> dead
//!    |     poll,          |
//!    |     lost lease     +-- fail (attempts left) --> retrying -- claim --> running
//!    |
//!    +-- retry by ops -- dead, cancelled, retrying          cancel: queued, retrying --> cancelled
//! ```

use std::fmt;
use std::str::FromStr;

use nightshift_db::{Timestamp, sabotage};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::job::ErrorClass;

/// Leases a job may lose before it is taken for one that kills its process.
pub const CRASHES_MAX: i64 = 3;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[schema(as = JobState)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits to be claimed, now or from `run_at` on.
    Queued,
    /// A worker holds it under a lease.
    Running,
    /// Failed before and waits for its next attempt.
    Retrying,
    /// Done.
    Succeeded,
    /// Gave up; waits for a person.
    Dead,
    /// Ended by a person.
    Cancelled,
}

impl State {
    /// All states.
    pub const ALL: [State; 6] =
        [Self::Queued, Self::Running, Self::Retrying, Self::Succeeded, Self::Dead, Self::Cancelled];

    /// The text stored in the database.
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

    /// Whether the job has ended.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Dead | Self::Cancelled)
    }

    /// Whether the job has ended without success.
    #[must_use]
    pub fn ended_in_vain(self) -> bool {
        matches!(self, Self::Dead | Self::Cancelled)
    }

    /// Whether the job waits to be claimed.
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

/// The text names no state.
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
    /// Where it stands.
    pub state: State,
    /// Ended attempts that count: failures and the success. Polls, releases and lost leases do not.
    pub attempts: i64,
    /// Failures after which it is dead.
    pub max_attempts: i64,
    /// Leases lost.
    pub crashes: i64,
    /// Times the handler asked to be called again.
    pub polls: i64,
    /// Not before.
    pub run_at: Timestamp,
    /// A poll may not go on beyond this.
    pub poll_deadline: Option<Timestamp>,
    /// A person wants it ended; it is as soon as it would wait again.
    pub cancel_requested: bool,
    /// Its payload could not be read; nobody claims it until it is released.
    pub parked: bool,
}

/// What happens to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A worker takes it.
    Claim,
    /// The handler is done, or found nothing to do any more.
    Done,
    /// The handler asks to be called again at `at`; the first poll sets the deadline.
    Poll {
        /// When to call again.
        at: Timestamp,
        /// Deadline of the whole polling, if the handler gave one.
        until: Option<Timestamp>,
    },
    /// The attempt failed. With `retry_at` it may be tried again, without it is over.
    Fail {
        /// What kind of failure.
        class: ErrorClass,
        /// When to try again, unless the failure is permanent.
        retry_at: Option<Timestamp>,
    },
    /// The lease ran out: the process died, hung or was cut off.
    LeaseLost,
    /// The worker gives it back unstarted or interrupted, at shutdown.
    Release,
    /// The payload could not be read.
    Park,
    /// A person ends it.
    Cancel,
    /// A person starts it anew, with a fresh budget of attempts.
    Retry {
        /// Not before.
        run_at: Timestamp,
    },
    /// Something it waits for has happened: run it now instead of at `run_at`.
    RunNow,
}

/// Why an event does not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The job has ended.
    #[error("the job has already ended")]
    Final,
    /// The event is for running jobs.
    #[error("the job is not running")]
    NotRunning,
    /// The event is for jobs that wait.
    #[error("the job is running")]
    Running,
    /// The job is not due, or parked.
    #[error("the job is not due")]
    NotDue,
    /// A job that succeeded can't be tried again.
    #[error("the job has succeeded")]
    Succeeded,
}

/// How an ended attempt goes into the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// It failed.
    Failed(ErrorClass),
    /// It was running when a person ended it.
    Cancelled,
}

/// The result of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The job afterwards.
    pub life: Life,
    /// The attempt that goes into the history, if one ended without success.
    pub attempt: Option<AttemptOutcome>,
}

impl Change {
    /// Whether this event killed the job.
    #[must_use]
    pub fn died(&self) -> bool {
        self.life.state == State::Dead
    }

    /// Whether this event ended the job without success: what the job is about must hear of it.
    #[must_use]
    pub fn ended_in_vain(&self) -> bool {
        self.life.state.ended_in_vain()
    }
}

/// Applies `event` at `now`.
///
/// # Errors
/// [`Refusal`] when the event does not fit the job's state; the job is unchanged then.
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

/// The job would wait; a wish to cancel it ends it instead.
fn wait_again(life: &mut Life, state: State, run_at: Timestamp) {
    if life.cancel_requested {
        life.state = State::Cancelled;
    } else {
        life.state = state;
        life.run_at = run_at;
    }
}
