//! `/api/messages/threads` and `/api/sitter/threads`

use std::borrow::Cow;

use axum::Json;
use axum::extract::State;
use nightshift_domain::Error as DomainError;
use nightshift_domain::ids::{BookingId, MessageId, SitterId, ThreadId};
use nightshift_domain::messaging::inbox::{self, Filter, ThreadView};
use nightshift_domain::messaging::messages::{self, MessageView};
use nightshift_domain::messaging::numbers::NumberClass;
use nightshift_domain::messaging::post::{Author, Post, Posted};
use nightshift_domain::messaging::threads::{Mailbox, Scope};
use nightshift_domain::page::Limit;
use nightshift_jobs::Enqueuer;
use nightshift_jobs::sms::{self, PostedText};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::web::answer::Answer;
use crate::web::auth::{Caller, Principal};
use crate::web::body::JsonBody;
use crate::web::error::Result;
use crate::web::idempotency::Answering;
use crate::web::path::Path;
use crate::web::query::{self, Query};
use crate::web::state::Web;

/// What narrows the list.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = ThreadsQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListQuery {
    /// Rows of a page.
    #[serde(default)]
    limit: Limit,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
    /// `owner` when not given.
    #[serde(default)]
    mailbox: Mailboxes,
    scope: Option<Scope>,
    number_class: Option<NumberClass>,
    /// With or without texts that the owner has not read.
    unread: Option<bool>,
    booking_id: Option<BookingId>,
    /// Those whose client's or sitter's name or whose client's phone holds this text.
    q: Option<String>,
}

/// One mailbox, or all of them.
#[derive(Default, ToSchema)]
#[schema(as = MailboxFilter, rename_all = "lowercase")]
pub enum Mailboxes {
    /// The owner's.
    #[default]
    Owner,
    /// The sitters'.
    Sitter,
    /// Both.
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
    let ListQuery { limit, cursor, mailbox, scope, number_class, unread, booking_id, q } = query;
    let mailbox = match mailbox {
        Mailboxes::Owner => Some(Mailbox::Owner),
        Mailboxes::Sitter => Some(Mailbox::Sitter),
        Mailboxes::All => None,
    };
    let filter = Filter { mailbox, scope, number_class, unread, booking_id, sitter_id: None, q };
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

/// What narrows the list.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = MessagesQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MessagesQuery {
    /// At most so many.
    #[serde(default)]
    limit: Limit,
    /// Those before this text; the latest ones when not given.
    before: Option<MessageId>,
}

/// Texts, oldest first.
#[derive(Serialize, ToSchema)]
#[schema(as = MessageList)]
#[serde(rename_all = "camelCase")]
pub struct Messages {
    messages: Vec<MessageView>,
}

/// A text that will be sent.
#[derive(Serialize, ToSchema)]
#[schema(as = MessageSent)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    message: MessageView,
    /// The job that sends it.
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
    let messages = messages::list(&web.db, &viewer, &id, before.as_ref(), limit, web.clock.now()).await?;
    Ok(Json(Messages { messages }))
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
            // The attempt is on record.
            tx.commit().await?;
            return Err(DomainError::from(*blocked).into());
        }
    };
    let message = messages::view(&mut tx, &viewer, message_id).await?;
    answering.commit(&web, tx, Sent { message, job_id: job }).await
}

/// What narrows the list.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = OpenThreadsQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpenQuery {
    /// Whose, where authentication is off; elsewhere there is no such parameter.
    sitter_id: Option<SitterId>,
}

/// Conversations open to a sitter.
#[derive(Serialize, ToSchema)]
#[schema(as = OpenThreadList)]
#[serde(rename_all = "camelCase")]
pub struct OpenThreads {
    threads: Vec<ThreadView>,
}

/// `GET /api/sitter/threads`: those that are open to the sitter who asks. Where authentication is off, to the one that
/// is named, or to any.
pub async fn open_to_sitter(
    State(web): State<Web>,
    caller: Caller,
    Query(OpenQuery { sitter_id: named }): Query<OpenQuery>,
) -> Result<Json<OpenThreads>> {
    if named.is_some() && !matches!(caller.principal(), Principal::Local { .. }) {
        return Err(query::refused([("sitterId".to_owned(), query::UNKNOWN.to_owned())].into()));
    }
    let viewer = caller.org_viewer()?;
    let threads = inbox::open_to_sitter(&web.db, &viewer, named.as_ref(), web.clock.now()).await?;
    Ok(Json(OpenThreads { threads }))
}
