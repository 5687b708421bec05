//! Who wants no texts from an organisation.
//!
//! A wish belongs to a person, who is known by their phone number: it holds for all numbers of the organisation and
//! whether the person is a client, a sitter or somebody who asked for an appointment. Another organisation's texts are
//! not affected.
//!
//! **No text is asked for after the transaction of an opt-out has committed.** [`permission`], which is called in the
//! transaction that records the intent to send, and the changes here hold one lock of the person, so that of a text and
//! a STOP one comes after the other has committed. A text that was asked for before may still arrive.
//!
//! The lock of a person is taken last: after those of bookings, threads and texts. Whoever holds it waits for none of
//! these; the texts that a change marks as decided are inbound ones, which nobody else locks while they wait for a wish.
//! Links between texts and their answers are opened and ended after it.

/// A statement about the clients of an organisation, whose column is named. Those of the platform have no organisation.
/// The index of phone numbers is another one for them, so the statement is another, too.
macro_rules! of_clients {
    ($org:expr, $before:literal, $column:literal, $after:literal) => {
        if $crate::people::organizations::is_platform($org) {
            concat!($before, " (", $column, " IS NULL AND CAST($1 AS TEXT) IS NOT NULL) ", $after)
        } else {
            concat!($before, " (", $column, " = $1) ", $after)
        }
    };
}

mod confirmation;
mod decide;
mod keyword;
mod person;
mod standing;
mod store;
mod suggestion;
mod wish;

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use self::standing::{Moment, Standing};
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::ids::{MessageId, OrgId};
use crate::metrics::response_links;
use crate::phone::PhoneNumber;
use crate::{Result, advisory};

pub use confirmation::{Confirms, Permission};
pub use decide::{Decision, decide};
pub use keyword::{Heard, Keyword, heard, keyword};
pub use person::{of_client, of_sitter, of_thread};
pub use standing::OptOutSource;
pub use suggestion::OptOutWish;
pub use wish::is_wish;

/// A change of somebody's wish to get texts.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    pub org: &'a OrgId,
    /// The person, whatever else is known about them: a client, a sitter or a requester.
    pub phone: &'a PhoneNumber,
    /// The text that says so, if one does. It is stored already.
    pub message: Option<&'a MessageId>,
    /// The carrier's time of the text, or the time of the decision. For a refusal by the carrier, when the refused
    /// text began to be sent.
    pub at: Timestamp,
    pub by: &'a Actor,
}

/// Waits until nobody else changes this person's wish and no text is just about to be sent to them, and keeps it so until
/// the transaction ends. The functions that change a wish call it.
pub(super) async fn hold(tx: &mut Tx, org: &OrgId, phone: &PhoneNumber) -> Result<()> {
    advisory::wish(tx, org, phone).await
}

/// Records that a person wants no more texts, unless they have asked for texts again after `change.at`. Returns whether
/// this is news: they were not opted out, or only the owner or the carrier had said so.
pub async fn stop(tx: &mut Tx, change: &Change<'_>, source: OptOutSource, now: Timestamp) -> Result<bool> {
    let (before, after) = apply(tx, change, |standing, moment| standing.stopped(moment, source), now).await?;
    if after.opt_out.is_some() {
        response_links::end_unanswerable(tx, change.org, change.phone, now).await?;
    }
    let Some(opt_out) = after.opt_out.filter(|after| before.opt_out.is_none_or(|before| before.source < after.source))
    else {
        return Ok(false);
    };
    suggestion::settle_person(tx, change.org, change.phone, change.at, OptOutWish::Accepted, now).await?;
    let metadata = json!({"source": opt_out.source, "since": opt_out.since, "messageId": change.message});
    record(tx, change, Event::RecipientOptedOut, metadata, now).await?;
    Ok(true)
}

/// Records that a person wants texts again, and lifts whatever was said before `change.at`. Returns whether this is
/// news: they were opted out, and are no longer.
pub async fn start(tx: &mut Tx, change: &Change<'_>, now: Timestamp) -> Result<bool> {
    let (before, after) = apply(tx, change, Standing::started, now).await?;
    suggestion::settle_person(tx, change.org, change.phone, change.at, OptOutWish::Dismissed, now).await?;
    lifted(tx, change, &before, &after, now).await
}

/// As [`start`], but lifts only what the carrier reported. It is remembered, because the refusal of a text from before
/// may be reported later.
pub async fn lift_carrier(tx: &mut Tx, change: &Change<'_>, now: Timestamp) -> Result<bool> {
    let (before, after) = apply(tx, change, Standing::unblocked, now).await?;
    lifted(tx, change, &before, &after, now).await
}

/// Whether this person wants no texts, as far as is known now. It may change at any time; the last check before a text
/// is sent is [`permission`].
pub async fn is_opted_out(tx: &mut Tx, org: &OrgId, phone: &PhoneNumber) -> Result<bool> {
    Ok(store::load(tx, org, phone).await?.opt_out.is_some())
}

/// Whether it is this text that says that the person wants no texts.
pub async fn is_opted_out_by(tx: &mut Tx, org: &OrgId, phone: &PhoneNumber, text: &MessageId) -> Result<bool> {
    let opt_out = store::load(tx, org, phone).await?.opt_out;
    Ok(opt_out.is_some_and(|opt_out| opt_out.message.as_ref() == Some(text)))
}

/// Decides whether a text may be sent to a person. Until the transaction ends, nobody changes the answer. `confirms` is
/// the STOP that the text confirms, if it does.
pub async fn permission(
    tx: &mut Tx,
    org: &OrgId,
    phone: &PhoneNumber,
    confirms: Option<&Confirms>,
    now: Timestamp,
) -> Result<Permission> {
    advisory::wish_shared(tx, org, phone).await?;
    let standing = store::load(tx, org, phone).await?;
    Ok(confirmation::permission(standing.opt_out.as_ref(), confirms, now))
}

/// Changes what is known about a person. Returns it before and after.
async fn apply(
    tx: &mut Tx,
    change: &Change<'_>,
    rule: impl FnOnce(Standing, &Moment) -> Standing,
    now: Timestamp,
) -> Result<(Standing, Standing)> {
    hold(tx, change.org, change.phone).await?;
    let before = store::load(tx, change.org, change.phone).await?;
    let after = rule(before.clone(), &Moment { at: change.at, message: change.message.cloned() });
    if after != before {
        store::save(tx, change.org, change.phone, &after, now).await?;
    }
    Ok((before, after))
}

async fn lifted(tx: &mut Tx, change: &Change<'_>, before: &Standing, after: &Standing, now: Timestamp) -> Result<bool> {
    let Some(opt_out) = before.opt_out.as_ref().filter(|_| after.opt_out.is_none()) else { return Ok(false) };
    let metadata = json!({"source": opt_out.source, "since": opt_out.since, "messageId": change.message});
    record(tx, change, Event::RecipientOptedIn, metadata, now).await?;
    Ok(true)
}

async fn record(
    tx: &mut Tx,
    change: &Change<'_>,
    event: Event,
    metadata: serde_json::Value,
    now: Timestamp,
) -> Result<()> {
    let mut entry = crate::audit_entry(event, "success", change.by).org(change.org);
    let people = person::named(tx, change.org, change.phone).await?;
    if let Some(client) = &people.client {
        entry = entry.client(client);
    }
    if let Some(sitter) = &people.sitter {
        entry = entry.sitter(sitter);
    }
    if let Some(message) = change.message
        && let Some(thread) = person::thread_of(tx, message).await?
    {
        entry = entry.thread(&thread);
    }
    audit::record(tx, entry.metadata(metadata), now).await
}
