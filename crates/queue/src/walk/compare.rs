//! Compares the rows of the database with those of the model.

use nightshift_db::Timestamp;
use nightshift_model::Scope;
use nightshift_model::state::{JUMP, LEASE, Ledger, Life, PROOF, Row, State as Model};

use super::world::World;

/// A row of `jobs` in the terms of the model.
#[derive(Debug, PartialEq)]
struct Shown {
    state: &'static str,
    attempts: i64,
    crashes: i64,
    polls: i64,
    cancel_requested: bool,
    /// In ticks, while it waits for it.
    due: Option<i64>,
    lease: Option<String>,
    /// In ticks.
    until: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct Stored {
    id: String,
    state: String,
    waiting: bool,
    run_at: Timestamp,
    attempts: i64,
    crashes: i64,
    polls: i64,
    cancel_requested: bool,
    lease_id: Option<String>,
    leased_until: Option<Timestamp>,
}

/// The times between which the model tells times apart.
struct Told {
    from: i64,
    to: i64,
}

impl Told {
    fn of(model: &Model) -> Self {
        let from = model.processes.iter().map(|process| process.ahead).min().unwrap_or(0);
        let from = from.min(if model.left.jumps > 0 { -JUMP } else { 0 });
        let to = if model.processes.iter().all(|process| process.ahead <= 0) { 2 * LEASE + 1 } else { i8::MAX };
        Self { from: from.into(), to: to.into() }
    }
}

fn state(life: Life) -> &'static str {
    match life {
        Life::Absent => "absent",
        Life::Queued => "queued",
        Life::Running => "running",
        Life::Retrying => "retrying",
        Life::Succeeded => "succeeded",
        Life::Dead => "dead",
        Life::Cancelled => "cancelled",
    }
}

/// Panics if the database differs from the model.
pub async fn compare(world: &World, model: &Model) {
    let mut stored: Vec<Stored> = world
        .db
        .read(
            "SELECT id, state, waiting, run_at, attempts, crashes, polls, cancel_requested, lease_id, leased_until
             FROM jobs",
        )
        .all()
        .await
        .unwrap();
    let told = Told::of(model);
    for (job, row) in model.rows.iter().enumerate() {
        let at = stored.iter().position(|stored| Some(&stored.id) == world.ids[job].as_ref());
        let stored = at.map(|at| of_the_program(world, &told, stored.swap_remove(at)));
        let modelled = (row.life != Life::Absent).then(|| of_the_model(world, row));
        assert_eq!(stored, modelled, "job {job} in the program and in the model");
    }
    assert!(stored.is_empty(), "{} jobs too many", stored.len());
    if world.scope.jobs.iter().any(|job| job.effect) {
        compare_effect(world, model).await;
    }
}

fn of_the_model(world: &World, row: &Row) -> Shown {
    Shown {
        state: state(row.life),
        attempts: row.attempts.into(),
        crashes: row.crashes.into(),
        polls: row.polls.into(),
        cancel_requested: row.cancel_requested,
        due: row.waiting.then(|| row.due.into()),
        lease: row.lease.map(|lease| world.leases[&lease].clone()),
        until: (row.life == Life::Running).then(|| row.until.into()),
    }
}

fn of_the_program(world: &World, told: &Told, stored: Stored) -> Shown {
    let lives = [Life::Queued, Life::Running, Life::Retrying, Life::Succeeded, Life::Dead, Life::Cancelled];
    let life = lives.into_iter().find(|life| state(*life) == stored.state).unwrap();
    let due = world.ticks_until(stored.run_at.unix_ms()).max(told.from);
    Shown {
        state: state(life),
        attempts: stored.attempts,
        crashes: stored.crashes,
        polls: stored.polls,
        cancel_requested: stored.cancel_requested,
        due: (life.waits() && stored.waiting).then_some(due),
        lease: stored.lease_id,
        until: stored.leased_until.map(|until| world.ticks_until(until.unix_ms()).clamp(told.from, told.to)),
    }
}

async fn compare_effect(world: &World, model: &Model) {
    let rows: Vec<(String, Option<Timestamp>)> =
        world.db.read("SELECT state, asked_at FROM effects").all().await.unwrap();
    let stored: Vec<(&str, i64)> = rows
        .iter()
        .map(|(state, asked_at)| {
            let age = asked_at.map_or(0, |asked_at| -world.ticks_until(asked_at.unix_ms()));
            (state.as_str(), age.min(i64::from(PROOF)))
        })
        .collect();
    let state = match model.effect.ledger {
        Ledger::None => None,
        Ledger::Reserved => Some("reserved"),
        Ledger::Asked => Some("asked"),
        Ledger::Unknown => Some("unknown"),
        Ledger::Confirmed => Some("confirmed"),
        Ledger::Refused => Some("refused"),
    };
    let modelled: Vec<(&str, i64)> = state.map(|state| (state, i64::from(model.effect.age))).into_iter().collect();
    assert_eq!(stored, modelled, "the effect in the program and in the model");
}

/// Returns the scope as it is walked: on both engines the statement that claims is one step.
pub fn walked(scope: Scope) -> Scope {
    Scope { engine: nightshift_model::Engine::Sqlite, ..scope }
}
