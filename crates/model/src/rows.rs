//! What the statements do to the rows: the conditions and changes of the queue's SQL.

use crate::defect::Defect;
use crate::protocol::Protocol;
use crate::state::{CRASHES_MAX, JOBS, LEASE, LeaseId, Life, Outcome, PROCESSES, Phase, Row, State};

/// Ids of leases of process `p` are `p * LEASE_IDS ..`.
const LEASE_IDS: u8 = 8;

/// Returns the process to which a lease was given.
pub fn owner(lease: LeaseId) -> usize {
    usize::from(lease / LEASE_IDS)
}

/// The job goes back to wait, or is cancelled if that was requested.
fn wait_again(row: &mut Row, life: Life, due: i8, now: i8) {
    if row.cancel_requested {
        row.life = Life::Cancelled;
    } else {
        *row = Row { life, due, waiting: due > now, ..*row };
    }
}

fn release_lease(row: &mut Row) {
    (row.lease, row.until) = (None, 0);
}

impl Protocol {
    /// Returns a lease id that nobody refers to.
    pub(crate) fn new_lease(&self, state: &State, process: usize) -> LeaseId {
        let first = u8::try_from(process).unwrap_or(0) * LEASE_IDS;
        if self.has(Defect::OneLeaseForEver) {
            return first + LEASE_IDS - 1;
        }
        let known = |lease: LeaseId| {
            state.rows.iter().any(|row| row.lease == Some(lease))
                || state.processes.iter().any(|process| {
                    process.runs().any(|(_, run)| run.lease == lease)
                        || process.lost.is_some_and(|lost| lost.lease == lease)
                })
        };
        (first..first + LEASE_IDS - 1).find(|lease| !known(*lease)).unwrap_or(first)
    }

    /// Returns whether a transaction has locked the row.
    pub(crate) fn is_locked(state: &State, job: usize) -> bool {
        state.processes.iter().any(|process| process.picked & 1 << job != 0)
    }

    fn same_group(&self, job: usize, other: usize) -> bool {
        job != other && self.spec(job).group.is_some() && self.spec(job).group == self.spec(other).group
    }

    /// Returns whether another job of the group must run first.
    pub(crate) fn is_held_back(&self, state: &State, job: usize) -> bool {
        (0..JOBS).filter(|other| self.same_group(job, *other)).any(|other| {
            let row = &state.rows[other];
            row.life == Life::Running || (other < job && row.life.waits() && (self.spec(other).strict || !row.waiting))
        })
    }

    /// Returns the jobs that a claim takes, at most `free`.
    pub(crate) fn claimable(&self, state: &State, free: usize) -> Vec<usize> {
        let may = |job: &usize| {
            let row = &state.rows[*job];
            if !row.life.waits() || row.waiting || Self::is_locked(state, *job) {
                return false;
            }
            if self.has(Defect::GroupsForgotten) {
                return true;
            }
            if self.has(Defect::GroupsWithoutOrder) {
                return !(0..JOBS).any(|other| self.same_group(*job, other) && state.rows[other].life == Life::Running);
            }
            !self.is_held_back(state, *job)
        };
        let mut jobs: Vec<usize> = (0..JOBS).filter(may).take(free).collect();
        if self.has(Defect::GroupsWithoutOrder) {
            jobs.reverse();
            let first = jobs.first().copied();
            jobs.retain(|job| Some(*job) == first || !first.is_some_and(|first| self.same_group(*job, first)));
        }
        jobs
    }

    /// Claims the jobs under one lease.
    pub(crate) fn claim(&self, state: &mut State, process: usize, jobs: &[usize]) -> LeaseId {
        let lease = self.new_lease(state, process);
        let until = state.processes[process].ahead + LEASE;
        for job in jobs {
            let row = &mut state.rows[*job];
            *row = Row { life: Life::Running, lease: Some(lease), until, due: 0, ..*row };
        }
        lease
    }

    /// Returns whether the unique index refuses that these jobs run as well.
    pub(crate) fn index_refuses(&self, state: &State, jobs: &[usize]) -> bool {
        let ignored = self.has(Defect::NoIndexOnRunningGroups) || self.has(Defect::GroupsForgotten);
        !ignored
            && jobs.iter().any(|job| {
                (0..JOBS).any(|other| self.same_group(*job, other) && state.rows[other].life == Life::Running)
            })
    }

    /// Returns whether another unfinished job has the job's dedup key, or another job its once key.
    pub(crate) fn is_duplicate(&self, state: &State, job: usize) -> bool {
        (0..JOBS).filter(|other| *other != job).any(|other| {
            let (row, spec, key) = (&state.rows[other], self.spec(other), self.spec(job));
            (key.dedup.is_some()
                && key.dedup == spec.dedup
                && row.life.is_unfinished()
                && !self.has(Defect::DedupSkipped))
                || (key.once.is_some()
                    && key.once == spec.once
                    && row.life != Life::Absent
                    && !self.has(Defect::OnceSkipped))
        })
    }

    /// Applies the end of an attempt to the row. `now` is the time of the process.
    pub(crate) fn end(&self, job: usize, row: &mut Row, outcome: Outcome, now: i8) {
        match outcome {
            Outcome::Done => {
                row.attempts += 1;
                row.life = Life::Succeeded;
            }
            Outcome::Fail | Outcome::FailForGood => {
                row.attempts += u8::from(!self.has(Defect::FailuresNotCounted));
                row.failures += 1;
                if outcome == Outcome::Fail && row.attempts < self.spec(job).max_attempts {
                    wait_again(row, Life::Retrying, now + 1, now);
                } else {
                    row.life = Life::Dead;
                }
            }
            Outcome::Poll => {
                row.polls += 1;
                row.attempts += u8::from(self.has(Defect::PollsSpendAttempts));
                wait_again(row, Life::Queued, now + 1, now);
            }
            Outcome::Release => {
                row.attempts += u8::from(self.has(Defect::ShutdownSpendsAttempts));
                wait_again(row, Life::Queued, now, now);
            }
        }
        release_lease(row);
    }

    /// Applies the loss of a lease.
    pub(crate) fn lose(&self, row: &mut Row, now: i8) {
        row.crashes += u8::from(!self.has(Defect::LostLeasesNotCounted));
        row.losses += 1;
        if row.crashes >= CRASHES_MAX && !self.has(Defect::LostForEver) {
            row.life = Life::Dead;
        } else {
            wait_again(row, Life::Queued, now, now);
        }
        release_lease(row);
    }

    /// Retries a job for a person. Returns false if that is refused.
    pub(crate) fn retry(&self, state: &mut State, job: usize) -> bool {
        let life = state.rows[job].life;
        let allowed = life.waits() || matches!(life, Life::Dead | Life::Cancelled);
        let dedup = self.spec(job).dedup;
        let taken = dedup.is_some()
            && (0..JOBS)
                .any(|other| other != job && self.spec(other).dedup == dedup && state.rows[other].life.is_unfinished());
        if !allowed || Self::is_locked(state, job) || (taken && !self.has(Defect::RetryIgnoresKeys)) {
            return false;
        }
        state.rows[job] = Row { polls: state.rows[job].polls, ..Row::DUE };
        true
    }
}

/// Brings times that make no difference to one value, so that equal worlds are equal states.
pub(crate) fn normalise(state: &mut State, hints: bool) {
    let mut floor = 0;
    if state.left.jumps > 0 {
        floor = -crate::state::JUMP;
    }
    for process in &mut state.processes {
        if !hints {
            (process.woken, process.outgoing, process.backlog, process.promoted) = (false, false, false, false);
        }
        if process.runs().next().is_none() {
            (process.renewed, process.slept) = (false, false);
        }
        if process.ahead == 0 {
            process.unnoticed = 0;
        }
        floor = floor.min(process.ahead);
    }
    for run in state.processes.iter_mut().flat_map(|process| process.runs.iter_mut().flatten()) {
        if !matches!(run.phase, Phase::Answered(_)) && !matches!(run.phase, Phase::Permit { .. }) {
            run.asked_last = false;
        }
    }
    let ceiling = if state.processes.iter().all(|process| process.ahead <= 0) { 2 * LEASE + 1 } else { i8::MAX };
    for row in &mut state.rows {
        row.until = if row.life == Life::Running { row.until.max(floor).min(ceiling) } else { 0 };
        if row.life.waits() && row.waiting {
            row.due = row.due.max(floor);
        } else {
            (row.due, row.waiting) = (0, false);
        }
    }
    for process in 0..PROCESSES {
        if let Some(lost) = &mut state.processes[process].lost {
            lost.now = lost.now.max(floor);
        }
    }
}
