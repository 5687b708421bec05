//! The protocol: which steps are possible in a state, and what each one changes.

use crate::defect::Defect;
use crate::rows::{normalise, owner};
use crate::scope::{Engine, Scope};
use crate::state::{
    Answer, Effect, JOBS, JUMP, LEASE, Ledger, Life, Lost, NOTICE, Outcome, PAUSE_AFTER_START, PAUSE_AFTER_STEP,
    PERMIT, PROCESSES, PROOF, Phase, Process, Request, Row, Run, Seen, State, Up,
};
use crate::step::Step;

/// The protocol in one scope, possibly with a defect.
#[derive(Debug, Clone, Copy)]
pub struct Protocol {
    pub scope: Scope,
    pub defect: Option<Defect>,
}

impl Protocol {
    #[must_use]
    pub fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

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

    /// Returns a process that has just started. Where no clock is set, it need not wait before it looks for lost leases.
    fn started(&self) -> Process {
        let waits = self.scope.budget.jumps > 0 && !self.has(Defect::NoPauseAtTheStart);
        Process { looks_in: if waits { PAUSE_AFTER_START } else { 0 }, ..Process::STARTED }
    }

    /// Returns whether the process has agreed with the server on the time within the last twenty seconds, without which
    /// it gives and renews no lease.
    fn knows_the_time(&self, process: &Process) -> bool {
        process.ahead == 0 || process.unnoticed < NOTICE || self.has(Defect::OldTimesAreTrusted)
    }

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
        let (process_number, effect) = (number, &state.effect);
        match run.phase {
            Phase::Working if self.spec(job).effect => {
                steps.push(Step::Intend { process: process_number, run: place });
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
    fn look_for_lost(&self, state: &State, number: usize) -> Option<Lost> {
        let process = &state.processes[number];
        // It reads the server's time first. If that has jumped, it pauses instead.
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

    fn claim_at_once(&self, state: &mut State, number: usize) {
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

    fn begin_runs(&self, state: &mut State, number: usize, jobs: &[usize]) {
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

    fn note_overtaking(&self, state: &mut State, jobs: &[usize]) {
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

    pub(crate) fn set_phase(&self, state: &mut State, process: usize, run: usize, phase: Phase) {
        if let Some(run) = &mut state.processes[process].runs[run] {
            run.phase = phase;
        }
    }

    fn finish(&self, state: &mut State, number: usize, place: usize) {
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

    fn renew(&self, state: &mut State, number: usize) {
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

    fn take_back(&self, state: &mut State, number: usize) {
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

/// Wakes the dispatcher of a process, and has it tell the others.
fn wake(state: &mut State, number: usize) {
    let process = &mut state.processes[number];
    if process.up != Up::Down {
        (process.woken, process.outgoing) = (true, true);
    }
}

/// What any process has seen of a job's `leased_until` is no longer so.
fn note_new_expiry(state: &mut State, job: usize) {
    for process in &mut state.processes {
        process.far[job] = 0;
        if let Some(lost) = process.lost.as_mut().filter(|lost| usize::from(lost.job) == job) {
            lost.renewed = true;
        }
    }
}

/// Returns whether the lease expires later than any lease can.
fn is_far(row: &Row, process: &Process) -> bool {
    row.life == Life::Running && row.until > process.ahead + 2 * LEASE
}

/// Sets the server's clock. The processes go on by their own timeline until they notice.
fn jump(state: &mut State, forward: bool) {
    state.left.jumps -= 1;
    let by = if forward { -JUMP } else { JUMP };
    for row in &mut state.rows {
        row.until += by;
        row.due += by;
    }
    for process in state.processes.iter_mut().filter(|process| process.up != Up::Down) {
        process.ahead += by;
        process.unnoticed = 0;
        if let Some(lost) = &mut process.lost {
            lost.now = lost.now.saturating_add(by);
        }
    }
}

fn tick(state: &mut State) {
    let far = state.processes.iter().all(|process| process.ahead <= 0);
    for row in &mut state.rows {
        // What was given before the clock was set back by years does not expire by itself.
        if !far || row.until <= 2 * LEASE {
            row.until -= 1;
        }
        row.due = row.due.saturating_sub(1);
    }
    for process in state.processes.iter_mut().filter(|process| process.up != Up::Down) {
        process.unnoticed = (process.unnoticed + 1).min(NOTICE);
        if let Some(lost) = &mut process.lost {
            lost.now = lost.now.saturating_sub(1);
        }
        for run in process.runs.iter_mut().flatten() {
            if let Phase::Permit { age } = &mut run.phase {
                *age = (*age + 1).min(PERMIT);
            }
        }
        if process.paused {
            continue;
        }
        process.renewed = false;
        process.looks_in = (process.looks_in - 1).max(0);
        // The routine look of an idle process.
        process.woken = true;
        for job in 0..JOBS {
            let seen = is_far(&state.rows[job], process) && process.looks_in == 0;
            process.far[job] = if seen { (process.far[job] + 1).min(PAUSE_AFTER_STEP) } else { 0 };
        }
    }
    if state.effect.ledger != Ledger::None {
        state.effect.age = (state.effect.age + 1).min(PROOF);
    }
}
