//! The second half of an inbound text's way: the text is stored, and so is everything that follows from it.

use nightshift_db::{Json, Timestamp, Tx};
use serde_json::json;

use super::consider::Routing;
use super::place::{self, Place};
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::ids::{ClientId, MessageId, SitterId, ThreadId};
use crate::messaging::message::{ActorType, Direction};
use crate::messaging::opt_outs::{self, Change, OptOutSource, Permission};
use crate::messaging::routing::trace::{self, NewTrace};
use crate::messaging::routing::{Arrived, Author, KeywordReply, Opting, Outcome};
use crate::messaging::threads::{self, Thread};
use crate::messaging::{beginning, disturbance, masking, numbers};
use crate::metrics::response_links::{self, ClientWrote};
use crate::{Result, stream};

/// What became of a text.
#[derive(Debug)]
#[must_use = "send the reply, look for a number if the conversation has none, and compute the sitter's figures"]
pub enum Stored {
    /// It is stored in this conversation.
    In {
        message: MessageId,
        thread: ThreadId,
        /// Our answer to a keyword, to be sent from the number to which the text was sent.
        reply: Option<String>,
        /// Whether the conversation has no number in service, so that `thread.assign_number` must follow.
        needs_number: bool,
        /// The sitter whose figures change, because the text before was not answered in time.
        unanswered_by: Option<SitterId>,
    },
    /// The same text was stored meanwhile, for another webhook.
    Repeated,
    /// The conversation was closed meanwhile. Consider the text again.
    Moved,
}

/// Stores a text where it was routed: the text and its trace, what it changes in its conversation, what it says about its
/// sender's wish to get texts, and the live updates.
///
/// # Errors
/// An error of the database.
pub async fn store(tx: &mut Tx, text: &Arrived, routing: &Routing, by: &Actor, now: Timestamp) -> Result<Stored> {
    let Some(Place { thread, is_new }) = place::find(tx, routing, now).await? else { return Ok(Stored::Moved) };
    let (message, at) = (text.message(), text.at());
    if !insert(tx, text, &message, &thread, routing, now).await? {
        return Ok(Stored::Repeated);
    }
    threads::received(tx, &thread.id, &message, at, now).await?;
    let (office, decision) = (&routing.office, &routing.decision);
    let new = NewTrace {
        org: Some(&office.org),
        inbox: &text.inbox,
        message: Some(&message),
        thread: Some(&thread.id),
        decision,
    };
    trace::record(tx, &new, now).await?;
    log(tx, text, &thread, is_new, routing, by, now).await?;
    announce(tx, &thread, &message, routing, now).await?;
    let reply = match routing.from.phone() {
        Some(phone) => {
            let change = Change { org: &office.org, phone, message: Some(&message), at, by };
            obey(tx, routing, &change, now).await?
        }
        None => None,
    };
    let unanswered_by = await_response(tx, routing, &thread, &message, at, now).await?;
    let needs_number = is_new && !has_number(tx, &thread).await?;
    if needs_number {
        masking::report_missing(tx, &thread.id, now).await?;
    }
    Ok(Stored::In { message, thread: thread.id, reply, needs_number, unanswered_by })
}

/// Has the time until the answer measured if somebody is to answer the text, and can: nobody may write to a person who
/// wants no texts. Returns the sitter whose figures change.
async fn await_response(
    tx: &mut Tx,
    routing: &Routing,
    thread: &Thread,
    message: &MessageId,
    at: Timestamp,
    now: Timestamp,
) -> Result<Option<SitterId>> {
    let (org, decision) = (&routing.office.org, &routing.decision);
    let is_answered = decision.author == Author::Client && decision.outcome != Outcome::Onboarding;
    let Some(phone) = routing.from.phone().filter(|_| is_answered && !decision.is_keyword) else { return Ok(None) };
    if opt_outs::permission(tx, org, phone, None, now).await? != Permission::Send {
        return Ok(None);
    }
    let wrote = ClientWrote { org, thread: &thread.id, message, sitter: decision.sitter.as_ref(), at };
    response_links::open(tx, &wrote, now).await
}

/// Inserts the text. Returns false if it is stored already.
async fn insert(
    tx: &mut Tx,
    text: &Arrived,
    message: &MessageId,
    thread: &Thread,
    routing: &Routing,
    now: Timestamp,
) -> Result<bool> {
    let decision = &routing.decision;
    let (actor_type, actor_id) = match &decision.author {
        Author::Client => (ActorType::Client, thread.client_id.as_ref().map(ClientId::as_str)),
        Author::Sitter(sitter) => (ActorType::Sitter, Some(sitter.as_str())),
    };
    let (body, truncated) = text.kept();
    // A person decides about a wish; nobody is opted out by a guess.
    let wishes = decision.opting.is_none() && routing.from.phone().is_some() && opt_outs::is_wish(&body);
    let inserted = tx
        .query(
            "INSERT INTO message_events
                 (id, org_id, thread_id, direction, actor_type, actor_id, body, media, provider_message_sid, status,
                  routed_to, provider_at, truncated, opt_out_wish, created_at, updated_at)
             VALUES ($1, $2, $3, 'inbound', $4, $5, $6, $7, $8, 'received', $9, $10, $11, $12, $13, $13)
             ON CONFLICT DO NOTHING",
        )
        .bind(message)
        .bind(&thread.org_id)
        .bind(&thread.id)
        .bind(actor_type)
        .bind(actor_id)
        .bind(&body)
        .bind(Json(text.kept_media()))
        .bind(&text.sid)
        .bind(decision.routed_to)
        .bind(text.at())
        .bind(truncated)
        .bind(wishes.then_some("suggested"))
        .bind(now)
        .execute()
        .await?;
    Ok(inserted == 1)
}

async fn log(
    tx: &mut Tx,
    text: &Arrived,
    thread: &Thread,
    is_new: bool,
    routing: &Routing,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    if is_new {
        beginning::record(tx, thread, Some(&text.inbox), by, now).await?;
    }
    let decision = &routing.decision;
    let metadata = json!({
        "messageId": text.message(),
        "messageNumberId": routing.office.number.id,
        "outcome": decision.outcome,
        "routedTo": decision.routed_to,
        "media": text.media.len(),
    });
    let mut entry = thread.entry(Event::MessageReceived, "success", by).inbox(&text.inbox).metadata(metadata);
    if let Author::Sitter(sitter) = &decision.author {
        entry = entry.sitter(sitter);
    }
    audit::record(tx, entry, now).await
}

/// Publishes the text to those who watch its conversation.
async fn announce(tx: &mut Tx, thread: &Thread, message: &MessageId, routing: &Routing, now: Timestamp) -> Result<()> {
    let data = json!({
        "messageId": message,
        "threadId": thread.id,
        "direction": Direction::Inbound,
        "routedTo": routing.decision.routed_to,
    });
    let mut sitters: Vec<&SitterId> = Vec::new();
    sitters.extend(&thread.assigned_sitter_id);
    sitters.extend(routing.decision.sitter.iter().filter(|sitter| thread.assigned_sitter_id.as_ref() != Some(*sitter)));
    let mut topics = vec!["threads".to_owned(), format!("thread:{}", thread.id)];
    topics.extend(sitters.into_iter().map(|sitter| format!("sitter:{sitter}")));
    for topic in topics {
        stream::append(tx, Some(&thread.org_id), &topic, "message.new", &data, now).await?;
    }
    Ok(())
}

/// Records what a keyword says about its sender's wish to get texts. Returns our answer, if the carrier does not give
/// one.
async fn obey(tx: &mut Tx, routing: &Routing, change: &Change<'_>, now: Timestamp) -> Result<Option<String>> {
    let decision = &routing.decision;
    let is_news = match decision.opting {
        Some(Opting::Out) => opt_outs::stop(tx, change, OptOutSource::Keyword, now).await?,
        Some(Opting::In) => opt_outs::start(tx, change, now).await?,
        Some(Opting::LiftCarrier) => opt_outs::lift_carrier(tx, change, now).await?,
        None => false,
    };
    let Some(reply) = decision.reply else { return Ok(None) };
    // One confirmation is enough, who wants no texts gets no others, and nobody waits for an answer to an old text.
    let wanted = match reply {
        KeywordReply::Stopped => is_news,
        KeywordReply::Started | KeywordReply::Help => {
            now < disturbance::regardless(change.at) && !opt_outs::is_opted_out(tx, change.org, change.phone).await?
        }
    };
    Ok(wanted.then(|| reply.body(&routing.office.name)))
}

async fn has_number(tx: &mut Tx, thread: &Thread) -> Result<bool> {
    let Some(id) = &thread.message_number_id else { return Ok(false) };
    Ok(numbers::load(tx, id).await?.is_some_and(|number| number.is_in_service()))
}
