//! Posting a text: who may post, and the operation that people and automations share.
//!
//! The rules are checked in the transaction that stores the text. The module `delivery` sends it.

use nightshift_db::{Timestamp, Tx};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::delivery::{self, HoldReason};
use super::disturbance;
use super::masking::WaitingText;
use super::message::{ActorType, Direction};
use super::opt_outs;
use super::threads::{self, Scope, Thread, ThreadStatus};
use super::windows::{self, WindowStatus};
use crate::actor::Actor;
use crate::audit::{self, Event};
use crate::automations;
use crate::field_errors::{FieldErrors, TextLimit};
use crate::ids::{AutomationRunId, MessageId, NumberId, OrgId, SitterId, ThreadId, UserId};
use crate::metrics::response_links::{self, Responder};
use crate::stream;
use crate::{Error, Result};

/// The longest text that the carriers accept.
const BODY: TextLimit = TextLimit { chars_max: 1600 };
const CLIENT_REF: TextLimit = TextLimit { chars_max: 128 };

#[derive(Debug, Clone)]
pub enum Author {
    /// The owner, or an integration with the owner's rights. `None` for an integration.
    Owner(Option<UserId>),
    /// A sitter, who may post only while a window of theirs is active.
    Sitter(SitterId),
}

/// A text to post.
#[derive(Clone, Deserialize, ToSchema)]
#[schema(as = NewMessage)]
#[serde(rename_all = "camelCase")]
pub struct Post {
    /// The text itself, 1 to 1600 characters.
    pub body: String,
    /// Send the text during quiet hours as well (owners only). Overrides neither an opt-out nor a window. With the
    /// `clientRef` of a text that waits for their end, that text leaves now.
    #[serde(default)]
    pub force_send: bool,
    /// The caller's own reference for this text. Posting the same reference again returns the first text.
    #[serde(default)]
    pub client_ref: Option<String>,
}

/// Why a text may not be posted. The refusal is in the audit log, so the caller must commit the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocked {
    WindowClosed,
    /// The thread has no number in service.
    NoNumber,
    ThreadClosed,
    /// The recipient opted out of texts.
    OptedOut,
    /// The client is a short code or a name, which can't be texted.
    NoRecipient,
}

impl Blocked {
    /// Returns the code that the API and the audit log use.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::WindowClosed => "window_closed",
            Self::NoNumber => "no_number",
            Self::ThreadClosed => "thread_closed",
            Self::OptedOut => "opted_out",
            Self::NoRecipient => "no_recipient",
        }
    }

    /// Returns a sentence for the person who tried to post.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::WindowClosed => "you can message only during assignment windows",
            Self::NoNumber => "this conversation has no number to send from",
            Self::ThreadClosed => "this conversation is closed",
            Self::OptedOut => "the recipient asked to get no more messages",
            Self::NoRecipient => "the sender of these messages can't be answered: it is a short code or a name",
        }
    }
}

impl From<Blocked> for Error {
    fn from(blocked: Blocked) -> Self {
        match blocked {
            Blocked::WindowClosed => Self::forbidden(blocked.code(), blocked.sentence()),
            Blocked::NoNumber | Blocked::ThreadClosed | Blocked::OptedOut | Blocked::NoRecipient => {
                Self::conflict(blocked.code(), blocked.sentence())
            }
        }
    }
}

#[derive(Debug, Clone)]
#[must_use = "enqueue what follows: `sms.send` for a new text, `metrics.sitter_window` for an answer"]
pub enum Posted {
    /// The text is stored and queued. `sms.send` must follow unless `repeated`.
    Queued {
        message_id: MessageId,
        thread_id: ThreadId,
        /// The end of the quiet hours that the text waits for, if any.
        not_before: Option<Timestamp>,
        /// Whether the same reference was posted before, so that no job must follow.
        repeated: bool,
        /// The sitter whose figures must be computed again, because the text answers a client.
        answered_for: Option<SitterId>,
        /// A text that was posted before and may leave now, whatever the hour. Make its job due.
        freed: Option<WaitingText>,
    },
    /// The text was refused. Commit the transaction, since the audit log records the attempt, and return this as an
    /// error.
    Blocked(Blocked),
}

/// Stores a text of a person for sending.
///
/// # Errors
/// [`Error::Invalid`] if the body is empty or too long, [`Error::NotFound`] if the author can't see the thread, and
/// [`Error::Conflict`] `client_ref_reused` if the reference belongs to another text.
pub async fn post(
    tx: &mut Tx,
    org: &OrgId,
    thread: &ThreadId,
    author: &Author,
    post: &Post,
    by: &Actor,
    now: Timestamp,
) -> Result<Posted> {
    check(post)?;
    let thread = threads::lock(tx, thread).await?;
    if thread.org_id != *org {
        return Err(Error::NotFound);
    }
    if let Some(posted) = posted_before(tx, &thread, author, post, now).await? {
        return Ok(posted);
    }
    let blocked = match author {
        Author::Sitter(sitter) => sitter_block(tx, &thread, sitter, now).await?,
        Author::Owner(_) => None,
    };
    let ready = match blocked {
        Some(blocked) => Err(blocked),
        None => ready_to_send(tx, &thread).await?,
    };
    let from = match ready {
        Ok(from) => from,
        Err(blocked) => {
            let entry = thread.warning(Event::MessageBlocked, by).metadata(json!({"reason": blocked.code()}));
            audit::record(tx, entry, now).await?;
            return Ok(Posted::Blocked(blocked));
        }
    };
    let may_disturb_until = match author {
        Author::Owner(_) if post.force_send => Some(disturbance::regardless(now)),
        Author::Owner(_) | Author::Sitter(_) => disturbance::answers(tx, &thread, now).await?,
    };
    let not_before = match may_disturb_until {
        Some(_) => None,
        None => automations::quiet_hours_of(tx, &thread.org_id).await?.and_then(|quiet| quiet.end_after(now)),
    };
    let (actor_type, actor_id) = match author {
        Author::Owner(user) => (ActorType::Owner, user.as_ref().map(ToString::to_string)),
        Author::Sitter(sitter) => (ActorType::Sitter, Some(sitter.to_string())),
    };
    let message_id = MessageId::new(now);
    let new = NewMessage {
        id: &message_id,
        thread: &thread,
        actor_type,
        actor_id,
        body: &post.body,
        from: &from,
        run: None,
        client_ref: post.client_ref.as_deref(),
        confirms: None,
        may_disturb_until,
        held_until: not_before,
    };
    if !insert(tx, new, now).await? {
        return Err(Error::NotFound);
    }
    let responder = match author {
        Author::Owner(_) => Responder::Owner,
        Author::Sitter(_) => Responder::Sitter,
    };
    let answered_for = response_links::answer(tx, &thread.id, &message_id, responder, now).await?;
    Ok(Posted::Queued { message_id, thread_id: thread.id, not_before, repeated: false, answered_for, freed: None })
}

/// Stores the text of an automation run for sending, by the same rules as [`post`]. A run has at most one text. It may
/// leave during quiet hours until `may_disturb_until`.
///
/// # Errors
/// [`Error::NotFound`] if there is no such thread.
pub async fn post_for_run(
    tx: &mut Tx,
    thread: &ThreadId,
    run: &AutomationRunId,
    body: &str,
    may_disturb_until: Option<Timestamp>,
    by: &Actor,
    now: Timestamp,
) -> Result<Posted> {
    let thread = threads::lock(tx, thread).await?;
    let standing: Option<(MessageId,)> =
        tx.query("SELECT id FROM message_events WHERE automation_run_id = $1").bind(run).optional().await?;
    if let Some((message_id,)) = standing {
        return Ok(Posted::Queued {
            message_id,
            thread_id: thread.id,
            not_before: None,
            repeated: true,
            answered_for: None,
            freed: None,
        });
    }
    let from = match ready_to_send(tx, &thread).await? {
        Ok(from) => from,
        Err(blocked) => {
            let metadata = json!({"reason": blocked.code(), "automationRunId": run});
            audit::record(tx, thread.warning(Event::MessageBlocked, by).metadata(metadata), now).await?;
            return Ok(Posted::Blocked(blocked));
        }
    };
    let body: String = body.chars().take(BODY.chars_max).collect();
    let message_id = MessageId::new(now);
    let new = NewMessage {
        id: &message_id,
        thread: &thread,
        actor_type: ActorType::Automation,
        actor_id: None,
        body: &body,
        from: &from,
        run: Some(run),
        client_ref: None,
        confirms: None,
        may_disturb_until,
        held_until: None,
    };
    let inserted = insert(tx, new, now).await?;
    debug_assert!(inserted, "the thread is locked and the run had no text");
    Ok(Posted::Queued {
        message_id,
        thread_id: thread.id,
        not_before: None,
        repeated: false,
        answered_for: None,
        freed: None,
    })
}

/// Stores a reply of the program itself to an inbound text, with a given id, from the number to which the person wrote.
/// A reply to the text that opted its author out confirms it.
///
/// # Errors
/// [`Error::NotFound`] if there is no such thread.
pub(super) async fn store_reply(
    tx: &mut Tx,
    id: &MessageId,
    to: &MessageId,
    thread: &ThreadId,
    from: &NumberId,
    body: &str,
    now: Timestamp,
) -> Result<()> {
    let thread = threads::lock(tx, thread).await?;
    let person = opt_outs::of_thread(tx, &thread.id).await?;
    let confirms = match person {
        Some(person) => opt_outs::is_opted_out_by(tx, &thread.org_id, &person, to).await?,
        None => false,
    };
    // A reply to a text that was taken in late is expected no longer than one in time.
    let wrote_at: Option<(Timestamp,)> = tx
        .query("SELECT COALESCE(provider_at, created_at) FROM message_events WHERE id = $1")
        .bind(to)
        .optional()
        .await?;
    let wrote_at = wrote_at.map_or(now, |(at,)| at.min(now));
    let body: String = body.chars().take(BODY.chars_max).collect();
    let new = NewMessage {
        id,
        thread: &thread,
        actor_type: ActorType::System,
        actor_id: None,
        body: &body,
        from,
        run: None,
        client_ref: None,
        confirms: confirms.then_some(to),
        may_disturb_until: Some(disturbance::regardless(wrote_at)),
        held_until: None,
    };
    let inserted = insert(tx, new, now).await?;
    debug_assert!(inserted, "the id is new, and neither a run nor a reference has a text yet");
    Ok(())
}

fn check(post: &Post) -> Result<()> {
    let mut field_errors = FieldErrors::default();
    if post.body.trim().is_empty() {
        field_errors.add("body", "is required");
    } else if !BODY.allows(&post.body) {
        field_errors.add("body", "must be at most 1600 characters");
    }
    if post.client_ref.as_deref().is_some_and(|reference| !CLIENT_REF.allows(reference)) {
        field_errors.add("clientRef", "must be 1 to 128 characters");
    }
    field_errors.finish()
}

/// Returns the text that was stored before under the same reference. If it waits for the end of quiet hours and the owner
/// now wants it sent regardless of them, it waits no longer.
async fn posted_before(
    tx: &mut Tx,
    thread: &Thread,
    author: &Author,
    post: &Post,
    now: Timestamp,
) -> Result<Option<Posted>> {
    let Some(reference) = &post.client_ref else { return Ok(None) };
    let standing: Option<(MessageId, String)> = tx
        .query("SELECT id, body FROM message_events WHERE thread_id = $1 AND client_ref = $2")
        .bind(&thread.id)
        .bind(reference)
        .optional()
        .await?;
    let Some((message_id, body)) = standing else { return Ok(None) };
    if body != post.body {
        return Err(Error::conflict("client_ref_reused", "this clientRef is already used for another message"));
    }
    let freed = match author {
        Author::Owner(_) if post.force_send => {
            delivery::free(tx, &message_id, disturbance::regardless(now), now).await?
        }
        Author::Owner(_) | Author::Sitter(_) => None,
    };
    Ok(Some(Posted::Queued {
        message_id,
        thread_id: thread.id.clone(),
        not_before: None,
        repeated: true,
        answered_for: None,
        freed,
    }))
}

/// Returns why this sitter may not post to the thread now, if so. A thread that was never the sitter's is `NotFound`.
async fn sitter_block(tx: &mut Tx, thread: &Thread, sitter: &SitterId, now: Timestamp) -> Result<Option<Blocked>> {
    let with_client = matches!(thread.scope, Scope::ClientBooking | Scope::ClientGeneral);
    match windows::of_sitter(tx, &thread.id, sitter, now).await? {
        Some(WindowStatus::Active) if with_client => Ok(None),
        Some(_) => Ok(Some(Blocked::WindowClosed)),
        None if with_client && thread.assigned_sitter_id.as_ref() == Some(sitter) => Ok(Some(Blocked::WindowClosed)),
        None => Err(Error::NotFound),
    }
}

/// Returns the number to send from, or the reason why nothing may be sent from this thread.
async fn ready_to_send(tx: &mut Tx, thread: &Thread) -> Result<Result<NumberId, Blocked>> {
    if thread.status == ThreadStatus::Closed {
        return Ok(Err(Blocked::ThreadClosed));
    }
    match opt_outs::of_thread(tx, &thread.id).await? {
        Some(person) if opt_outs::is_opted_out(tx, &thread.org_id, &person).await? => {
            return Ok(Err(Blocked::OptedOut));
        }
        None if thread.client_id.is_some() => return Ok(Err(Blocked::NoRecipient)),
        _ => {}
    }
    let number = tx
        .query("SELECT id FROM message_numbers WHERE id = $1 AND status = 'active'")
        .bind(&thread.message_number_id)
        .optional()
        .await?;
    Ok(number.map_or(Err(Blocked::NoNumber), |(number,)| Ok(number)))
}

struct NewMessage<'a> {
    id: &'a MessageId,
    thread: &'a Thread,
    actor_type: ActorType,
    actor_id: Option<String>,
    body: &'a str,
    from: &'a NumberId,
    run: Option<&'a AutomationRunId>,
    client_ref: Option<&'a str>,
    /// The STOP that the text confirms.
    confirms: Option<&'a MessageId>,
    /// Until when the text may leave during quiet hours.
    may_disturb_until: Option<Timestamp>,
    /// The end of the quiet hours that the text waits for.
    held_until: Option<Timestamp>,
}

/// Stores an outbound text and publishes it to the thread's stream topics. Returns false if its run or reference
/// already has a text.
async fn insert(tx: &mut Tx, new: NewMessage<'_>, now: Timestamp) -> Result<bool> {
    let inserted = tx
        .query(
            "INSERT INTO message_events
                 (id, org_id, thread_id, direction, actor_type, actor_id, body, from_number_id, status,
                  automation_run_id, client_ref, confirms_stop, created_at, updated_at, may_disturb_until, held_until,
                  hold_reason)
             VALUES ($1, $2, $3, 'outbound', $4, $5, $6, $7, 'queued', $8, $9, $10, $11, $11, $12, $13, $14)
             ON CONFLICT DO NOTHING",
        )
        .bind(new.id)
        .bind(&new.thread.org_id)
        .bind(&new.thread.id)
        .bind(new.actor_type)
        .bind(&new.actor_id)
        .bind(new.body)
        .bind(new.from)
        .bind(new.run)
        .bind(new.client_ref)
        .bind(new.confirms)
        .bind(now)
        .bind(new.may_disturb_until)
        .bind(new.held_until)
        .bind(new.held_until.map(|_| HoldReason::QuietHours))
        .execute()
        .await?;
    if inserted == 0 {
        return Ok(false);
    }
    tx.query("UPDATE message_threads SET last_message_at = $2, updated_at = $2 WHERE id = $1")
        .bind(&new.thread.id)
        .bind(now)
        .execute()
        .await?;
    let data = json!({"messageId": new.id, "threadId": new.thread.id, "direction": Direction::Outbound});
    let mut topics = vec!["threads".to_owned(), format!("thread:{}", new.thread.id)];
    topics.extend(new.thread.assigned_sitter_id.as_ref().map(|sitter| format!("sitter:{sitter}")));
    for topic in topics {
        stream::append(tx, Some(&new.thread.org_id), &topic, "message.new", &data, now).await?;
    }
    Ok(true)
}
