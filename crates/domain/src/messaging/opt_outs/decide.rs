//! What the owner decides about a text that seems to ask for no more texts.
//!
//! The owner may also opt a person out who said so in another way. Nobody but the person can undo it: they text START.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::suggestion::{OptOutWish, settle_person, settle_thread};
use super::{Change, OptOutSource, hold, is_opted_out, of_thread, stop};
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::ids::{MessageId, OrgId, ThreadId};
use crate::{Error, Result};

/// The result of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whether the person wants no texts.
    pub opted_out: bool,
    /// The texts that were decided about.
    pub texts: Vec<MessageId>,
}

/// Decides about the texts of a thread that seem to ask for no more texts. To accept opts the person out, also if no
/// text suggests it. Deciding again changes nothing.
///
/// # Errors
/// [`Error::NotFound`] if the organisation has no such thread; [`Error::Conflict`] `no_recipient` if the thread's texts
/// go to nobody, and `opted_out` if there is nothing to dismiss and the person wants no texts.
pub async fn decide(
    tx: &mut Tx,
    org: &OrgId,
    thread: &ThreadId,
    accept: bool,
    by: &Actor,
    now: Timestamp,
) -> Result<Decision> {
    let of: Option<(OrgId,)> =
        tx.query("SELECT org_id FROM message_threads WHERE id = $1").bind(thread).optional().await?;
    if of.is_none_or(|(of,)| of != *org) {
        return Err(Error::NotFound);
    }
    let Some(phone) = of_thread(tx, thread).await? else {
        return Err(Error::conflict("no_recipient", "this conversation is with nobody who gets texts"));
    };
    hold(tx, org, &phone).await?;
    let texts = if accept {
        settle_person(tx, org, &phone, now, OptOutWish::Accepted, now).await?
    } else {
        settle_thread(tx, org, thread, OptOutWish::Dismissed, now).await?
    };
    if !texts.is_empty() {
        let metadata = json!({"accepted": accept, "messageIds": texts});
        let entry = crate::audit_entry(Event::OptOutWishDecided, "success", by).org(org).thread(thread);
        audit::record(tx, entry.metadata(metadata), now).await?;
    }
    if accept {
        let change = Change { org, phone: &phone, message: texts.last(), at: now, by };
        stop(tx, &change, OptOutSource::Owner, now).await?;
        return Ok(Decision { opted_out: true, texts });
    }
    let opted_out = is_opted_out(tx, org, &phone).await?;
    if opted_out && texts.is_empty() {
        return Err(Error::conflict(
            "opted_out",
            "this person gets no more messages; only they can change it, by texting START",
        ));
    }
    Ok(Decision { opted_out, texts })
}
