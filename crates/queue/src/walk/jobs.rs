//! The jobs of a walk: one kind for plain jobs, one for jobs that perform the effect, and the schedule.

use std::str::FromStr;
use std::time::Duration;

use nightshift_db::{Timestamp, Tx};
use nightshift_model::Scope;
use serde::{Deserialize, Serialize};

use super::effect::{KEY, KIND};
use crate::handlers::context::JobContext;
use crate::handlers::handler::{DeadJob, Handler, Hooks, NoHooks, RetriedJob, Revival};
use crate::handlers::registry::Registry;
use crate::job::{EnqueueError, Job, JobError, JobResult, Keys, NewJob, Outcome, Policy};
use crate::schedule::{Due, Overlap, Schedule, ZoneMode};
use crate::store::effects;

pub const QUEUE: &str = "walk";
/// One tick of the model. A lease lasts two of them.
pub const TICK: Duration = Duration::from_secs(15);
/// The occurrence is due at 10:00, and a walk begins a minute later.
pub const START_MS: i64 = 1_767_607_260_000;
/// A time before the occurrence.
pub const BEFORE_MS: i64 = START_MS - 120_000;

#[derive(Serialize, Deserialize)]
struct Plain {
    #[serde(skip)]
    keys: Keys,
}

#[derive(Serialize, Deserialize)]
struct Sent {}

impl Job for Plain {
    const KIND: &'static str = "walk.plain";
    const QUEUE: &'static str = QUEUE;
    fn keys(&self) -> Keys {
        self.keys.clone()
    }
    fn policy() -> Policy {
        Policy::fast(2)
    }
}

impl Handler<()> for Plain {
    type Hooks = NoHooks;
    async fn run(self, _: JobContext<()>) -> JobResult {
        Ok(Outcome::done())
    }
}

impl Job for Sent {
    const KIND: &'static str = "walk.sent";
    const QUEUE: &'static str = QUEUE;
    fn policy() -> Policy {
        Policy::once()
    }
}

impl Handler<()> for Sent {
    type Hooks = Self;
    async fn run(self, _: JobContext<()>) -> JobResult {
        Ok(Outcome::done())
    }
}

/// A person's retry reserves a refused effect again, as the kinds of the program do.
impl Hooks for Sent {
    async fn on_dead(_: &Self, _: &mut Tx, _: &DeadJob) -> Result<(), JobError> {
        Ok(())
    }

    async fn on_retry(_: &Self, tx: &mut Tx, retried: &RetriedJob) -> Result<Revival, JobError> {
        if let Some(effect) = effects::find(tx, KIND, KEY).await? {
            effects::reopen(tx, &effect.id, retried.at).await?;
        }
        Ok(Revival::Ready)
    }
}

pub fn registry() -> Registry<()> {
    Registry::new().job::<Plain>().job::<Sent>()
}

/// Returns the job of this number in a scope.
pub fn new_job(scope: &Scope, number: usize) -> NewJob {
    let spec = &scope.jobs[number];
    let name = |key: u8| format!("key {key}");
    let keys = Keys {
        dedup: spec.dedup.map(name),
        once: spec.once.map(name),
        group: spec.group.map(name),
        strict: spec.strict,
    };
    let job = if spec.effect { NewJob::of(&Sent {}) } else { NewJob::of(&Plain { keys }) }.unwrap();
    assert_eq!(job.max_attempts, i64::from(spec.max_attempts), "the attempts of the kind are those of the model");
    ordered(job, number)
}

/// Of several jobs the model claims the one with the lowest number, at whatever time it became due. So does the program,
/// because the number is the job's priority.
fn ordered(job: NewJob, number: usize) -> NewJob {
    job.priority(i64::try_from(number).unwrap())
}

/// Returns the schedule as the process of this number fires it.
pub fn schedule(process: usize) -> Schedule {
    Schedule {
        name: "walk",
        timetable: crate::schedule::Timetable::from_str("0 0 10 * * *").unwrap(),
        zone: ZoneMode::Utc,
        overlap: Overlap::Queue,
        kind: Plain::KIND,
        job: if process == 0 { occurrence::<0> } else { occurrence::<1> },
    }
}

fn occurrence<const NUMBER: usize>(_: &Due) -> Result<NewJob, EnqueueError> {
    Ok(ordered(NewJob::of(&Plain { keys: Keys::default() })?, NUMBER))
}

pub fn at(ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(ms)
}
