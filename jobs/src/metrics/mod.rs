//! Figures about how fast sitters answer, and the sitters themselves.

pub mod nightly;
pub mod sitter_window;

use std::time::Duration;

use nightshift_db::Tx;
use nightshift_domain::actor::Actor;
use nightshift_domain::ids::{OrgId, SitterId};
use nightshift_domain::messaging::handover;
use nightshift_domain::offers;
use nightshift_domain::people::sitters::{self, Patched, SitterPatch};

use crate::enqueuer::Enqueuer;
use crate::error::Error;

use sitter_window::MetricsSitterWindow;

/// The time between a change and the computation, in which further changes join it.
const COMPUTED_AFTER: Duration = Duration::from_secs(60);

/// Has a sitter's figures computed again, because an answer or an offer has changed them.
pub(crate) async fn sitter_changed(enqueuer: &Enqueuer<'_>, tx: &mut Tx, sitter: &SitterId) -> Result<(), Error> {
    let org = sitters::org_of(tx, sitter).await?;
    let new = enqueuer.new_job(&MetricsSitterWindow { sitter_id: sitter.clone() })?.org(org.as_str());
    enqueuer.enqueue_to_see(tx, new.run_at(enqueuer.now() + COMPUTED_AFTER)).await?;
    Ok(())
}

/// Changes a sitter. One who is no longer active can't accept offers, so those that wait for their answer are withdrawn, and
/// their conversations with clients go to the owner.
/// The figures of one who is active again are computed, since the nightly computation left them out.
///
/// # Errors
/// As [`sitters::patch`], or an error of the queue.
pub async fn change_sitter(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    org: &OrgId,
    sitter: &SitterId,
    patch: SitterPatch,
    by: &Actor,
) -> Result<Patched, Error> {
    let now = enqueuer.now();
    // Whoever makes offers holds the sitter's row before the booking, so from now on there are no new ones.
    let patched = sitters::patch(tx, org, sitter, patch, by, now).await?;
    if patched.deactivated {
        offers::sitter_left(tx, org, sitter, by, now).await?;
        handover::sitter_left(tx, org, sitter, by, now).await?;
    }
    if patched.reactivated {
        sitter_changed(enqueuer, tx, sitter).await?;
    }
    Ok(patched)
}
