//! Which steps the model and the program can both take, and mean the same by.

use nightshift_db::Timestamp;
use nightshift_model::Step;
use nightshift_model::state::{JOBS, LEASE, Life, Outcome, Phase, State as Model};

use super::world::World;

// Rules of the model that the program does not have yet. A walk takes no step that shows one of them. Remove each when the
// program has it.

/// The rescue takes a job back only if its lease expires when it did at the look.
const TAKE_BACK_COMPARES_WHAT_WAS_READ: bool = false;

/// Returns whether a walk can take the step that leads from `before` to `after`.
pub async fn can_take(world: &World, before: &Model, step: &Step, after: &Model) -> bool {
    match *step {
        Step::Tick => !an_end_waits(before) && !a_far_lease_comes_near(world, before, after).await,
        Step::TakeBack(number) => {
            let Some(lost) = before.processes[number].lost else { return true };
            let expires_late = before.rows[usize::from(lost.job)].until > lost.now;
            TAKE_BACK_COMPARES_WHAT_WAS_READ || !lost.renewed || expires_late
        }
        _ => true,
    }
}

/// The program computes the time of the next attempt when the handler ends, the model when the result is stored.
fn an_end_waits(model: &Model) -> bool {
    model
        .processes
        .iter()
        .flat_map(|process| process.runs())
        .any(|(_, run)| matches!(run.phase, Phase::Ended { outcome: Outcome::Fail | Outcome::Poll, .. }))
}

/// A lease that was given before the clock was set back does not come nearer in the model, because it stands for one that
/// was given years ahead. Here it was given six ticks ahead, so time can pass for some ticks only.
async fn a_far_lease_comes_near(world: &World, before: &Model, after: &Model) -> bool {
    for job in 0..JOBS {
        let (was, is) = (&before.rows[job], &after.rows[job]);
        if is.life == Life::Running && is.until > 2 * LEASE && is.until == was.until {
            let until = world.db.read("SELECT leased_until FROM jobs WHERE id = $1").bind(&world.ids[job]);
            let until: Timestamp = until.scalar().await.unwrap();
            if world.ticks_until(until.unix_ms()) - 1 <= i64::from(2 * LEASE) {
                return true;
            }
        }
    }
    false
}
