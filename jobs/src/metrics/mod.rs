//! Figures about how fast sitters answer.

use nightshift_db::Tx;
use nightshift_domain::ids::SitterId;

use crate::enqueuer::Enqueuer;
use crate::error::Error;

/// Has a sitter's figures computed again, because an answer or an offer has changed them.
pub(crate) async fn sitter_changed(enqueuer: &Enqueuer<'_>, tx: &mut Tx, sitter: &SitterId) -> Result<(), Error> {
    let _ = (enqueuer, tx, sitter);
    Ok(())
}
