//! Jobs by the clock.
//!
//! A schedule is a cron expression in a zone's local time. Each of its occurrences is a row, unique by schedule, scope
//! and local time, and inserting the row is what fires it: any number of schedulers may run, and each occurrence has
//! one job. Which occurrence is the latest is worked out from the present instant ([`calendar`]), so a scheduler keeps
//! nothing in memory that it could lose; one that was down for a week fires the latest occurrence, once, as missed.

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

/// Whose local time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneMode {
    /// UTC, once for all.
    Utc,
    /// That of each scope.
    PerScope,
}

impl ZoneMode {
    fn as_str(self) -> &'static str {
        match self {
            Self::Utc => "utc",
            Self::PerScope => "org",
        }
    }
}

/// What happens to an occurrence when the job of the one before has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// It is skipped; its row says so.
    Skip,
    /// Its job is enqueued all the same.
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

/// Something that happens by the clock.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Its name, for ever.
    pub name: &'static str,
    /// When.
    pub timetable: Timetable,
    /// In whose time.
    pub zone: ZoneMode,
    /// What if the last one still runs.
    pub overlap: Overlap,
    /// The kind of its jobs.
    pub kind: &'static str,
    /// The job of an occurrence.
    pub job: fn(&Due) -> Result<NewJob, EnqueueError>,
}

/// Somebody with a local time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Who; empty for a schedule in UTC.
    pub id: String,
    /// Where.
    pub zone: Tz,
    /// Occurrences before it are none of this scope's.
    pub since: Timestamp,
}

/// An occurrence that is to have its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Whose; empty for a schedule in UTC.
    pub scope: String,
    /// In local time.
    pub local: NaiveDateTime,
    /// When it was due.
    pub at: Timestamp,
    /// Whether it comes late, because no scheduler ran.
    pub missed: bool,
}
