//! Offers to sitters.

use nightshift_db::Tx;
use nightshift_domain::actor::Actor;
use nightshift_domain::ids::{OrgId, SitterId};
use nightshift_domain::offers::Command;

use crate::enqueuer::Enqueuer;
use crate::error::Error;

/// Answers an offer by a sitter's text. Returns what to reply.
///
/// # Errors
/// An error of the database or the queue.
pub(crate) async fn answer_by_text(
    enqueuer: &Enqueuer<'_>,
    tx: &mut Tx,
    org: &OrgId,
    sitter: &SitterId,
    command: Command,
    by: &Actor,
) -> Result<String, Error> {
    let _ = (enqueuer, tx, org, sitter, command, by);
    Ok(String::new())
}
