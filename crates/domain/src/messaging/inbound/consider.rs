//! The first half of an inbound text's way: whether it is new, and where it goes.

use nightshift_db::{Timestamp, Tx};

use super::unroutable;
use crate::Result;
use crate::actor::Actor;
use crate::ids::OrgId;
use crate::messaging::routing::{self, Arrived, Decision, Known, Office, Sender};
use crate::phone::PhoneNumber;

/// What is to be done with a text.
#[derive(Debug)]
pub enum Considered {
    /// Store it where the decision says.
    Route(Box<Routing>),
    /// It was stored before, in this organisation.
    Repeated(OrgId),
    /// It was sent to no number of ours, which is recorded.
    Unroutable,
}

/// The decision about a text, and what it is based on.
#[derive(Debug)]
pub struct Routing {
    pub office: Office,
    pub from: Sender,
    pub decision: Decision,
}

/// Decides where a text goes. A text for an unknown number is recorded as unroutable.
pub async fn consider(
    tx: &mut Tx,
    text: &Arrived,
    onboarding: &PhoneNumber,
    by: &Actor,
    now: Timestamp,
) -> Result<Considered> {
    if let Some(org) = stored(tx, text).await? {
        return Ok(Considered::Repeated(org));
    }
    let Known { facts, office } = routing::load(tx, text, onboarding, now).await?;
    let decision = routing::decide(&facts);
    let Some(office) = office else {
        unroutable::record(tx, text, &facts.number, &decision, by, now).await?;
        return Ok(Considered::Unroutable);
    };
    Ok(Considered::Route(Box::new(Routing { office, from: facts.from, decision })))
}

/// Returns the organisation of a text that is stored already. One that was unroutable is not, so that it is routed once
/// somebody has its number. Index: `message_events_sid`, the primary key.
async fn stored(tx: &mut Tx, text: &Arrived) -> Result<Option<OrgId>> {
    let known: Option<(OrgId,)> = tx
        .query("SELECT org_id FROM message_events WHERE provider_message_sid = $1 OR id = $2")
        .bind(&text.sid)
        .bind(text.message())
        .optional()
        .await?;
    Ok(known.map(|(org,)| org))
}
