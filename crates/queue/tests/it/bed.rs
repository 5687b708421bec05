//! The test bed: a fresh database, a clock that stands still, a worker, and jobs that do what they are told.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nightshift_db::testing::{TestDb, migrated};
use nightshift_db::{Clock, Db, DbOptions, Engine, Timestamp, Tx};
use nightshift_queue::lifecycle::State;
use nightshift_queue::{
    DeadJob, Enqueued, ErrorClass, Handler, Hooks, Job, JobContext, JobError, JobResult, Keys, NewJob, NoHooks,
    Outcome, PayloadError, Policy, Queue, Registry, RetriedJob, Revival, Subject, Worker, WorkerHandle, WorkerOptions,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// What a scripted job does in one of its runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    Done,
    Skip,
    Retry,
    RetryAfter(u64),
    Fail,
    Panic,
    Hang,
    Poll {
        after_ms: u64,
        until_ms: Option<i64>,
    },
    /// Waits until the test opens the gate of the job's name, then is done.
    Gate,
    /// Waits for the gate, then stops at a checkpoint if it is to.
    GateThenCheckpoint,
    /// Runs until it is stopped at a checkpoint.
    Checkpoints,
    /// Blocks its thread for so many milliseconds.
    Block(u64),
    /// Blocks its thread until the gate opens, so that no signal reaches the job meanwhile; then is done. Needs a runtime
    /// of several threads.
    Freeze,
    /// Gives its thread to others so many times, then is done.
    Yield(u32),
    /// Fails, and says so with a character that PostgreSQL can't store.
    FailWithNul,
    /// Is done, and leaves such a character.
    DoneWithNul,
}

/// A job that does the n-th act in its n-th run, and the last one from then on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scripted {
    pub name: String,
    pub acts: Vec<Act>,
    #[serde(skip)]
    pub keys: Keys,
}

impl Scripted {
    pub fn new(name: &str, acts: &[Act]) -> Self {
        Self { name: name.to_owned(), acts: acts.to_vec(), keys: Keys::default() }
    }

    pub fn keys(mut self, keys: Keys) -> Self {
        self.keys = keys;
        self
    }
}

impl Job for Scripted {
    const KIND: &'static str = "scripted";
    const QUEUE: &'static str = "main";
    const VERSION: i64 = 2;
    fn keys(&self) -> Keys {
        self.keys.clone()
    }
    fn subject(&self) -> Option<Subject> {
        Some(Subject { thing: "script", id: self.name.clone() })
    }
    fn policy() -> Policy {
        Policy::standard(4)
    }
    /// The first version called the name a title.
    fn upcast(_: i64, mut payload: Value) -> Result<Value, PayloadError> {
        let title = payload["title"].take();
        assert_ne!(title, UPSETTING, "scripted");
        payload["name"] = title;
        Ok(payload)
    }
}

impl Handler<App> for Scripted {
    type Hooks = Self;
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        run(self, ctx).await
    }
}

impl Hooks for Scripted {
    async fn on_dead(job: &Self, tx: &mut Tx, dead: &DeadJob) -> Result<(), JobError> {
        assert_ne!(job.name, CURSED, "scripted");
        note(tx, dead, &format!("{TOLD}{}", job.name)).await
    }

    async fn on_retry(job: &Self, _: &mut Tx, _: &RetriedJob) -> Result<Revival, JobError> {
        let pointless = job.name == FINISHED;
        Ok(if pointless { Revival::Pointless("it is finished".to_owned()) } else { Revival::Ready })
    }
}

/// The same job in another queue.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Side(pub Scripted);

impl Job for Side {
    const KIND: &'static str = "side";
    const QUEUE: &'static str = "side";
    fn keys(&self) -> Keys {
        self.0.keys.clone()
    }
    fn policy() -> Policy {
        Policy::standard(4)
    }
}

impl Handler<App> for Side {
    type Hooks = NoHooks;
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        run(self.0, ctx).await
    }
}

/// The time limit of a [`Limited`] job.
pub const LIMIT: Duration = Duration::from_millis(500);

/// The same job with a time limit that a test can wait for: it is of real time, whatever the clock shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Limited(pub Scripted);

impl Job for Limited {
    const KIND: &'static str = "limited";
    const QUEUE: &'static str = "side";
    fn policy() -> Policy {
        Policy::standard(4).timeout(LIMIT)
    }
}

impl Handler<App> for Limited {
    type Hooks = NoHooks;
    async fn run(self, ctx: JobContext<App>) -> JobResult {
        run(self.0, ctx).await
    }
}

/// What the handlers share: their runs, in the order in which they began, and the gates.
#[derive(Default)]
pub struct App {
    runs: Mutex<Vec<String>>,
    gates: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl App {
    pub fn runs(&self) -> Vec<String> {
        self.runs.lock().unwrap().clone()
    }

    pub fn runs_of(&self, name: &str) -> usize {
        self.runs().iter().filter(|run| *run == name).count()
    }

    fn gate(&self, name: &str) -> Arc<Semaphore> {
        self.gates.lock().unwrap().entry(name.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(0))).clone()
    }

    /// Lets one waiting or coming run of `name` through.
    pub fn open(&self, name: &str) {
        self.gate(name).add_permits(1);
    }
}

async fn run(job: Scripted, ctx: JobContext<App>) -> JobResult {
    let run = {
        let mut runs = ctx.app.runs.lock().unwrap();
        runs.push(job.name.clone());
        runs.iter().filter(|name| **name == job.name).count()
    };
    ctx.note(&format!("run {run}"));
    let act = job.acts.get(run - 1).or(job.acts.last()).cloned().unwrap_or(Act::Done);
    match act {
        Act::Done => Ok(Outcome::done_with(json!({ "run": run }))),
        Act::Skip => Ok(Outcome::skip("not needed")),
        Act::Retry => Err(JobError::retry("the provider answered 503")),
        Act::RetryAfter(seconds) => {
            Err(JobError::retry("the provider answered 429").after(Duration::from_secs(seconds)))
        }
        Act::Fail => Err(JobError::fail("the provider answered 400")),
        Act::Panic => panic!("scripted"),
        Act::Hang => std::future::pending().await,
        Act::Poll { after_ms, until_ms } => {
            Ok(Outcome::Poll { after: Duration::from_millis(after_ms), until: until_ms.map(Timestamp::from_unix_ms) })
        }
        Act::Gate => {
            ctx.app.gate(&job.name).acquire().await.unwrap().forget();
            Ok(Outcome::done_with(json!({ "run": run })))
        }
        Act::GateThenCheckpoint => {
            ctx.app.gate(&job.name).acquire().await.unwrap().forget();
            ctx.checkpoint()?;
            Ok(Outcome::done())
        }
        Act::Checkpoints => loop {
            ctx.checkpoint()?;
            tokio::time::sleep(LOOK_EVERY).await;
        },
        Act::FailWithNul => Err(JobError::retry("the provider answered \0")),
        Act::DoneWithNul => Ok(Outcome::done_with(json!({ "\0": ["a\0b"] }))),
        Act::Block(ms) => {
            std::thread::sleep(Duration::from_millis(ms));
            Ok(Outcome::done())
        }
        Act::Freeze => {
            let gate = ctx.app.gate(&job.name);
            // A test that fails must not wait for it for ever.
            let opened = tokio::time::timeout(Duration::from_secs(60), gate.acquire());
            tokio::task::block_in_place(|| Handle::current().block_on(opened)).unwrap().unwrap().forget();
            ctx.app.runs.lock().unwrap().push(format!("{} {THAWED}", job.name));
            Ok(Outcome::done_with(json!({ "run": run })))
        }
        Act::Yield(times) => {
            for _ in 0..times {
                tokio::task::yield_now().await;
            }
            Ok(Outcome::done())
        }
    }
}

/// What the workers of a bed can do.
pub fn registry() -> Registry<App> {
    Registry::new().job::<Scripted>().job::<Side>().job::<Limited>().on_any_dead(|tx, dead| {
        Box::pin(async move {
            // Proves that the hook writes in the transaction that ends the job.
            let state: String = tx.query("SELECT state FROM jobs WHERE id = $1").bind(&dead.info.id).scalar().await?;
            assert_eq!(state, if dead.class == ErrorClass::Cancelled { "cancelled" } else { "dead" });
            note(tx, dead, &format!("{ENDED}{}", dead.class)).await?;
            if let Some(subject) = &dead.subject {
                if subject.id == REFUSED {
                    tx.query("INSERT INTO nowhere VALUES (1)").execute().await?;
                }
                note(tx, dead, &format!("{ABOUT}{} {}", subject.thing, subject.id)).await?;
            }
            if let Some(unreadable) = &dead.unreadable {
                note(tx, dead, &format!("{UNREADABLE}{unreadable}")).await?;
            }
            Ok(())
        })
    })
}

/// Leaves a step with a job that ended, in the transaction that ends it.
async fn note(tx: &mut Tx, dead: &DeadJob, step: &str) -> Result<(), JobError> {
    tx.query("INSERT INTO job_steps (job_id, step, status, output, finished_at) VALUES ($1, $2, 'done', '{}', $3)")
        .bind(&dead.info.id)
        .bind(step)
        .bind(dead.at)
        .execute()
        .await?;
    Ok(())
}

/// The step that a job's end without success leaves, and the class of what ended it.
const ENDED: &str = "ended: ";
/// The step that tells what it was about.
pub const ABOUT: &str = "about: ";
/// The step that tells why its payload can't be read.
pub const UNREADABLE: &str = "unreadable: ";
/// The step of its own kind's hook.
pub const TOLD: &str = "told: ";

/// The name of a job on whose death the program panics.
pub const CURSED: &str = "cursed";
/// The name of a job for which the hook of every kind runs a statement that the database refuses.
pub const REFUSED: &str = "refused";
/// The title of an old job that can't be read without a panic.
pub const UPSETTING: &str = "upsetting";
/// The name of a job that a retry has nothing to do for.
pub const FINISHED: &str = "finished";

/// What a run that was frozen adds to its name when it goes on.
pub const THAWED: &str = "thawed";

/// Between two looks at a condition that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// 2026-01-05T10:00:00Z.
pub const START_MS: i64 = 1_767_607_200_000;

pub struct Bed {
    pub database: TestDb,
    pub db: Db,
    pub clock: Clock,
    pub queue: Queue,
    pub app: Arc<App>,
}

/// Runs `test` on a fresh database.
pub async fn on(engine: Engine, test: impl AsyncFnOnce(Bed)) {
    test(Bed::on(migrated(engine).await)).await;
}

impl Bed {
    pub fn on(database: TestDb) -> Self {
        let clock = Clock::manual(Timestamp::from_unix_ms(START_MS));
        let db = database.db.clone();
        let queue = Queue::new(db.clone(), clock.clone());
        Self { database, db, clock, queue, app: Arc::default() }
    }

    pub fn worker(&self) -> WorkerHandle {
        self.worker_with(&[])
    }

    /// A worker with so many slots by queue.
    pub fn worker_with(&self, slots: &[(&str, usize)]) -> WorkerHandle {
        let concurrency: BTreeMap<String, usize> = slots.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        self.worker_by(WorkerOptions { concurrency, queues: Vec::new() })
    }

    /// A worker of these queues only.
    pub fn worker_of(&self, queues: &[&str]) -> WorkerHandle {
        let queues = queues.iter().map(|name| (*name).to_owned()).collect();
        self.worker_by(WorkerOptions { concurrency: BTreeMap::new(), queues })
    }

    fn worker_by(&self, options: WorkerOptions) -> WorkerHandle {
        Worker::new(self.queue.clone(), registry(), self.app.clone()).options(options).start().unwrap()
    }

    /// A worker with its own wake-up lines, as in another process.
    pub fn foreign_worker(&self) -> WorkerHandle {
        self.foreign_worker_by(&self.clock)
    }

    /// The same with a clock of its own.
    pub fn foreign_worker_by(&self, clock: &Clock) -> WorkerHandle {
        let queue = Queue::new(self.db.clone(), clock.clone());
        Worker::new(queue, registry(), self.app.clone()).start().unwrap()
    }

    /// A worker of another process that reaches the database by another way.
    pub async fn distant_worker(&self, url: &str) -> WorkerHandle {
        let db = Db::connect(url, &DbOptions::default()).await.unwrap();
        Worker::new(Queue::new(db, self.clock.clone()), registry(), self.app.clone()).start().unwrap()
    }

    pub async fn tx(&self) -> Tx {
        self.db.begin().await.unwrap()
    }

    pub async fn enqueue(&self, job: &Scripted) -> String {
        self.try_enqueue(job).await.id().to_owned()
    }

    pub async fn try_enqueue(&self, job: &Scripted) -> Enqueued {
        let mut tx = self.tx().await;
        let enqueued = self.queue.enqueue(&mut tx, job).await.unwrap();
        tx.commit().await.unwrap();
        enqueued
    }

    pub async fn enqueue_new(&self, job: NewJob) -> String {
        let mut tx = self.tx().await;
        let enqueued = self.queue.enqueue_new(&mut tx, job).await.unwrap();
        tx.commit().await.unwrap();
        enqueued.id().to_owned()
    }

    /// The jobs that ended without success, and the class of what ended them.
    pub async fn deaths(&self) -> Vec<(String, String)> {
        let steps: Vec<(String, String)> =
            self.db.read("SELECT job_id, step FROM job_steps ORDER BY finished_at, job_id").all().await.unwrap();
        let class = |step: String| step.strip_prefix(ENDED).map(str::to_owned);
        steps.into_iter().filter_map(|(id, step)| Some((id, class(step)?))).collect()
    }

    /// What the hooks left with a job, sorted.
    pub async fn left_with(&self, id: &str) -> Vec<String> {
        let steps: Vec<(String,)> =
            self.db.read("SELECT step FROM job_steps WHERE job_id = $1 ORDER BY step").bind(id).all().await.unwrap();
        steps.into_iter().map(|(step,)| step).collect()
    }

    pub async fn state(&self, id: &str) -> State {
        self.queue.job(id).await.unwrap().expect("the job exists").state
    }

    pub async fn until_state(&self, id: &str, state: State) {
        eventually(&format!("job in state {state}"), async || self.state(id).await == state).await;
    }

    /// Waits until the job is explained by this sentence: a worker that has just started is not on record at once.
    pub async fn until_explained(&self, id: &str, sentence: &str) {
        let explained = async || self.queue.detail(id).await.unwrap().unwrap().explanation == sentence;
        eventually(sentence, explained).await;
    }

    /// Waits until `name` has begun `count` runs.
    pub async fn until_runs(&self, name: &str, count: usize) {
        eventually(&format!("{count} runs of {name}"), async || self.app.runs_of(name) >= count).await;
        assert_eq!(self.app.runs_of(name), count, "{name} ran too often");
    }
}

/// Moves the clock by one step after the other until `condition` holds. Between two steps everything has much more time
/// to notice the last one than it takes, so that on a slow machine no more of them are made than needed.
pub async fn in_steps(clock: &Clock, steps: &[Duration], what: &str, mut condition: impl AsyncFnMut() -> bool) {
    const PATIENCE: Duration = Duration::from_secs(1);
    for step in steps {
        clock.advance(*step);
        let stepped = Instant::now();
        while stepped.elapsed() < PATIENCE {
            if condition().await {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    eventually(what, condition).await;
}

/// Waits until `condition` holds; twenty seconds of real time are a failure.
pub async fn eventually(what: &str, condition: impl AsyncFnMut() -> bool) {
    within(Duration::from_secs(20), what, condition).await;
}

/// As [`eventually`], for what takes longer.
pub async fn within(patience: Duration, what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !condition().await {
        assert!(started.elapsed() < patience, "waited in vain for: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
