//! Which steps are possible in a state.

use crate::defect::Defect;
use crate::protocol::Protocol;
use crate::rows::owner;
use crate::scope::Engine;
use crate::state::{
    Answer, JOBS, Ledger, Life, Lost, NOTICE, Outcome, PAUSE_AFTER_STEP, PERMIT, PROCESSES, PROOF, Phase, Process,
    Request, State, Up, is_far,
};
use crate::step::Step;

impl Protocol {
    /// Returns the steps that are possible, each with the state to which it leads. Steps that change nothing are left
    /// out.
    #[must_use]
    pub fn steps(&self, state: &State) -> Vec<Step> {
        let mut steps = Vec::with_capacity(24);
        for job in 0..JOBS {
            self.steps_of_job(state, job, &mut steps);
        }
        for process in 0..PROCESSES {
            self.steps_of_process(state, process, &mut steps);
        }
        self.steps_of_the_world(state, &mut steps);
        steps
    }

    fn steps_of_job(&self, state: &State, job: usize, steps: &mut Vec<Step>) {
        let (row, spec) = (&state.rows[job], self.spec(job));
        if spec.requested
            && state.requests[job] == Request::None
            && row.life == Life::Absent
            && state.processes[0].acts()
        {
            steps.push(Step::Gather(job));
        }
        let answered = Request::Committed == state.requests[job]
            || (state.requests[job] == Request::Gathered && self.has(Defect::AnsweredWithoutACommit));
        if answered {
            steps.push(Step::Answer(job));
        }
        if state.left.people > 0 && !Self::is_locked(state, job) {
            if row.life.is_unfinished() && !row.cancel_requested {
                steps.push(Step::Cancel(job));
            }
            if row.life.waits() || matches!(row.life, Life::Dead | Life::Cancelled) {
                steps.push(Step::Retry(job));
            }
            if row.waiting {
                steps.push(Step::RunNow(job));
            }
        }
    }

    fn steps_of_process(&self, state: &State, number: usize, steps: &mut Vec<Step>) {
        let process = &state.processes[number];
        if process.up == Up::Down {
            steps.push(Step::Start(number));
            return;
        }
        if process.picked != 0 {
            // The statement runs on the server, whatever becomes of the client.
            steps.push(Step::ClaimPicked(number));
        }
        if process.paused {
            steps.push(Step::Resume(number));
            return;
        }
        self.steps_of_dispatcher(state, number, steps);
        for (run, _) in process.runs() {
            self.steps_of_run(state, number, run, steps);
        }
        let has_leases = process.runs().next().is_some()
            || (self.has(Defect::RenewalWithoutRuns)
                && state.rows.iter().any(|row| row.lease.is_some_and(|lease| owner(lease) == number)));
        if has_leases && !process.renewed && self.knows_the_time(process) {
            steps.push(Step::Renew(number));
        }
        if process.lost.is_some() {
            steps.push(Step::TakeBack(number));
        } else if self.look_for_lost(state, number).is_some() {
            steps.push(Step::LookForLost(number));
        }
        for job in 0..JOBS {
            let seen_long_enough = process.far[job] >= PAUSE_AFTER_STEP && !self.has(Defect::FarLeasesStand);
            if seen_long_enough && is_far(&state.rows[job], process) {
                steps.push(Step::ExpireFar { process: number, job });
            }
        }
        if process.ahead != 0 {
            steps.push(Step::Notice(number));
        }
        if process.outgoing {
            steps.push(Step::Announce(number));
        }
        if process.up == Up::Stopping && process.runs().next().is_none() && process.picked == 0 {
            steps.push(Step::Exit(number));
        }
    }

    fn steps_of_dispatcher(&self, state: &State, number: usize, steps: &mut Vec<Step>) {
        let process = &state.processes[number];
        if number == 0 && state.requests.contains(&Request::Gathered) {
            steps.push(Step::Enqueue);
        }
        let fires = self.spec(number).occurrence && state.rows[number].life == Life::Absent;
        if fires && (!state.fired || self.has(Defect::SlotsFireTwice)) {
            steps.push(Step::Fire(number));
        }
        if process.up != Up::Serving {
            return;
        }
        let due = |job: usize| {
            let row = &state.rows[job];
            row.life.waits() && row.waiting && row.due <= process.ahead && !Self::is_locked(state, job)
        };
        if (0..JOBS).any(due) && !self.has(Defect::NothingIsPromoted) {
            steps.push(Step::Promote(number));
        }
        if !self.knows_the_time(process) {
            return;
        }
        let free = process.free(self.scope.slots);
        let looks = if self.scope.hints { process.woken } else { !self.claimable(state, free).is_empty() };
        if looks {
            match self.scope.engine {
                Engine::Sqlite => steps.push(Step::Claim(number)),
                Engine::Postgres if process.picked == 0 => steps.push(Step::Pick(number)),
                Engine::Postgres => {}
            }
        }
    }

    fn steps_of_run(&self, state: &State, number: usize, place: usize, steps: &mut Vec<Step>) {
        let process = &state.processes[number];
        let Some(run) = &process.runs[place] else { return };
        let job = usize::from(run.job);
        let effect = &state.effect;
        match run.phase {
            Phase::Working if self.spec(job).effect => {
                steps.push(Step::Intend { process: number, run: place });
                if self.has(Defect::AskedBeforeTheCommit) {
                    steps.push(Step::Send { process: number, run: place, answer: Answer::Taken, done: true });
                }
            }
            Phase::Working => {
                for outcome in self.scope.outcomes {
                    if *outcome != Outcome::Poll || state.rows[job].polls == 0 {
                        steps.push(Step::End { process: number, run: place, outcome: *outcome });
                    }
                }
            }
            Phase::Permit { age } if age < PERMIT || self.has(Defect::PermitsForEver) => {
                for (answer, done) in [
                    (Answer::Taken, true),
                    (Answer::Unclear, true),
                    (Answer::Unclear, false),
                    (Answer::NotSent, false),
                    (Answer::Refused, false),
                ] {
                    steps.push(Step::Send { process: number, run: place, answer, done });
                }
            }
            Phase::Permit { .. } => steps.push(Step::Abstain { process: number, run: place }),
            Phase::Unclear if effect.done > 0 || effect.age >= PROOF || effect.ledger == Ledger::Confirmed => {
                steps.push(Step::AskProvider { process: number, run: place });
            }
            Phase::Unclear => {}
            Phase::Answered(_) => steps.push(Step::Settle { process: number, run: place }),
            Phase::Ended { .. } => steps.push(Step::Finish { process: number, run: place }),
        }
        let interrupted = process.up == Up::Stopping && !matches!(run.phase, Phase::Ended { .. });
        if interrupted {
            steps.push(Step::End { process: number, run: place, outcome: Outcome::Release });
        }
        if state.left.drops > 0 {
            steps.push(Step::Drop { process: number, run: place });
        }
    }

    fn steps_of_the_world(&self, state: &State, steps: &mut Vec<Step>) {
        let left = &state.left;
        for (number, process) in state.processes.iter().enumerate() {
            if process.up == Up::Down {
                continue;
            }
            if left.kills > 0 {
                steps.push(Step::Kill(number));
            }
            if left.pauses > 0 && !process.paused {
                steps.push(Step::Pause(number));
            }
            if left.stops > 0 && process.up == Up::Serving && !process.paused {
                steps.push(Step::Stop(number));
            }
        }
        if left.people > 0 && state.rows.iter().any(|row| row.life == Life::Dead) {
            steps.push(Step::Redrive);
        }
        if left.jumps > 0 {
            steps.extend([Step::Jump { forward: true }, Step::Jump { forward: false }]);
        }
        if self.time_may_pass(state) {
            steps.push(Step::Tick);
        }
    }

    /// Returns whether a tick may pass: all that acts does in time what it does on time.
    #[must_use]
    pub fn time_may_pass(&self, state: &State) -> bool {
        state.processes.iter().enumerate().filter(|(_, process)| process.acts()).all(|(number, process)| {
            let renewed = process.runs().next().is_none() || process.renewed;
            let noticed = process.ahead == 0 || process.unnoticed + 1 < NOTICE;
            renewed && noticed && !(self.scope.hints && self.is_busy(state, number))
        })
    }

    /// Returns whether the process has something to do that waits for nothing.
    fn is_busy(&self, state: &State, number: usize) -> bool {
        let process = &state.processes[number];
        let promotes = process.up == Up::Serving
            && state.rows.iter().any(|row| row.life.waits() && row.waiting && row.due <= process.ahead);
        let finishes = process.runs().any(|(_, run)| matches!(run.phase, Phase::Ended { .. }));
        let enqueues = number == 0 && state.requests.contains(&Request::Gathered);
        process.woken || process.outgoing || promotes || finishes || enqueues
    }

    /// Returns what a look for lost leases finds, if the process may look.
    pub(crate) fn look_for_lost(&self, state: &State, number: usize) -> Option<Lost> {
        let process = &state.processes[number];
        // It asks for the server's time before it acts on what it reads. If that has jumped, it pauses instead.
        let agreed = process.ahead == 0 || self.has(Defect::RescueTrustsItsClock);
        if !process.acts() || process.looks_in > 0 || !agreed {
            return None;
        }
        let now = process.ahead;
        let expired_by = if self.has(Defect::TheLivingAreRescued) { i8::MAX } else { now };
        state.rows.iter().zip(0_u8..).find_map(|(row, job)| {
            let lease = row.lease.filter(|_| row.life == Life::Running && row.until <= expired_by)?;
            Some(Lost { job, lease, renewed: false, cancel: row.cancel_requested, now: expired_by })
        })
    }

    /// Returns whether the process has agreed with the server on the time so recently that the time is not outdated.
    /// Otherwise it gives and renews no lease.
    fn knows_the_time(&self, process: &Process) -> bool {
        process.ahead == 0 || process.unnoticed < NOTICE || self.has(Defect::OldTimesAreTrusted)
    }
}
