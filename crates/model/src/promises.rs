//! The promises: what holds in every state that can be reached.

use crate::protocol::Protocol;
use crate::state::{CRASHES_MAX, JOBS, Ledger, Life, Phase, Request, Row, State, Up};

/// A promise and the function that says whether it holds in a state.
pub type Promise = (&'static str, fn(&Protocol, &State) -> bool);

/// All promises.
pub const PROMISES: [Promise; 17] = [
    ("no job is taken from a process that lives", |_, state| !state.seen.living_robbed),
    ("a late result changes nothing", |_, state| !state.seen.late_result),
    ("a job that has ended stays ended, unless a person retries it", |_, state| !state.seen.ended_changed),
    ("a job that is to be cancelled does not wait again", |_, state| !state.seen.cancel_forgotten),
    ("a lease is renewed only while its run exists", |_, state| !state.seen.renewed_for_nobody),
    ("of a group, the oldest due job is claimed first", |_, state| !state.seen.overtaken),
    ("a job has at most one run that may store a result", one_rightful_run),
    ("failures and the success are counted, and nothing else", |_, state| {
        state.rows.iter().all(|row| row.attempts == row.failures + u8::from(row.life == Life::Succeeded))
    }),
    ("attempts stay within their limit", |protocol, state| {
        state.rows.iter().enumerate().all(|(job, row)| row.attempts <= protocol.spec(job).max_attempts)
    }),
    ("lost leases are counted, and the third one ends the job", |_, state| {
        state.rows.iter().all(|row| row.crashes == row.losses && (row.crashes < CRASHES_MAX || row.life == Life::Dead))
    }),
    ("a dedup key is unique among unfinished jobs", |protocol, state| {
        unique(state, |job, row| protocol.spec(job).dedup.filter(|_| row.life.is_unfinished()))
    }),
    ("a once key is unique for ever", |protocol, state| {
        unique(state, |job, row| protocol.spec(job).once.filter(|_| row.life != Life::Absent))
    }),
    ("of a group, one job runs at a time", |protocol, state| {
        unique(state, |job, row| protocol.spec(job).group.filter(|_| row.life == Life::Running))
    }),
    ("an occurrence has one job", |protocol, state| {
        unique(state, |job, row| (protocol.spec(job).occurrence && row.life != Life::Absent).then_some(0))
    }),
    ("what was acknowledged is stored", acknowledged),
    ("an effect happens at most once, and a job that has succeeded has its effect", |protocol, state| {
        let succeeded = |job: usize| protocol.spec(job).effect && state.rows[job].life == Life::Succeeded;
        state.effect.done <= 1
            && (!(0..JOBS).any(succeeded) || (state.effect.ledger == Ledger::Confirmed && state.effect.done == 1))
    }),
    ("a due job never waits for nothing", nothing_is_stuck),
];

fn unique(state: &State, key: impl Fn(usize, &Row) -> Option<u8>) -> bool {
    let mut seen = 0_u32;
    state.rows.iter().enumerate().filter_map(|(job, row)| key(job, row)).all(|key| {
        let fresh = seen & 1 << key == 0;
        seen |= 1 << key;
        fresh
    })
}

fn one_rightful_run(_: &Protocol, state: &State) -> bool {
    (0..JOBS).all(|job| {
        let runs = state.processes.iter().flat_map(|process| process.runs());
        runs.filter(|(_, run)| usize::from(run.job) == job && run.rightful).count() <= 1
    })
}

fn acknowledged(protocol: &Protocol, state: &State) -> bool {
    let same = |job: usize, other: usize| {
        let (spec, as_well) = (protocol.spec(job), protocol.spec(other));
        (spec.dedup.is_some() && spec.dedup == as_well.dedup) || (spec.once.is_some() && spec.once == as_well.once)
    };
    (0..JOBS)
        .filter(|job| state.requests[*job] == Request::Answered)
        .all(|job| (0..JOBS).any(|other| state.rows[other].life != Life::Absent && (other == job || same(job, other))))
}

/// When only faults and people could change anything, all jobs have ended. With hints, a job that could be claimed does
/// not even wait for time to pass.
fn nothing_is_stuck(protocol: &Protocol, state: &State) -> bool {
    if protocol.scope.hints && protocol.time_may_pass(state) {
        let free = |process: &crate::state::Process| {
            let waits_for_a_write = process.runs().any(|(_, run)| matches!(run.phase, Phase::Ended { .. }));
            process.up == Up::Serving && !process.paused && !waits_for_a_write && process.free(protocol.scope.slots) > 0
        };
        if state.processes.iter().any(free) && !protocol.claimable(state, 1).is_empty() {
            return false;
        }
    }
    if !state.rows.iter().any(|row| row.life.is_unfinished()) {
        return true;
    }
    protocol.steps(state).iter().any(|step| !step.is_from_outside() && protocol.take(state, step) != *state)
}
