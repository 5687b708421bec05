//! Loading a seed file of organisations, people, numbers and bookings into the database.

use nightshift_db::Tx;
use nightshift_domain::seed::{self, Seed, Seeded};

use crate::enqueuer::Enqueuer;
use crate::error::Error;
use crate::thread;

/// Loads the new items of a seed. Threads that wait for a number try the new numbers at once.
///
/// # Errors
/// As [`seed::load`], or an error of the queue.
pub async fn load_seed(enqueuer: &Enqueuer<'_>, tx: &mut Tx, seed: &Seed) -> Result<Seeded, Error> {
    let seeded = seed::load(tx, seed, enqueuer.now()).await?;
    for org in seed.organizations_with_numbers() {
        thread::find_numbers(enqueuer, tx, &org).await?;
    }
    Ok(seeded)
}
