//! Conformance walks: the program does what the model of the protocol says.
//!
//! A walk goes through the model at random. For each step it runs the program's own code on a database, and then compares
//! every row, and what the processes hold, with the model. Any difference fails the test and prints the steps so far.
//!
//! `NIGHTSHIFT_TEST_WALKS` is the number of walks per scope, `NIGHTSHIFT_TEST_WALK_SCOPE` names a single scope, and
//! `NIGHTSHIFT_TEST_WALK_SEED` repeats the walk of a seed, or the walks from it on.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failure here is a failed test")]

mod compare;
mod effect;
mod jobs;
mod overlap;
mod process;
mod refused;
mod shared;
mod world;

use std::collections::BTreeMap;
use std::io::Write;

use fastrand::Rng;
use nightshift_db::testing::{each_engine, migrated};
use nightshift_db::{Db, Engine};
use nightshift_model::state::{PROCESSES, State};
use nightshift_model::{Protocol, SCOPES, Scope, Step};

use self::compare::{compare, walked};
use self::world::World;

each_engine! {
    every_step_changes_the_rows_as_the_model_says,
}

/// Walks per scope, which take some ten seconds.
fn walks_of(engine: Engine) -> u64 {
    match engine {
        Engine::Sqlite => 40,
        Engine::Postgres => 6,
    }
}

const STEPS_MAX: usize = 80;

async fn every_step_changes_the_rows_as_the_model_says(engine: Engine) {
    let number = |variable: &str| std::env::var(variable).ok().map(|text| text.parse::<u64>().unwrap());
    let walks = number("NIGHTSHIFT_TEST_WALKS");
    let first = number("NIGHTSHIFT_TEST_WALK_SEED").unwrap_or_else(|| fastrand::u64(..));
    let only = std::env::var("NIGHTSHIFT_TEST_WALK_SCOPE").ok();
    let database = migrated(engine).await;
    let mut taken = BTreeMap::new();
    for seed in (0..walks.unwrap_or_else(|| walks_of(engine))).map(|walk| first.wrapping_add(walk)) {
        for scope in SCOPES.into_iter().filter(|scope| only.as_ref().is_none_or(|only| only == scope.name)) {
            walk(&database.db, walked(scope), seed, &mut taken).await;
        }
    }
    if walks.is_some() {
        writeln!(std::io::stderr(), "{engine:?}: {taken:?}").unwrap();
    }
}

/// The steps of a walk. When the walk panics, they are printed.
struct Walked {
    scope: &'static str,
    seed: u64,
    steps: Vec<Step>,
}

impl Walked {
    fn note(&mut self, step: Step, taken: &mut BTreeMap<String, usize>) {
        self.steps.push(step);
        let kind = format!("{step:?}").chars().take_while(|c| c.is_alphanumeric()).collect();
        *taken.entry(kind).or_default() += 1;
    }
}

impl Drop for Walked {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { scope, seed, steps } = self;
            let _ = writeln!(std::io::stderr(), "scope {scope:?}, NIGHTSHIFT_TEST_WALK_SEED={seed}:");
            for step in steps {
                let _ = writeln!(std::io::stderr(), "    {step:?}");
            }
        }
    }
}

/// Walks through a scope, and adds to `taken` how often each kind of step was taken.
async fn walk(db: &Db, scope: Scope, seed: u64, taken: &mut BTreeMap<String, usize>) {
    let protocol = Protocol { scope, defect: None };
    let mut rng = Rng::with_seed(seed);
    let mut walked = Walked { scope: scope.name, seed, steps: Vec::new() };
    let mut state = protocol.start();
    let mut world = World::begin(db, scope, &state).await;
    compare(&world, &state).await;
    while walked.steps.len() < STEPS_MAX {
        let possible = protocol.steps(&state);
        if rng.u8(..8) == 0 {
            refused::try_one(&mut world, &state, &possible, &mut rng).await;
            compare(&world, &state).await;
        }
        if both_claim(db.engine(), &scope, &possible) && rng.bool() {
            let (steps, next) = overlap::claim_both(&protocol, &mut world, &state).await;
            for step in steps {
                walked.note(step, taken);
            }
            state = next;
            compare(&world, &state).await;
            continue;
        }
        let Some((step, next)) = choose(&protocol, &world, &state, possible, &mut rng).await else { return };
        walked.note(step, taken);
        world.take(&state, &step, &next).await;
        state = next;
        compare(&world, &state).await;
    }
}

/// Returns whether both processes can claim at the same time. Claims of several jobs without a group lock their rows one by
/// one, which the model leaves out.
fn both_claim(engine: Engine, scope: &Scope, possible: &[Step]) -> bool {
    engine == Engine::Postgres
        && !scope.hints
        && (scope.slots == 1 || scope.jobs.iter().any(|job| job.group.is_some()))
        && (0..PROCESSES).all(|number| possible.contains(&Step::Claim(number)))
}

/// Chooses a step that changes something, faults and people's actions less often than others.
async fn choose(
    protocol: &Protocol,
    world: &World,
    state: &State,
    possible: Vec<Step>,
    rng: &mut Rng,
) -> Option<(Step, State)> {
    let over = !state.rows.iter().any(|row| row.life.is_unfinished());
    let mut steps: Vec<(Step, State)> = Vec::new();
    for step in possible {
        // Time passes for ever, and a routine look is made after each tick.
        if over && matches!(step, Step::Tick | Step::Claim(_) | Step::Announce(_)) {
            continue;
        }
        let next = protocol.take(state, &step);
        if next != *state && shared::can_take(world, state, &step, &next).await {
            let weight = match step {
                // Seldom possible.
                Step::RunNow(_) | Step::Redrive => 8,
                Step::Tick => 1,
                _ if step.is_from_outside() => 1,
                _ => 4,
            };
            steps.extend(std::iter::repeat_n((step, next), weight));
        }
    }
    rng.choice(steps)
}
