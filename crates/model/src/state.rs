//! The state of the modelled world: the rows, the processes, the provider and what the observer of the promises notes.
//!
//! All times are whole ticks relative to the database server's present time, so that worlds that differ only in the date
//! are the same state. A tick stands for some ten seconds. Only the order of the durations matters: a lease outlasts a
//! renewal, a pause outlasts what others need to notice a step, a proof comes after the end of a permit.

/// Jobs in the model.
pub const JOBS: usize = 3;
/// Processes in the model.
pub const PROCESSES: usize = 2;
/// Runs that a process can hold at a time.
pub const RUNS: usize = 2;

/// How long a lease lasts. It is renewed in every tick.
pub const LEASE: i8 = 2;
/// A running process agrees with the server on the time at least this often.
pub const NOTICE: i8 = 2;
/// How long a process looks for no lost leases after it has noticed that a clock was set: no less than [`NOTICE`].
pub const PAUSE_AFTER_STEP: i8 = 2;
/// How long a process looks for no lost leases after its start: no less than [`NOTICE`].
pub const PAUSE_AFTER_START: i8 = 2;
/// By how much the server's clock is set: more than two leases.
pub const JUMP: i8 = 6;
/// The lost leases after which a job is dead.
pub const CRASHES_MAX: u8 = 3;
/// How long after the commit of an intent its request may still be sent.
pub const PERMIT: u8 = 1;
/// How long after the commit of an intent the provider's list proves that nothing was sent: more than [`PERMIT`].
pub const PROOF: u8 = 2;

/// What a job's column `state` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Life {
    /// There is no row yet.
    Absent,
    Queued,
    Running,
    Retrying,
    Succeeded,
    Dead,
    Cancelled,
}

impl Life {
    pub fn waits(self) -> bool {
        matches!(self, Self::Queued | Self::Retrying)
    }

    pub fn is_unfinished(self) -> bool {
        self.waits() || self == Self::Running
    }

    pub fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Dead | Self::Cancelled)
    }
}

/// Identifies a claim. A number that nobody refers to any more is used again.
pub type LeaseId = u8;

/// A row of `jobs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Row {
    pub life: Life,
    /// `run_at`.
    pub due: i8,
    /// `run_at` was ahead when it was last written, and no process has noticed yet that it has passed.
    pub waiting: bool,
    pub attempts: u8,
    pub crashes: u8,
    pub polls: u8,
    pub cancel_requested: bool,
    /// `lease_id`, while it runs.
    pub lease: Option<LeaseId>,
    /// `leased_until`, while it runs.
    pub until: i8,
    /// Noted by the observer: failed attempts and lost leases since the last manual retry.
    pub failures: u8,
    pub losses: u8,
}

impl Row {
    pub const ABSENT: Self = Self {
        life: Life::Absent,
        due: 0,
        waiting: false,
        attempts: 0,
        crashes: 0,
        polls: 0,
        cancel_requested: false,
        lease: None,
        until: 0,
        failures: 0,
        losses: 0,
    };

    /// A job that is due.
    pub const DUE: Self = Self { life: Life::Queued, ..Self::ABSENT };
}

/// How a request to enqueue a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Request {
    /// Not made yet.
    None,
    /// In the memory of the process that takes requests, to be written with the next commit.
    Gathered,
    /// Committed, as a new job or as a duplicate.
    Committed,
    /// Answered with a success.
    Answered,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    Done,
    /// Failed, to be tried again if attempts are left.
    Fail,
    FailForGood,
    /// To be called again later.
    Poll,
    /// Given back at shutdown.
    Release,
}

/// What the provider answered to a request, or what asking it about the request has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    Taken,
    Refused,
    NotSent,
    /// The answer was lost.
    Unclear,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    Working,
    /// The intent is committed, `age` ticks ago, and the request not sent.
    Permit {
        age: u8,
    },
    /// An earlier attempt may have sent the request.
    Unclear,
    Answered(Answer),
    /// The result waits to be written; if `cancel`, as the end of a cancelled job.
    Ended {
        outcome: Outcome,
        cancel: bool,
    },
}

/// A claimed job in the memory of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Run {
    pub job: u8,
    pub lease: LeaseId,
    pub phase: Phase,
    /// The row in the ledger still stands for the request that this run made or has asked about.
    pub asked_last: bool,
    /// Noted by the observer: the job was not taken from this run.
    pub rightful: bool,
}

/// Whether a process exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Up {
    Down,
    Serving,
    /// It claims nothing more, and ends when it holds no runs.
    Stopping,
}

/// A job that was seen with an expired lease and is about to be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lost {
    pub job: u8,
    pub lease: LeaseId,
    /// Its `leased_until` is no longer the one that was seen.
    pub renewed: bool,
    /// Somebody had requested to cancel it when it was seen.
    pub cancel: bool,
    /// The time at which it was seen, by this process's clock.
    pub now: i8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Process {
    pub up: Up,
    /// Frozen: it does nothing, and does not know.
    pub paused: bool,
    /// By how much its clock is ahead of the server's. Not zero from a jump of the server's clock until it is noticed.
    pub ahead: i8,
    /// Ticks since that jump.
    pub unnoticed: i8,
    /// Ticks until it looks for lost leases again.
    pub looks_in: i8,
    /// Its leases were renewed in this tick.
    pub renewed: bool,
    pub runs: [Option<Run>; RUNS],
    /// Rows that its claim has locked (PostgreSQL): bits by job.
    pub picked: u8,
    pub lost: Option<Lost>,
    /// For each job, the ticks for which its lease was seen to expire too late.
    pub far: [i8; JOBS],
    /// A hint to claim has arrived.
    pub woken: bool,
    /// It has marked jobs as claimable since its last claim.
    pub promoted: bool,
    /// A hint for the other processes is to be sent.
    pub outgoing: bool,
    /// The last claim filled all slots.
    pub backlog: bool,
    /// Noted by the observer: paused since it last renewed its leases by the right time.
    pub slept: bool,
}

impl Process {
    pub const STARTED: Self = Self {
        up: Up::Serving,
        paused: false,
        ahead: 0,
        unnoticed: 0,
        looks_in: PAUSE_AFTER_START,
        renewed: false,
        runs: [None; RUNS],
        picked: 0,
        lost: None,
        far: [0; JOBS],
        woken: true,
        promoted: false,
        outgoing: false,
        backlog: false,
        slept: false,
    };

    pub const DOWN: Self = Self { up: Up::Down, looks_in: 0, woken: false, ..Self::STARTED };

    pub fn acts(&self) -> bool {
        self.up != Up::Down && !self.paused
    }

    pub fn runs(&self) -> impl Iterator<Item = (usize, &Run)> {
        self.runs.iter().enumerate().filter_map(|(place, run)| run.as_ref().map(|run| (place, run)))
    }

    pub fn free(&self, slots: usize) -> usize {
        slots.saturating_sub(self.runs().count())
    }
}

/// The state of an effect in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ledger {
    None,
    Reserved,
    Asked,
    Unknown,
    Confirmed,
    Refused,
}

/// An effect: its row in the ledger, and the provider's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Effect {
    pub ledger: Ledger,
    /// Ticks since `asked_at`, up to [`PROOF`].
    pub age: u8,
    /// How often the provider has done it.
    pub done: u8,
}

/// Faults and interventions that may still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Budget {
    pub kills: u8,
    pub pauses: u8,
    pub stops: u8,
    pub jumps: u8,
    /// Runs that are dropped inside a living process.
    pub drops: u8,
    /// Actions of people.
    pub people: u8,
}

/// What must never happen, noted when it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Seen {
    /// A job was taken from a process that lives and renews its leases.
    pub living_robbed: bool,
    /// A result was stored of a run from which its job had been taken.
    pub late_result: bool,
    /// A job that had ended was changed by something other than a manual retry.
    pub ended_changed: bool,
    /// A job that was to be cancelled waits again.
    pub cancel_forgotten: bool,
    /// A lease was renewed of which no run exists.
    pub renewed_for_nobody: bool,
    /// A job was claimed before an older one of its group that was due.
    pub overtaken: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    pub rows: [Row; JOBS],
    pub requests: [Request; JOBS],
    pub processes: [Process; PROCESSES],
    pub effect: Effect,
    /// The occurrence of the schedule has its row.
    pub fired: bool,
    pub left: Budget,
    pub seen: Seen,
}

/// Returns whether the lease expires later than any lease can.
pub fn is_far(row: &Row, process: &Process) -> bool {
    row.life == Life::Running && row.until > process.ahead + 2 * LEASE
}
