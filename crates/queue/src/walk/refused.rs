//! What changes nothing: actions that the model does not allow in a state. The program refuses them, or finds nothing to
//! do.

use fastrand::Rng;
use nightshift_model::Step;
use nightshift_model::state::{JOBS, Life, PROCESSES, State as Model, Up};

use super::world::World;

/// Tries something that changes nothing, if there is something of the kind that is chosen.
pub async fn try_one(world: &mut World, model: &Model, possible: &[Step], rng: &mut Rng) {
    let (job, number) = (rng.usize(..JOBS), rng.usize(..PROCESSES));
    let (row, process) = (&model.rows[job], &model.processes[number]);
    let acts = process.acts() && process.up == Up::Serving && process.ahead == 0;
    world.pass_a_moment(model);
    match rng.u8(..6) {
        0 if row.life.has_ended() => assert!(world.cancel(job).await.is_err(), "an ended job is cancelled"),
        0 if row.life == Life::Running && row.cancel_requested => {
            world.cancel(job).await.unwrap();
        }
        1 if matches!(row.life, Life::Running | Life::Succeeded) => {
            assert!(world.retry(job).await.is_err(), "a job that runs or has succeeded is retried");
        }
        2 if row.life == Life::Running || row.life.has_ended() => {
            assert!(world.run_now(job).await.is_err(), "a job that does not wait is to run now");
        }
        3 if acts && !world.scope.hints && !possible.contains(&Step::Claim(number)) => {
            assert!(world.process(number).claim().await.is_empty(), "a job is claimed that can't be");
        }
        4 if acts && model.fired && world.scope.jobs[number].occurrence => world.process(number).fire().await,
        5 if acts && process.lost.is_none() => {
            let found = world.process(number).look_for_lost(None).await;
            assert_eq!(found, world.expired(model, 0), "the expired leases");
        }
        _ => {}
    }
}
