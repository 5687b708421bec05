//! Enqueues jobs at scheduled times.
//!
//! A schedule is a cron expression in a zone's local time. Each occurrence has a row, unique by schedule, scope and
//! local time, and fires when its row is inserted. So any number of schedulers may run, and each occurrence has at most
//! one job. The latest occurrence is calculated from the current time ([`calendar`]), so a scheduler has no state to
//! lose: after a week without one, the latest occurrence fires once, marked as missed.

pub mod calendar;
mod overview;
mod slots;

use chrono::NaiveDateTime;
use chrono_tz::Tz;
use nightshift_db::Timestamp;

pub use calendar::{BadCron, Occurrence, Timetable};
pub use overview::{ScheduleView, ScopeView, SlotView, overview, set_enabled};
pub use slots::Scheduler;

use crate::job::{EnqueueError, NewJob};

/// The local time in which a schedule's cron expression is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneMode {
    /// UTC. The schedule has a single scope.
    Utc,
    /// The local time of each scope.
    PerScope,
    /// One local time for all scopes, which fire separately.
    PerScopeIn(Tz),
}

impl ZoneMode {
    /// Returns the time zone in which occurrences of a scope are due.
    #[must_use]
    pub fn of(self, scope: &Scope) -> Tz {
        match self {
            Self::Utc => Tz::UTC,
            Self::PerScope => scope.zone,
            Self::PerScopeIn(zone) => zone,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Utc => "utc",
            Self::PerScope | Self::PerScopeIn(_) => "org",
        }
    }
}

/// What happens to an occurrence if the job of the previous one has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// The occurrence is skipped, which its row records.
    Skip,
    /// The job is enqueued nevertheless.
    Queue,
}

impl Overlap {
    fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Queue => "queue",
        }
    }
}

/// A schedule.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// The stored name. It must never change.
    pub name: &'static str,
    /// The times at which it is due.
    pub timetable: Timetable,
    /// The local time in which the timetable is evaluated.
    pub zone: ZoneMode,
    /// What happens if the previous job has not ended.
    pub overlap: Overlap,
    /// The kind of its jobs.
    pub kind: &'static str,
    /// Creates the job of an occurrence.
    pub job: fn(&Due) -> Result<NewJob, EnqueueError>,
}

/// An owner of a local time, such as an organisation, for which schedules fire separately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The id of the owner. Empty for a schedule in UTC.
    pub id: String,
    /// The time zone.
    pub zone: Tz,
    /// Occurrences before this time don't fire.
    pub since: Timestamp,
}

/// An occurrence that is about to fire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The id of the scope. Empty for a schedule in UTC.
    pub scope: String,
    /// The local time.
    pub local: NaiveDateTime,
    /// The instant at which it was due.
    pub at: Timestamp,
    /// Whether it fires late, because no scheduler was running.
    pub missed: bool,
}
