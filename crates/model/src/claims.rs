//! What processes do with jobs: claims, results, renewals, and the rescue of lost jobs.

use crate::defect::Defect;
use crate::protocol::{Protocol, wake};
use crate::rows::owner;
use crate::state::{JOBS, LEASE, Life, Phase, Row, Run, State};

impl Protocol {
    pub(crate) fn claim_at_once(&self, state: &mut State, number: usize) {
        let free = state.processes[number].free(self.scope.slots);
        let jobs = self.claimable(state, free);
        self.note_overtaking(state, &jobs);
        // A claim that got as many as it asked for is followed by another one, at once or when a slot is free.
        let process = &mut state.processes[number];
        process.backlog = jobs.len() == free;
        process.woken = false;
        // What it has marked as claimable and may not be able to take is for the others.
        let promoted = std::mem::take(&mut process.promoted);
        process.outgoing |= promoted && process.backlog && !self.has(Defect::PromotedInSilence);
        self.begin_runs(state, number, &jobs);
    }

    pub(crate) fn begin_runs(&self, state: &mut State, number: usize, jobs: &[usize]) {
        let lease = self.claim(state, number, jobs);
        for job in jobs {
            let job = u8::try_from(*job).unwrap_or(0);
            let place = state.processes[number].runs.iter().position(Option::is_none);
            if let Some(place) = place {
                let run = Run { job, lease, phase: Phase::Working, asked_last: false, rightful: true };
                state.processes[number].runs[place] = Some(run);
            }
            note_new_expiry(state, usize::from(job));
        }
        // The renewal that is due in this tick includes it.
        state.processes[number].renewed |= state.processes[number].runs().count() == jobs.len();
    }

    pub(crate) fn note_overtaking(&self, state: &mut State, jobs: &[usize]) {
        for job in jobs {
            let older = |other: &usize| {
                other < job
                    && self.spec(*other).group.is_some()
                    && self.spec(*other).group == self.spec(*job).group
                    && state.rows[*other].life.waits()
                    && !state.rows[*other].waiting
                    && !Self::is_locked(state, *other)
            };
            state.seen.overtaken |= (0..JOBS).any(|other| older(&other));
        }
    }

    pub(crate) fn finish(&self, state: &mut State, number: usize, place: usize) {
        let Some(run) = state.processes[number].runs[place] else { return };
        let Phase::Ended { outcome, cancel } = run.phase else { return };
        let job = usize::from(run.job);
        let now = state.processes[number].ahead;
        let row = state.rows[job];
        let held = row.life == Life::Running && (row.lease == Some(run.lease) || self.has(Defect::FinishWithoutFence));
        if held {
            // The change was computed without knowledge of a request to cancel.
            let mut next = Row { cancel_requested: cancel, ..row };
            self.end(job, &mut next, outcome, now);
            if next.life.waits() && row.cancel_requested && !self.has(Defect::CancelRequestOverlooked) {
                return self.set_phase(state, number, place, Phase::Ended { outcome, cancel: true });
            }
            next.cancel_requested = row.cancel_requested;
            state.seen.late_result |= !run.rightful;
            state.rows[job] = next;
            self.take_from_others(state, job, number, place);
            let group = self.spec(job).group.is_some() && !self.has(Defect::GroupsAreNotFollowed);
            state.processes[number].woken |= group || (next.life.waits() && !next.waiting);
        }
        state.processes[number].runs[place] = None;
        let process = &mut state.processes[number];
        process.woken |= process.backlog && !self.has(Defect::FreedSlotsAreSilent);
    }

    /// The job no longer belongs to any other run.
    fn take_from_others(&self, state: &mut State, job: usize, process: usize, place: usize) {
        for (number, other) in state.processes.iter_mut().enumerate() {
            for (at, run) in other.runs.iter_mut().enumerate() {
                if let Some(run) = run.as_mut().filter(|run| usize::from(run.job) == job)
                    && (number, at) != (process, place)
                {
                    run.rightful = false;
                }
            }
        }
    }

    pub(crate) fn renew(&self, state: &mut State, number: usize) {
        let ahead = state.processes[number].ahead;
        for place in 0..state.processes[number].runs.len() {
            let Some(run) = state.processes[number].runs[place] else { continue };
            let row = &mut state.rows[usize::from(run.job)];
            if row.life == Life::Running && row.lease == Some(run.lease) {
                row.until = ahead + LEASE;
                note_new_expiry(state, usize::from(run.job));
            } else if !matches!(run.phase, Phase::Ended { .. }) {
                // The lease is lost: the handler is stopped and nothing is written.
                state.processes[number].runs[place] = None;
            }
        }
        if self.has(Defect::RenewalWithoutRuns) {
            for job in 0..JOBS {
                let mine = state.rows[job].lease.is_some_and(|lease| owner(lease) == number);
                if mine {
                    let held = state.processes[number].runs().any(|(_, run)| usize::from(run.job) == job);
                    state.rows[job].until = ahead + LEASE;
                    state.seen.renewed_for_nobody |= !held;
                }
            }
        }
        let process = &mut state.processes[number];
        process.renewed = true;
        process.slept &= process.ahead != 0;
    }

    pub(crate) fn take_back(&self, state: &mut State, number: usize) {
        let Some(lost) = state.processes[number].lost.take() else { return };
        let (job, now) = (usize::from(lost.job), state.processes[number].ahead);
        let row = &mut state.rows[job];
        let unchanged = match self.defect {
            Some(Defect::RescueByLookAlone) => true,
            Some(Defect::RescueComparesOnlyTimes) => row.until <= lost.now,
            _ => !lost.renewed,
        };
        if row.life != Life::Running || row.lease != Some(lost.lease) || !unchanged {
            return;
        }
        // The change was computed from the row that was seen.
        let mut next = Row { cancel_requested: lost.cancel, ..*row };
        self.lose(&mut next, now);
        if next.life.waits() && row.cancel_requested {
            return;
        }
        next.cancel_requested = row.cancel_requested;
        *row = next;
        let due_at_once = row.life.waits();
        for process in &mut state.processes {
            let lives = process.acts() && !process.slept;
            for run in process.runs.iter_mut().flatten().filter(|run| usize::from(run.job) == job) {
                state.seen.living_robbed |= run.rightful && lives;
                run.rightful = false;
            }
        }
        if due_at_once {
            wake(state, number);
        }
    }
}

/// What any process has seen of a job's `leased_until` is no longer so.
pub(crate) fn note_new_expiry(state: &mut State, job: usize) {
    for process in &mut state.processes {
        process.far[job] = 0;
        if let Some(lost) = process.lost.as_mut().filter(|lost| usize::from(lost.job) == job) {
            lost.renewed = true;
        }
    }
}
