//! The start, and what each step changes.

use crate::claims::note_new_expiry;
use crate::defect::Defect;
use crate::protocol::{Protocol, wake};
use crate::rows::normalise;
use crate::state::{Effect, JOBS, Ledger, Life, PAUSE_AFTER_STEP, Phase, Process, Request, Row, Seen, State, Up};
use crate::step::Step;
use crate::time::{jump, tick};

impl Protocol {
    #[must_use]
    pub fn start(&self) -> State {
        let started = self.started();
        let mut state = State {
            rows: std::array::from_fn(|job| if self.spec(job).stored { Row::DUE } else { Row::ABSENT }),
            requests: [Request::None; JOBS],
            processes: [started, if self.scope.both { started } else { Process::DOWN }],
            effect: Effect { ledger: Ledger::None, age: 0, done: 0 },
            fired: false,
            left: self.scope.budget,
            seen: Seen::default(),
        };
        normalise(&mut state, self.scope.hints);
        state
    }

    /// Takes a step.
    #[must_use]
    pub fn take(&self, before: &State, step: &Step) -> State {
        let mut state = before.clone();
        self.change(&mut state, step);
        normalise(&mut state, self.scope.hints);
        for (row, was) in state.rows.iter().zip(&before.rows) {
            let by_a_person = matches!(step, Step::Retry(_) | Step::Redrive);
            state.seen.ended_changed |= was.life.has_ended() && row != was && !by_a_person;
            state.seen.cancel_forgotten |= was.cancel_requested && was.life == Life::Running && row.life.waits();
        }
        state
    }

    fn change(&self, state: &mut State, step: &Step) {
        match *step {
            Step::Gather(job) => state.requests[job] = Request::Gathered,
            Step::Enqueue => self.enqueue(state),
            Step::Answer(job) => state.requests[job] = Request::Answered,
            Step::Fire(process) => {
                state.fired = true;
                state.rows[process] = Row::DUE;
            }
            Step::Promote(number) => {
                let now = state.processes[number].ahead;
                for job in 0..JOBS {
                    let locked = Self::is_locked(state, job);
                    let row = &mut state.rows[job];
                    if row.life.waits() && row.due <= now && !locked {
                        row.waiting = false;
                    }
                }
                let process = &mut state.processes[number];
                (process.woken, process.promoted) = (true, true);
            }
            Step::Claim(number) => self.claim_at_once(state, number),
            Step::Pick(number) => {
                let jobs = self.claimable(state, state.processes[number].free(self.scope.slots));
                self.note_overtaking(state, &jobs);
                state.processes[number].picked = jobs.iter().fold(0, |bits, job| bits | 1 << job);
            }
            Step::ClaimPicked(number) => {
                let picked = std::mem::take(&mut state.processes[number].picked);
                let jobs: Vec<usize> = (0..JOBS).filter(|job| picked & 1 << job != 0).collect();
                if !self.index_refuses(state, &jobs) {
                    self.begin_runs(state, number, &jobs);
                }
            }
            Step::Announce(number) => {
                state.processes[number].outgoing = false;
                if !self.has(Defect::NobodyElseIsWoken) {
                    let others = state.processes.iter_mut().enumerate().filter(|(other, _)| *other != number);
                    others.filter(|(_, other)| other.up != Up::Down).for_each(|(_, other)| other.woken = true);
                }
            }
            Step::End { process, run, outcome } => {
                self.set_phase(state, process, run, Phase::Ended { outcome, cancel: false });
            }
            Step::Finish { process, run } => self.finish(state, process, run),
            Step::Renew(number) => self.renew(state, number),
            Step::LookForLost(number) => state.processes[number].lost = self.look_for_lost(state, number),
            Step::TakeBack(number) => self.take_back(state, number),
            Step::ExpireFar { process, job } => {
                state.rows[job].until = state.processes[process].ahead;
                note_new_expiry(state, job);
            }
            Step::Notice(number) => {
                let pause = if self.has(Defect::NoPauseAfterAStep) { 0 } else { PAUSE_AFTER_STEP };
                let process = &mut state.processes[number];
                process.ahead = 0;
                process.looks_in = pause;
                process.renewed = false;
            }
            Step::Intend { .. }
            | Step::Send { .. }
            | Step::Abstain { .. }
            | Step::AskProvider { .. }
            | Step::Settle { .. } => self.change_effect(state, step),
            Step::Cancel(job) => {
                state.left.people -= 1;
                let row = &mut state.rows[job];
                if row.life == Life::Running {
                    row.cancel_requested = true;
                } else {
                    row.life = Life::Cancelled;
                }
            }
            Step::Retry(job) => {
                state.left.people -= 1;
                let ended = state.rows[job].life.has_ended();
                if self.retry(state, job) {
                    if ended {
                        self.reopen(state, job);
                    }
                    wake(state, 0);
                }
            }
            Step::Redrive => {
                state.left.people -= 1;
                // The newest first.
                for job in (0..JOBS).rev() {
                    if state.rows[job].life == Life::Dead && self.retry(state, job) {
                        self.reopen(state, job);
                    }
                }
                wake(state, 0);
            }
            Step::RunNow(job) => {
                state.left.people -= 1;
                state.rows[job].waiting = false;
                wake(state, 0);
            }
            Step::Kill(number) => {
                state.left.kills -= 1;
                state.processes[number] = Process::DOWN;
                if number == 0 {
                    for request in &mut state.requests {
                        if *request == Request::Gathered {
                            *request = Request::None;
                        }
                    }
                }
            }
            Step::Start(number) => state.processes[number] = self.started(),
            Step::Pause(number) => {
                state.left.pauses -= 1;
                state.processes[number].paused = true;
                state.processes[number].slept = true;
            }
            Step::Resume(number) => {
                state.processes[number].paused = false;
                state.processes[number].renewed = false;
            }
            Step::Stop(number) => {
                state.left.stops -= 1;
                state.processes[number].up = Up::Stopping;
            }
            Step::Exit(number) => state.processes[number] = Process::DOWN,
            Step::Drop { process, run } => {
                state.left.drops -= 1;
                state.processes[process].runs[run] = None;
            }
            Step::Jump { forward } => jump(state, forward),
            Step::Tick => tick(state),
        }
    }

    fn enqueue(&self, state: &mut State) {
        for job in 0..JOBS {
            if state.requests[job] == Request::Gathered {
                state.requests[job] = Request::Committed;
                if !self.is_duplicate(state, job) {
                    state.rows[job] = Row::DUE;
                }
            }
        }
        wake(state, 0);
    }
}
