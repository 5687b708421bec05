//! Links between a client's text and its answer by a sitter or the owner.

use nightshift_db::{Timestamp, Tx};

use crate::Result;
use crate::ids::{MessageId, OrgId, SitterId, ThreadId};
use crate::messaging::post::Author;

/// A client's text.
#[derive(Debug, Clone)]
pub struct ClientWrote<'a> {
    pub org: &'a OrgId,
    pub thread: &'a ThreadId,
    pub message: &'a MessageId,
    /// The sitter of the active window, or to whom the text was routed.
    pub sitter: Option<&'a SitterId>,
    /// The carrier's time of the text.
    pub at: Timestamp,
}

/// Opens a link for a client's text, unless one is open in the thread.
pub async fn open(tx: &mut Tx, wrote: &ClientWrote<'_>, now: Timestamp) -> Result<()> {
    let _ = (tx, wrote, now);
    Ok(())
}

/// Answers the open link of a thread by a text of the owner or a sitter. Returns the sitter whose metrics change.
pub async fn answer(
    tx: &mut Tx,
    thread: &ThreadId,
    message: &MessageId,
    author: &Author,
    now: Timestamp,
) -> Result<Option<SitterId>> {
    let _ = (tx, thread, message, author, now);
    Ok(None)
}
