//! `/api/messages/threads` and `/api/sitter/threads`

use std::borrow::Cow;

use axum::Json;
use axum::extract::State;
use nightshift_domain::Error as DomainError;
use nightshift_domain::ids::{BookingId, MessageId, SitterId, ThreadId};
use nightshift_domain::messaging::change::{self, Patch};
use nightshift_domain::messaging::inbox::{self, Filter, ThreadView};
use nightshift_domain::messaging::messages::{self, MessageView, Texts};
use nightshift_domain::messaging::numbers::NumberClass;
use nightshift_domain::messaging::opt_outs;
use nightshift_domain::messaging::post::{Author, Post, Posted};
use nightshift_domain::messaging::threads::{Mailbox, Scope, ThreadStatus};
use nightshift_domain::page::Limit;
use nightshift_jobs::Enqueuer;
use nightshift_jobs::sms::{self, PostedText};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::web::answer::Answer;
use crate::web::auth::{Caller, Principal};
use crate::web::body::{JsonBody, OptionalJson};
use crate::web::error::Result;
use crate::web::idempotency::Answering;
use crate::web::path::Path;
use crate::web::query::{self, Query};
use crate::web::state::Web;

/// The filters of a list.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = ThreadsQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListQuery {
    /// The maximum number of rows on the page.
    #[serde(default)]
    limit: Limit,
    /// The `nextCursor` of the previous page.
    cursor: Option<String>,
    /// `owner` by default.
    #[serde(default)]
    mailbox: Mailboxes,
    scope: Option<Scope>,
    number_class: Option<NumberClass>,
    /// Whether the conversation has texts that the owner has not read.
    unread: Option<bool>,
    /// Whether the owner has put the conversation away.
    done: Option<bool>,
    status: Option<ThreadStatus>,
    booking_id: Option<BookingId>,
    /// Only conversations whose client's name, client's phone number or sitter's name contains this text.
    q: Option<String>,
}

/// One mailbox, or both.
#[derive(Default, ToSchema)]
#[schema(as = MailboxFilter, rename_all = "lowercase")]
pub enum Mailboxes {
    /// The owner's mailbox.
    #[default]
    Owner,
    /// The sitters' mailbox.
    Sitter,
    /// Both mailboxes.
    All,
}

impl<'de> Deserialize<'de> for Mailboxes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match &*Cow::<str>::deserialize(deserializer)? {
            "owner" => Ok(Self::Owner),
            "sitter" => Ok(Self::Sitter),
            "all" => Ok(Self::All),
            _ => Err(serde::de::Error::custom("must be owner, sitter or all")),
        }
    }
}

/// A page of conversations.
#[derive(Serialize, ToSchema)]
#[schema(as = ThreadList)]
#[serde(rename_all = "camelCase")]
pub struct Threads {
    threads: Vec<ThreadView>,
    next_cursor: Option<String>,
}

/// `GET /api/messages/threads`
pub async fn list(State(web): State<Web>, caller: Caller, Query(query): Query<ListQuery>) -> Result<Json<Threads>> {
    let ListQuery { limit, cursor, mailbox, scope, number_class, unread, done, status, booking_id, q } = query;
    let mailbox = match mailbox {
        Mailboxes::Owner => Some(Mailbox::Owner),
        Mailboxes::Sitter => Some(Mailbox::Sitter),
        Mailboxes::All => None,
    };
    let filter = Filter { mailbox, scope, number_class, unread, done, status, booking_id, sitter_id: None, q };
    let page = inbox::list(&web.db, &caller.org_viewer()?, &filter, cursor.as_deref(), limit, web.clock.now()).await?;
    Ok(Json(Threads { threads: page.items, next_cursor: page.next_cursor }))
}

/// A conversation.
#[derive(Serialize, ToSchema)]
#[schema(as = ThreadShown)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    thread: ThreadView,
}

/// `GET /api/messages/threads/{id}`
pub async fn show(State(web): State<Web>, caller: Caller, Path(id): Path<ThreadId>) -> Result<Json<Shown>> {
    let thread = inbox::view(&web.db, &caller.org_viewer()?, &id, web.clock.now()).await?;
    Ok(Json(Shown { thread }))
}

/// The requested texts of a conversation.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = MessagesQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MessagesQuery {
    /// The maximum number of texts.
    #[serde(default)]
    limit: Limit,
    /// Only texts before this one. The latest texts by default.
    before: Option<MessageId>,
}

/// The texts of a conversation, oldest first.
#[derive(Serialize, ToSchema)]
#[schema(as = MessageList)]
#[serde(rename_all = "camelCase")]
pub struct Messages {
    messages: Vec<MessageView>,
    /// What to send as `upTo` to mark the conversation as read by somebody who has seen these texts and what they marked
    /// before. What is unread on other pages stays unread; from the page with the oldest unread text on, each newer page
    /// marks more.
    read_up_to: i64,
}

/// A text that is queued for sending.
#[derive(Serialize, ToSchema)]
#[schema(as = MessageSent)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    message: MessageView,
    /// The job that sends the text. Null if there is none.
    job_id: Option<String>,
}

/// `GET /api/messages/threads/{id}/messages`
pub async fn messages(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<ThreadId>,
    Query(MessagesQuery { limit, before }): Query<MessagesQuery>,
) -> Result<Json<Messages>> {
    let viewer = caller.org_viewer()?;
    let Texts { messages, read_up_to } =
        messages::list(&web.db, &viewer, &id, before.as_ref(), limit, web.clock.now()).await?;
    Ok(Json(Messages { messages, read_up_to }))
}

/// `POST /api/messages/threads/{id}/messages`
pub async fn send(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<ThreadId>,
    JsonBody(post): JsonBody<Post>,
) -> Result<Answer<Sent>> {
    let (org, by, enqueuer) = (caller.org()?, caller.actor(), Enqueuer::of_request(&web.queue));
    let viewer = caller.viewer();
    let author = match (caller.principal(), viewer.sitter_id()) {
        (_, Some(sitter)) => Author::Sitter(sitter.clone()),
        (Principal::User { user, .. }, None) => Author::Owner(Some(user.id.clone())),
        _ => Author::Owner(None),
    };
    let mut tx = web.db.begin().await?;
    let PostedText { posted, job } = sms::post(&enqueuer, &mut tx, org, &id, &author, &post, &by).await?;
    let message_id = match &posted {
        Posted::Queued { message_id, .. } => message_id,
        Posted::Blocked(blocked) => {
            // The blocked attempt is stored for the record.
            tx.commit().await?;
            return Err(DomainError::from(*blocked).into());
        }
    };
    let message = messages::view(&mut tx, &viewer, message_id).await?;
    answering.commit(&web, tx, Sent { message, job_id: job }).await
}

/// What somebody has read.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = ReadUpTo)]
#[serde(rename_all = "camelCase", default)]
pub struct ReadUpTo {
    /// The `readUpTo` of the list of texts that was shown: what has arrived since stays unread. Everything is marked as
    /// read if this is missing.
    up_to: Option<i64>,
}

/// `POST /api/messages/threads/{id}/read`
pub async fn read(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<ThreadId>,
    OptionalJson(ReadUpTo { up_to }): OptionalJson<ReadUpTo>,
) -> Result<Answer<Shown>> {
    let (viewer, now) = (caller.org_viewer()?, web.clock.now());
    let mut tx = web.db.begin().await?;
    change::read(&mut tx, &viewer, &id, up_to, now).await?;
    let thread = inbox::view_in(&mut tx, &viewer, &id, now).await?;
    answering.commit(&web, tx, Shown { thread }).await
}

/// `PATCH /api/messages/threads/{id}`
pub async fn change(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<ThreadId>,
    JsonBody(patch): JsonBody<Patch>,
) -> Result<Answer<Shown>> {
    let (org, now) = (caller.org()?, web.clock.now());
    let mut tx = web.db.begin().await?;
    change::change(&mut tx, org, &id, &patch, &caller.actor(), now).await?;
    let thread = inbox::view_in(&mut tx, &caller.viewer(), &id, now).await?;
    answering.commit(&web, tx, Shown { thread }).await
}

/// A page of a list.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = SitterThreadsQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PageQuery {
    /// The maximum number of rows on the page.
    #[serde(default)]
    limit: Limit,
    /// The `nextCursor` of the previous page.
    cursor: Option<String>,
}

/// `GET /api/sitters/{id}/messages`
pub async fn of_sitter(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<SitterId>,
    Query(PageQuery { limit, cursor }): Query<PageQuery>,
) -> Result<Json<Threads>> {
    let page = inbox::of_sitter(&web.db, &caller.org_viewer()?, &id, cursor.as_deref(), limit, web.clock.now()).await?;
    Ok(Json(Threads { threads: page.items, next_cursor: page.next_cursor }))
}

/// A decision about texts that seem to ask for no more texts.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OptOutDecision {
    /// `true`: the person gets no more texts. `false`: the texts mean something else.
    accept: bool,
}

/// What was decided.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OptOutDecided {
    /// Whether the person gets no texts.
    opted_out: bool,
    /// The texts that the decision was about.
    message_ids: Vec<MessageId>,
}

/// `POST /api/messages/threads/{id}/opt-out`
pub async fn decide_opt_out(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<ThreadId>,
    JsonBody(OptOutDecision { accept }): JsonBody<OptOutDecision>,
) -> Result<Answer<OptOutDecided>> {
    let (org, by) = (caller.org()?, caller.actor());
    let mut tx = web.db.begin().await?;
    let opt_outs::Decision { opted_out, texts } =
        opt_outs::decide(&mut tx, org, &id, accept, &by, web.clock.now()).await?;
    answering.commit(&web, tx, OptOutDecided { opted_out, message_ids: texts }).await
}

/// The sitter whose conversations are listed.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = OpenThreadsQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenQuery {
    /// The maximum number of rows on the page.
    #[serde(default)]
    limit: Limit,
    /// The `nextCursor` of the previous page.
    cursor: Option<String>,
    /// The sitter. Only accepted where authentication is off.
    sitter_id: Option<SitterId>,
}

/// `GET /api/sitter/threads`: lists the conversations that are open to the calling sitter. Where authentication is off,
/// those open to the named sitter, or to any sitter.
pub async fn open_to_sitter(
    State(web): State<Web>,
    caller: Caller,
    Query(OpenQuery { limit, cursor, sitter_id: named }): Query<OpenQuery>,
) -> Result<Json<Threads>> {
    if named.is_some() && !matches!(caller.principal(), Principal::Local { .. }) {
        return Err(query::refused([("sitterId".to_owned(), query::UNKNOWN.to_owned())].into()));
    }
    let viewer = caller.org_viewer()?;
    let (named, cursor, now) = (named.as_ref(), cursor.as_deref(), web.clock.now());
    let page = inbox::open_to_sitter(&web.db, &viewer, named, cursor, limit, now).await?;
    Ok(Json(Threads { threads: page.items, next_cursor: page.next_cursor }))
}
