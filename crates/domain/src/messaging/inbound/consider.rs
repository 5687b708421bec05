//! The first half of an inbound text's way: whether it is new, and where it goes.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use crate::Result;
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::exceptions::{self, ExceptionKind, NewException, Severity};
use crate::ids::OrgId;
use crate::messaging::opt_outs;
use crate::messaging::routing::trace::{self, NewTrace};
use crate::messaging::routing::{self, Arrived, Decision, Known, Office, Opting, Sender};
use crate::phone::PhoneNumber;

/// What is to be done with a text.
#[derive(Debug)]
pub enum Considered {
    /// Store it where the decision says.
    Route(Box<Routing>),
    /// It was stored before, in this organisation.
    Repeated(Option<OrgId>),
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
        record_unroutable(tx, text, &facts.number, &decision, by, now).await?;
        return Ok(Considered::Unroutable);
    };
    if let Some(phone) = facts.from.phone()
        && changes_wish(tx, &office.org, phone, decision.opting).await?
    {
        opt_outs::hold(tx, &office.org, phone).await?;
    }
    Ok(Considered::Route(Box::new(Routing { office, from: facts.from, decision })))
}

/// Whether the text may change its sender's wish to get texts, whose lock comes before those of bookings and
/// conversations. Most texts that say YES change nothing, and need not wait for anybody.
async fn changes_wish(tx: &mut Tx, org: &OrgId, phone: &PhoneNumber, opting: Option<Opting>) -> Result<bool> {
    match opting {
        None => Ok(false),
        Some(Opting::Out | Opting::In) => Ok(true),
        Some(Opting::LiftCarrier) => opt_outs::is_opted_out(tx, org, phone).await,
    }
}

/// Returns the organisation of a text that is stored or recorded already; the inner value is `None` if it was
/// unroutable. Index: `routing_traces_inbox`, `message_events_sid`.
async fn stored(tx: &mut Tx, text: &Arrived) -> Result<Option<Option<OrgId>>> {
    let traced: Option<(Option<OrgId>,)> =
        tx.query("SELECT org_id FROM routing_traces WHERE inbox_id = $1").bind(&text.inbox).optional().await?;
    if let Some((org,)) = traced {
        return Ok(Some(org));
    }
    let known: Option<(OrgId,)> = tx
        .query("SELECT org_id FROM message_events WHERE provider_message_sid = $1")
        .bind(&text.sid)
        .optional()
        .await?;
    Ok(known.map(|(org,)| Some(org)))
}

async fn record_unroutable(
    tx: &mut Tx,
    text: &Arrived,
    number: &str,
    decision: &Decision,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let new = NewTrace { org: None, inbox: &text.inbox, message: None, thread: None, decision };
    trace::record(tx, &new, now).await?;
    let metadata = json!({"number": number, "carrier": text.carrier});
    let entry = crate::audit_entry(Event::MessageUnroutable, "warning", by).inbox(&text.inbox).metadata(metadata);
    audit::record(tx, entry, now).await?;
    // All texts to one number are one problem.
    let kind = ExceptionKind::SmsUnroutable;
    let problem = NewException::new(kind, Severity::High, format!("{kind}:{}", text.to.trim_start_matches('+')))
        .title("A text was sent to a number that no organisation has")
        .inbox(&text.inbox)
        .detail(json!({"number": number, "carrier": text.carrier, "inboxId": text.inbox}));
    exceptions::raise(tx, &problem, now).await?;
    Ok(())
}
