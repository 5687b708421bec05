//! Scopes: which part of the world one exhaustive check covers.
//!
//! Everything at once has too many states. Each scope has two processes and three jobs, and allows some kinds of
//! events any number of times and some faults as often as its budget says.

use crate::state::{Budget, Outcome};

/// What a job is, besides its row.
#[derive(Debug, Clone, Copy, Default)]
pub struct JobSpec {
    /// It is stored and due at the start.
    pub stored: bool,
    /// Somebody may request it.
    pub requested: bool,
    pub dedup: Option<u8>,
    pub once: Option<u8>,
    pub group: Option<u8>,
    /// Holds back younger jobs of its group even while it waits.
    pub strict: bool,
    pub max_attempts: u8,
    /// Its handler performs the effect.
    pub effect: bool,
    /// It is the job of the schedule's occurrence, fired by the process of the same number.
    pub occurrence: bool,
}

/// The engine on which claims run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// One writer: a claim is atomic.
    Sqlite,
    /// A claim reads a snapshot and locks its rows before it writes them.
    Postgres,
}

/// One exhaustive check.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    pub name: &'static str,
    pub jobs: [JobSpec; 3],
    /// How handlers may end.
    pub outcomes: &'static [Outcome],
    pub engine: Engine,
    /// Slots of a process.
    pub slots: usize,
    pub budget: Budget,
    /// Only a hint makes a dispatcher claim, and time does not pass while one is on its way.
    pub hints: bool,
    /// Process 1 runs at the start. Otherwise it may be started at any time.
    pub both: bool,
}

const PLAIN: JobSpec = JobSpec {
    stored: true,
    requested: false,
    dedup: None,
    once: None,
    group: None,
    strict: false,
    max_attempts: 2,
    effect: false,
    occurrence: false,
};
const NEW: JobSpec = JobSpec { stored: false, requested: true, ..PLAIN };
const NONE: JobSpec = JobSpec { stored: false, ..PLAIN };
const EFFECT: JobSpec = JobSpec { effect: true, max_attempts: 1, ..PLAIN };
const NO_FAULTS: Budget = Budget { kills: 0, pauses: 0, stops: 0, jumps: 0, drops: 0, people: 0 };

const BASE: Scope = Scope {
    name: "",
    jobs: [PLAIN; 3],
    outcomes: &[Outcome::Done],
    engine: Engine::Sqlite,
    slots: 2,
    budget: NO_FAULTS,
    hints: false,
    both: true,
};

/// The scopes that every run of the tests checks. Together they contain every step and every promise.
pub const SCOPES: [Scope; 15] = [
    // A process with several runs, of the same job as well, freezes.
    Scope { name: "runs", budget: Budget { pauses: 1, ..NO_FAULTS }, ..BASE },
    // Claims, renewals, results and rescues while processes die and freeze.
    Scope { name: "leases", budget: Budget { kills: 1, pauses: 1, ..NO_FAULTS }, slots: 1, ..BASE },
    // A run is lost inside a living process.
    Scope { name: "dropped runs", budget: Budget { kills: 1, drops: 1, ..NO_FAULTS }, slots: 1, ..BASE },
    // A job that takes its process with it again and again.
    Scope { name: "crashes", budget: Budget { kills: 3, ..NO_FAULTS }, slots: 1, ..BASE },
    // The server's clock is set, forward or back, while processes start and freeze.
    Scope { name: "clocks", budget: Budget { pauses: 1, jumps: 1, ..NO_FAULTS }, slots: 1, both: false, ..BASE },
    // The same while a process dies.
    Scope { name: "clocks and crashes", budget: Budget { kills: 1, jumps: 1, ..NO_FAULTS }, slots: 1, ..BASE },
    // Failures and polls, and people who cancel and retry.
    Scope {
        name: "people",
        outcomes: &[Outcome::Done, Outcome::Fail, Outcome::FailForGood],
        budget: Budget { people: 2, ..NO_FAULTS },
        slots: 1,
        ..BASE
    },
    // Shutdowns and crashes, polls, and a person.
    Scope {
        name: "shutdowns",
        outcomes: &[Outcome::Done, Outcome::Poll],
        budget: Budget { stops: 1, people: 1, ..NO_FAULTS },
        slots: 1,
        ..BASE
    },
    // Requests with keys: gathered, committed, answered, while the process that takes them dies.
    Scope {
        name: "keys",
        jobs: [
            JobSpec { dedup: Some(1), ..NEW },
            JobSpec { dedup: Some(1), once: Some(1), ..NEW },
            JobSpec { once: Some(1), ..NEW },
        ],
        outcomes: &[Outcome::Done, Outcome::FailForGood],
        budget: Budget { kills: 1, people: 1, ..NO_FAULTS },
        slots: 1,
        ..BASE
    },
    // Groups, on the engine on which two claims overlap.
    Scope {
        name: "groups",
        jobs: [
            JobSpec { group: Some(1), ..PLAIN },
            JobSpec { group: Some(1), strict: true, ..PLAIN },
            JobSpec { group: Some(1), ..PLAIN },
        ],
        outcomes: &[Outcome::Done, Outcome::Fail],
        engine: Engine::Postgres,
        budget: Budget { kills: 1, people: 1, ..NO_FAULTS },
        ..BASE
    },
    // An effect of several jobs, while processes freeze at any step.
    Scope {
        name: "effects",
        jobs: [EFFECT, EFFECT, EFFECT],
        budget: Budget { pauses: 1, ..NO_FAULTS },
        slots: 1,
        ..BASE
    },
    // The same while processes die, with a person who retries what was refused.
    Scope {
        name: "effects retried",
        jobs: [EFFECT, EFFECT, NONE],
        budget: Budget { kills: 1, people: 1, ..NO_FAULTS },
        slots: 1,
        ..BASE
    },
    // Hints: a due job does not wait for time to pass.
    Scope {
        name: "hints",
        jobs: [PLAIN, NEW, NEW],
        outcomes: &[Outcome::Done, Outcome::Fail],
        slots: 1,
        hints: true,
        ..BASE
    },
    // The same with a group and free slots.
    Scope {
        name: "hints of a group",
        jobs: [
            JobSpec { group: Some(1), ..PLAIN },
            JobSpec { group: Some(1), ..NEW },
            JobSpec { group: Some(1), ..NEW },
        ],
        outcomes: &[Outcome::Done, Outcome::Fail],
        hints: true,
        ..BASE
    },
    // Two schedulers and one occurrence.
    Scope {
        name: "occurrences",
        jobs: [JobSpec { occurrence: true, ..NONE }, JobSpec { occurrence: true, ..NONE }, PLAIN],
        budget: Budget { kills: 1, ..NO_FAULTS },
        ..BASE
    },
];

/// Scopes with more faults at a time, which take minutes: for checks by hand after a change of the protocol.
pub const WIDE_SCOPES: [Scope; 4] = [
    Scope { name: "runs, wide", budget: Budget { kills: 1, pauses: 1, drops: 1, ..NO_FAULTS }, ..BASE },
    Scope {
        name: "leases, wide",
        budget: Budget { kills: 2, pauses: 1, drops: 1, ..NO_FAULTS },
        outcomes: &[Outcome::Done, Outcome::Fail],
        slots: 1,
        ..BASE
    },
    Scope {
        name: "clocks, wide",
        budget: Budget { kills: 1, pauses: 1, jumps: 1, ..NO_FAULTS },
        slots: 1,
        both: false,
        ..BASE
    },
    Scope {
        name: "effects, wide",
        jobs: [EFFECT, EFFECT, NONE],
        budget: Budget { kills: 1, pauses: 1, people: 1, ..NO_FAULTS },
        slots: 1,
        ..BASE
    },
];
