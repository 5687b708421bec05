//! The world of a walk: the database, its server's time, the processes, a person; and how each step of the model is taken
//! in it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use nightshift_db::{Clock, Db, Tx};
use nightshift_model::state::{JOBS, JUMP, LeaseId, Life, PROCESSES, Phase, Request, State as Model, Up};
use nightshift_model::{Scope, Step};

use super::effect::Stage;
use super::jobs::{BEFORE_MS, START_MS, TICK, at, new_job, registry};
use super::process::Process;
use crate::admin::{Filter, SteerError, Steered};
use crate::handlers::registry::Registry;
use crate::store::lifecycle::State;
use crate::store::queue::Queue;

/// Longer than the rescue waits before it lets a lease expire that expires too late.
const LONG_AGO: Duration = Duration::from_secs(60);

pub struct World {
    pub scope: Scope,
    pub db: Db,
    server_ms: i64,
    processes: [Option<Process>; PROCESSES],
    /// A person acts by the server's time.
    person: Queue,
    registry: Registry<()>,
    /// The id of each job that has a row.
    pub ids: [Option<String>; JOBS],
    /// The program's ids of leases that the model knows by number.
    pub leases: HashMap<LeaseId, String>,
    given: HashSet<String>,
}

impl World {
    /// Empties the database and begins a walk.
    pub async fn begin(db: &Db, scope: Scope, model: &Model) -> Self {
        for delete in ["DELETE FROM jobs", "DELETE FROM effects", "DELETE FROM schedule_slots", "DELETE FROM schedules"]
        {
            db.write(delete).execute().await.unwrap();
        }
        let person = Queue::new(db.clone(), Clock::manual(at(BEFORE_MS)));
        let mut world = Self {
            scope,
            db: db.clone(),
            server_ms: START_MS,
            processes: [const { None }; PROCESSES],
            person,
            registry: registry(),
            ids: [const { None }; JOBS],
            leases: HashMap::new(),
            given: HashSet::new(),
        };
        for number in (0..PROCESSES).filter(|number| model.processes[*number].up != Up::Down) {
            world.start(number).await;
        }
        world.set_clocks(model);
        let stored: Vec<usize> = (0..JOBS).filter(|job| model.rows[*job].life != Life::Absent).collect();
        world.enqueue(&stored, None).await;
        world
    }

    async fn start(&mut self, number: usize) {
        self.processes[number] = Some(Process::start(&self.db, &self.scope, number).await);
    }

    pub fn process(&mut self, number: usize) -> &mut Process {
        self.processes[number].as_mut().unwrap()
    }

    /// Every step takes some time, so that no two things happen at the same instant.
    pub fn pass_a_moment(&mut self, model: &Model) {
        self.server_ms += 1;
        self.set_clocks(model);
    }

    fn set_clocks(&self, model: &Model) {
        self.person.clock().set(at(self.server_ms));
        for (process, modelled) in self.processes.iter().zip(&model.processes) {
            if let Some(process) = process {
                process.clock.set(at(self.server_ms + i64::from(modelled.ahead) * tick_ms()));
            }
        }
    }

    /// Returns the distance to an instant in ticks.
    pub fn ticks_until(&self, ms: i64) -> i64 {
        let apart = ms - self.server_ms;
        (apart + tick_ms() / 2).div_euclid(tick_ms())
    }

    /// Takes a step that leads the model from `before` to `after`.
    pub async fn take(&mut self, before: &Model, step: &Step, after: &Model) {
        self.pass_a_moment(before);
        match *step {
            Step::Enqueue => {
                let gathered: Vec<usize> = (0..JOBS).filter(|job| before.requests[*job] == Request::Gathered).collect();
                self.enqueue(&gathered, Some(0)).await;
            }
            Step::Fire(number) => {
                self.process(number).fire().await;
                let id: String = self.db.read("SELECT job_id FROM schedule_slots").scalar().await.unwrap();
                self.ids[number] = Some(id);
            }
            Step::Promote(number) => {
                let process = self.process(number);
                let now = process.clock.now();
                crate::store::claim::promote_due(&process.rescue.db, now).await.unwrap();
            }
            Step::Claim(number) => self.claim(number, before, after).await,
            Step::End { process, run, outcome } => self.process(process).end(run, outcome).await,
            Step::Finish { process, run } => {
                let again = after.processes[process].runs[run].is_some();
                self.process(process).finish(run, again).await;
            }
            Step::Renew(number) => {
                let lost = self.process(number).renew().await;
                let (was, is) = (&before.processes[number], &after.processes[number]);
                let modelled: Vec<usize> =
                    was.runs().map(|(place, _)| place).filter(|place| is.runs[*place].is_none()).collect();
                assert_eq!(lost, modelled, "the runs that have lost their lease");
            }
            Step::LookForLost(number) => self.look_for_lost(number, before, after).await,
            Step::TakeBack(number) => self.process(number).take_back().await,
            Step::ExpireFar { process, job } => {
                let id = self.ids[job].clone();
                self.process(process).look_for_far(id.as_deref(), LONG_AGO).await;
            }
            Step::Intend { process, run } => {
                let stage = self.process(process).intend(run).await;
                let phase = after.processes[process].runs[run].unwrap().phase;
                let same = match stage {
                    Stage::Asking { .. } => matches!(phase, Phase::Permit { .. }),
                    Stage::Unclear(_) => phase == Phase::Unclear,
                    Stage::Settled => matches!(phase, Phase::Ended { .. }),
                    Stage::None => false,
                };
                assert!(same, "the intent leads to {phase:?} in the model");
                if let Phase::Ended { outcome, .. } = phase {
                    self.process(process).end(run, outcome).await;
                }
            }
            Step::Abstain { process, run } => self.process(process).abstain(run).await,
            Step::Send { process, run, .. } => self.process(process).send(run).await,
            Step::AskProvider { process, run } => self.process(process).ask_provider(run).await,
            Step::Settle { process, run } => {
                let Phase::Answered(answer) = before.processes[process].runs[run].unwrap().phase else {
                    panic!("there is no answer to settle");
                };
                self.process(process).settle(run, answer).await;
            }
            Step::Cancel(job) => {
                let steered = self.cancel(job).await.unwrap();
                let requested = after.rows[job].life == Life::Running;
                assert_eq!(steered, if requested { Steered::Requested } else { Steered::Done });
            }
            Step::Retry(job) => {
                // The model refuses as well if the job's key is in use. The rows show it.
                let retried = self.retry(job).await;
                assert!(matches!(retried, Ok(Steered::Done) | Err(SteerError::Duplicate)), "{retried:?}");
            }
            Step::Redrive => {
                let dead = Filter { state: Some(State::Dead), ..Filter::default() };
                self.registry.retry_all(&self.person, &dead, 100, Duration::ZERO).await.unwrap();
            }
            Step::RunNow(job) => {
                self.run_now(job).await.unwrap();
            }
            Step::Kill(number) | Step::Exit(number) => self.processes[number] = None,
            Step::Start(number) => self.start(number).await,
            Step::Drop { process, run } => self.process(process).drop_run(run),
            Step::Jump { forward } => {
                let by = i64::from(JUMP) * tick_ms();
                self.server_ms += if forward { by } else { -by };
            }
            Step::Tick => self.tick(after).await,
            // The provider's answer and the hints are in the memory of processes only. What is frozen does nothing.
            Step::Gather(_)
            | Step::Answer(_)
            | Step::Announce(_)
            | Step::Notice(_)
            | Step::Pause(_)
            | Step::Resume(_)
            | Step::Stop(_) => {}
            Step::Pick(_) | Step::ClaimPicked(_) => panic!("claims are atomic in a walk"),
        }
        self.set_clocks(after);
        self.compare_processes(after);
    }

    /// Enqueues jobs with one statement, and gives them ids that sort like their numbers.
    async fn enqueue(&mut self, jobs: &[usize], process: Option<usize>) {
        let new = jobs.iter().map(|job| new_job(&self.scope, *job)).collect();
        let queue = match process {
            Some(number) => self.process(number).queue.clone(),
            None => self.person.clone(),
        };
        let mut tx = self.db.begin().await.unwrap();
        let enqueued = queue.enqueue_all(&mut tx, new).await.unwrap();
        for (job, enqueued) in jobs.iter().zip(enqueued) {
            if enqueued.is_created() {
                let id = format!("00000000-0000-7000-8000-{job:012}");
                let rename = tx.query("UPDATE jobs SET id = $2 WHERE id = $1");
                rename.bind(enqueued.id()).bind(&id).execute().await.unwrap();
                self.ids[*job] = Some(id);
            }
        }
        tx.commit().await.unwrap();
    }

    async fn claim(&mut self, number: usize, before: &Model, after: &Model) {
        let claimed = self.process(number).claim().await;
        assert!(self.took(number, &claimed, before, after), "{claimed:?} were claimed");
        self.note_claim(number, &claimed, before, after);
    }

    /// Lets both processes claim at the same time.
    pub async fn claim_both(&mut self) -> [Vec<(String, String)>; PROCESSES] {
        let [Some(first), Some(second)] = &mut self.processes else { panic!("both processes run") };
        let (first, second) = tokio::join!(first.claim(), second.claim());
        [first, second]
    }

    /// Returns whether a process took the jobs that it takes in the model.
    pub fn took(&self, number: usize, claimed: &[(String, String)], before: &Model, after: &Model) -> bool {
        let jobs = begun(number, before, after).map(|(job, _)| self.id(job));
        jobs.eq(claimed.iter().map(|(id, _)| id.as_str()))
    }

    /// Remembers the program's name of the lease.
    pub fn note_claim(&mut self, number: usize, claimed: &[(String, String)], before: &Model, after: &Model) {
        if let (Some((_, number)), Some((_, lease))) = (begun(number, before, after).next(), claimed.first()) {
            assert!(self.given.insert(lease.clone()), "the lease {lease} was given before");
            self.leases.insert(number, lease.clone());
        }
    }

    async fn look_for_lost(&mut self, number: usize, before: &Model, after: &Model) {
        let lost = after.processes[number].lost.unwrap();
        let id = self.ids[usize::from(lost.job)].clone();
        let found = self.process(number).look_for_lost(id.as_deref()).await;
        assert_eq!(found, self.expired(before, i64::from(before.processes[number].ahead)), "the expired leases");
    }

    /// Returns the jobs whose lease has expired by `now`.
    pub fn expired(&self, model: &Model, now: i64) -> Vec<String> {
        let is_expired = |job: &usize| {
            let row = &model.rows[*job];
            row.life == Life::Running && i64::from(row.until) <= now
        };
        let mut ids: Vec<String> = (0..JOBS).filter(is_expired).filter_map(|job| self.ids[job].clone()).collect();
        ids.sort_unstable();
        ids
    }

    async fn tick(&mut self, after: &Model) {
        self.server_ms += tick_ms();
        self.set_clocks(after);
        if self.scope.budget.jumps == 0 {
            return;
        }
        for (process, modelled) in self.processes.iter_mut().zip(&after.processes) {
            if let Some(process) = process.as_mut().filter(|_| modelled.acts() && modelled.looks_in == 0) {
                process.look_for_far(None, Duration::ZERO).await;
            }
        }
    }

    pub async fn cancel(&self, job: usize) -> Result<Steered, SteerError> {
        let mut tx = self.db.begin().await.unwrap();
        let steered = self.registry.cancel(&self.person, &mut tx, self.id(job)).await;
        ended(tx, steered).await
    }

    pub async fn retry(&self, job: usize) -> Result<Steered, SteerError> {
        let mut tx = self.db.begin().await.unwrap();
        let steered = self.registry.retry(&self.person, &mut tx, self.id(job), None).await;
        ended(tx, steered).await
    }

    pub async fn run_now(&self, job: usize) -> Result<Steered, SteerError> {
        let mut tx = self.db.begin().await.unwrap();
        let steered = self.person.run_now(&mut tx, self.id(job)).await;
        ended(tx, steered).await
    }

    fn id(&self, job: usize) -> &str {
        self.ids[job].as_deref().unwrap()
    }

    /// What a process holds in its memory.
    fn compare_processes(&self, model: &Model) {
        for (process, modelled) in self.processes.iter().zip(&model.processes) {
            let Some(process) = process else {
                assert_eq!(modelled.up, Up::Down);
                continue;
            };
            let held: Vec<usize> = (0..process.held.len()).filter(|place| process.held[*place].is_some()).collect();
            let runs: Vec<usize> = modelled.runs().map(|(place, _)| place).collect();
            assert_eq!(held, runs, "the runs of a process");
            assert_eq!(process.leases(), runs.len(), "the leases of a process");
            assert_eq!(process.free(), modelled.free(self.scope.slots), "the free slots of a process");
        }
    }
}

/// The runs that a process begins in the model: their jobs and leases.
fn begun(number: usize, before: &Model, after: &Model) -> impl Iterator<Item = (usize, LeaseId)> {
    let was = before.processes[number];
    let runs: Vec<_> = after.processes[number].runs().map(|(place, run)| (place, *run)).collect();
    runs.into_iter()
        .filter(move |(place, _)| was.runs[*place].is_none())
        .map(|(_, run)| (usize::from(run.job), run.lease))
}

/// Ends a transaction. A dropped one would keep its locks for a moment, and a renewal passes over what is locked.
async fn ended(tx: Tx, steered: Result<Steered, SteerError>) -> Result<Steered, SteerError> {
    if steered.is_ok() {
        tx.commit().await?
    } else {
        tx.rollback().await?
    }
    steered
}

fn tick_ms() -> i64 {
    i64::try_from(TICK.as_millis()).unwrap()
}
