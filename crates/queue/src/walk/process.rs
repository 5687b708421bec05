//! A process of a walk: the parts of a worker, without the loops that drive them. Each function is one step of the model,
//! and runs the program's own code for it.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nightshift_db::{Clock, Db, Timestamp, new_id};
use nightshift_model::Scope;
use nightshift_model::state::{Answer, Outcome as Modelled, RUNS};
use tokio::sync::mpsc;

use super::effect::{For, Stage};
use super::jobs::{BEFORE_MS, QUEUE, TICK, at, registry, schedule};
use crate::handlers::registry::Registry;
use crate::handlers::signal::Signal;
use crate::job::{JobError, JobResult, Outcome};
use crate::leases::renewal::renew;
use crate::leases::rescue::{Lost, Rescue, compared_with};
use crate::leases::table::Leases;
use crate::runtime::backend::Delivered;
use crate::runtime::dispatcher::Dispatcher;
use crate::runtime::finish::FinishLayer;
use crate::runtime::result_writer::ResultWriter;
use crate::runtime::run::{Ending, Run, Runs};
use crate::runtime::slots::{Slot, Slots};
use crate::schedule::Scheduler;
use crate::store::hot;
use crate::store::lifecycle::State;
use crate::store::queue::Queue;

/// A run. The model frees its slot when the result is stored, the program already when the handler ends; the walk keeps
/// the slot as long as the model does.
pub struct Held {
    run: Run,
    _slot: Slot,
    pub stage: Stage,
    /// The result, while it waits to be written.
    ending: Option<Ending>,
}

pub struct Process {
    pub clock: Clock,
    pub queue: Queue,
    leases: Arc<Leases>,
    slots: Arc<Slots>,
    endings: mpsc::Receiver<Ending>,
    dispatcher: Dispatcher,
    deliveries: mpsc::UnboundedReceiver<Delivered>,
    registry: Arc<Registry<()>>,
    writer: ResultWriter<()>,
    pub rescue: Rescue<()>,
    scheduler: Scheduler,
    pub held: [Option<Held>; RUNS],
    /// A job that was seen with an expired lease, and the time by which it was.
    lost: Option<(Lost, Timestamp)>,
}

impl Process {
    /// Starts the process of this number. Its clock is set before each step.
    pub async fn start(db: &Db, scope: &Scope, number: usize) -> Self {
        let clock = Clock::manual(at(BEFORE_MS));
        let hot = hot::connections(db);
        let queue = Queue::new(db.clone(), clock.clone());
        let registry = Arc::new(registry());
        let leases = Arc::new(Leases::default());
        let (runs, endings) = Runs::channel(leases.clone(), clock.clone(), registry.policies());
        let wake = queue.wake().clone();
        let slots = Slots::new(QUEUE.to_owned(), scope.slots, wake.clone());
        let (sender, deliveries) = mpsc::unbounded_channel();
        let deliver: BTreeMap<_, _> = registry.names().into_iter().map(|kind| (kind, sender.clone())).collect();
        let dispatcher = Dispatcher {
            db: hot.clone(),
            clock: clock.clone(),
            worker_id: new_id(clock.now()),
            kinds: registry.names(),
            slots: vec![slots.clone()],
            deliveries: deliver,
            wake: wake.clone(),
            runs,
            last_claim_ms: Arc::new(AtomicI64::new(0)),
            unparked: AtomicBool::new(true),
        };
        let writer =
            ResultWriter { db: hot.clone(), clock: clock.clone(), registry: registry.clone(), wake: wake.clone() };
        let far = Mutex::new(HashMap::new());
        let rescue = Rescue {
            db: hot,
            clock: clock.clone(),
            registry: registry.clone(),
            wake,
            far,
            looks: AtomicU64::default(),
        };
        let mut scheduler = Scheduler::new(queue.clone(), vec![schedule(number)]);
        if scope.jobs.iter().any(|job| job.occurrence) {
            // It knows of no occurrence yet, as a scheduler that has run all day.
            scheduler.tick(&[]).await.unwrap();
        }
        Self {
            clock,
            queue,
            leases,
            slots,
            endings,
            dispatcher,
            deliveries,
            registry,
            writer,
            rescue,
            scheduler,
            held: [const { None }; RUNS],
            lost: None,
        }
    }

    pub async fn fire(&mut self) {
        self.scheduler.tick(&[]).await.unwrap();
    }

    /// Claims what it has slots for. Returns the ids of the jobs and of their lease.
    pub async fn claim(&mut self) -> Vec<(String, String)> {
        self.dispatcher.claim_once(&[]).await.unwrap();
        let mut claimed = Vec::new();
        while let Ok((run, slot)) = self.deliveries.try_recv() {
            let place = self.held.iter_mut().find(|held| held.is_none()).unwrap();
            claimed.push((run.claimed().id.clone(), run.claimed().lease_id.clone()));
            *place = Some(Held { run, _slot: slot, stage: Stage::None, ending: None });
        }
        claimed
    }

    fn held(&mut self, place: usize) -> &mut Held {
        self.held[place].as_mut().unwrap()
    }

    /// The job of a run for which an effect is performed.
    fn attempt(&self, place: usize) -> For {
        let job = self.held[place].as_ref().unwrap().run.claimed().id.clone();
        For { db: self.queue.db().clone(), clock: self.clock.clone(), job }
    }

    pub async fn intend(&mut self, place: usize) -> &Stage {
        let stage = Stage::intend(self.attempt(place)).await;
        let held = self.held(place);
        held.stage = stage;
        &held.stage
    }

    pub async fn send(&mut self, place: usize) {
        self.held(place).stage.send().await;
    }

    /// A permit lasts a little longer than the tick that it lasts in the model.
    pub async fn abstain(&mut self, place: usize) {
        self.clock.advance(TICK);
        let stage = std::mem::replace(&mut self.held(place).stage, Stage::None);
        self.held(place).stage = stage.abstain().await;
    }

    pub async fn ask_provider(&mut self, place: usize) {
        let stage = Stage::ask_provider(self.queue.db()).await;
        self.held(place).stage = stage;
    }

    pub async fn settle(&mut self, place: usize, answer: Answer) {
        let attempt = self.attempt(place);
        let stage = std::mem::replace(&mut self.held(place).stage, Stage::None);
        let result = stage.settle(attempt, answer).await;
        self.end_with(place, result).await;
    }

    /// Ends a handler, or tells it to give its job back.
    pub async fn end(&mut self, place: usize, outcome: Modelled) {
        let result = match outcome {
            Modelled::Done => Ok(Outcome::done()),
            Modelled::Fail => Err(JobError::retry("scripted").after(TICK)),
            Modelled::FailForGood => Err(JobError::fail("scripted")),
            Modelled::Poll => Ok(Outcome::poll(TICK)),
            Modelled::Release => {
                self.leases.give_all_back();
                self.handle(place, std::future::pending()).await;
                return;
            }
        };
        self.end_with(place, result).await;
    }

    async fn end_with(&mut self, place: usize, result: JobResult) {
        self.handle(place, std::future::ready(result)).await;
        assert!(self.held(place).ending.is_some(), "a run that ends hands in its end");
    }

    /// Finishes the attempt of a handler that is this future.
    async fn handle(&mut self, place: usize, handler: impl Future<Output = JobResult> + Send) {
        let held = self.held[place].as_mut().unwrap();
        held.stage = Stage::None;
        let policy = self.registry.policies()[held.run.claimed().kind.as_str()];
        let layer = FinishLayer { clock: self.clock.clone(), policy };
        layer.finish(&held.run, held.run.job(), || async { handler.await.map_err(Into::into) }).await;
        held.ending = self.endings.try_recv().ok();
    }

    /// Writes a result. `again` says that the model's first write is refused, because the job is to be cancelled.
    pub async fn finish(&mut self, place: usize, again: bool) {
        let held = self.held(place);
        let ending = held.ending.take().unwrap();
        if ending.0.change.ended_without_success() {
            if again {
                // The model learns of the request from the refusal. The program knew it already, from a renewal.
                assert_eq!(ending.0.change.life.state, State::Cancelled);
                held.ending = Some(ending);
                return;
            }
            self.writer.write_end(ending).await;
        } else {
            let mut refused = self.writer.write_batch(vec![ending]).await;
            if again {
                self.held(place).ending = Some(refused.pop().unwrap());
                return;
            }
            // The lease is lost, which the program finds out when it writes the end of a cancelled job.
            for ending in refused {
                self.writer.write_end(ending).await;
            }
        }
        self.held[place] = None;
    }

    /// Renews the leases, and ends the runs that have lost theirs. Returns their places.
    pub async fn renew(&mut self) -> Vec<usize> {
        renew(&self.rescue.db, &self.clock, &self.leases).await.unwrap();
        let mut lost = Vec::new();
        for place in 0..RUNS {
            let Some(held) = self.held[place].as_ref().filter(|held| held.ending.is_none()) else { continue };
            if *held.run.job().signal.borrow() == Signal::Lost {
                self.handle(place, std::future::pending()).await;
                assert!(self.held(place).ending.is_none(), "nothing is written for a run that has lost its lease");
                self.held[place] = None;
                lost.push(place);
            }
        }
        lost
    }

    /// Reads which leases have expired, and remembers the one of `job`. Returns the ids of all jobs.
    pub async fn look_for_lost(&mut self, job: Option<&str>) -> Vec<String> {
        let now = compared_with(self.clock.now());
        let lost = self.rescue.lost(now).await.unwrap();
        let mut ids: Vec<String> = lost.iter().map(|lost| lost.claimed.id.clone()).collect();
        ids.sort_unstable();
        self.lost = lost.into_iter().find(|lost| Some(lost.claimed.id.as_str()) == job).map(|lost| (lost, now));
        ids
    }

    pub async fn take_back(&mut self) {
        let (lost, now) = self.lost.take().unwrap();
        self.rescue.take_back(lost, now).await.unwrap();
    }

    /// Looks for leases that expire too late. Those that it knows already it has known since `ago`.
    pub async fn look_for_far(&mut self, job: Option<&str>, ago: Duration) {
        let now = compared_with(self.clock.now());
        for ((id, ..), first) in self.rescue.far.lock().unwrap().iter_mut() {
            *first = if Some(id.as_str()) == job { now - ago } else { now };
        }
        self.rescue.expire_far(now).await.unwrap();
    }

    pub fn free(&self) -> usize {
        self.slots.free()
    }

    pub fn leases(&self) -> usize {
        self.leases.count()
    }

    /// Drops a run without writing anything.
    pub fn drop_run(&mut self, place: usize) {
        if let Some(held) = self.held[place].take() {
            held.run.let_go();
        }
    }
}
