//! `/api/messages/threads` and `/api/sitter/threads`

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use nightshift_domain::Error as DomainError;
use nightshift_domain::ids::{MessageId, SitterId, ThreadId};
use nightshift_domain::messaging::inbox::{self, Filter};
use nightshift_domain::messaging::messages;
use nightshift_domain::messaging::post::{Author, Post, Posted};
use nightshift_domain::messaging::threads::Mailbox;
use nightshift_jobs::Enqueuer;
use nightshift_jobs::sms::{self, Written};
use serde_json::{Value, json};

use super::params::Params;
use crate::web::auth::{Caller, Principal};
use crate::web::body::JsonBody;
use crate::web::error::{ApiError, Result};
use crate::web::idempotency::Answering;
use crate::web::state::Web;

/// `GET /api/messages/threads`
pub async fn list(State(web): State<Web>, caller: Caller, mut params: Params) -> Result<Json<Value>> {
    let (limit, cursor) = params.page();
    let mailbox = params.text("mailbox");
    let filter = Filter {
        mailbox: mailbox_of(mailbox.as_deref().unwrap_or("owner"))?,
        scope: params.word("scope"),
        number_class: params.word("numberClass"),
        unread: params.parsed("unread", "true or false"),
        booking_id: params.id("bookingId"),
        sitter_id: None,
        q: params.text("q"),
    };
    params.finish()?;
    let page = inbox::list(&web.db, &caller.org_viewer()?, &filter, cursor.as_deref(), limit, web.clock.now()).await?;
    Ok(Json(json!({"threads": page.items, "nextCursor": page.next_cursor})))
}

fn mailbox_of(word: &str) -> Result<Option<Mailbox>> {
    match word {
        "all" => Ok(None),
        word => word.parse().map(Some).map_err(|_| ApiError::invalid("mailbox", "must be owner, sitter or all")),
    }
}

/// `GET /api/messages/threads/{id}`
pub async fn show(State(web): State<Web>, caller: Caller, Path(id): Path<ThreadId>) -> Result<Json<Value>> {
    let thread = inbox::view(&web.db, &caller.org_viewer()?, &id, web.clock.now()).await?;
    Ok(Json(json!({"thread": thread})))
}

/// `GET /api/messages/threads/{id}/messages`
pub async fn messages(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<ThreadId>,
    mut params: Params,
) -> Result<Json<Value>> {
    let before: Option<MessageId> = params.id("before");
    let limit = params.limit();
    params.finish()?;
    let viewer = caller.org_viewer()?;
    let messages = messages::list(&web.db, &viewer, &id, before.as_ref(), limit, web.clock.now()).await?;
    Ok(Json(json!({"messages": messages})))
}

/// `POST /api/messages/threads/{id}/messages`
pub async fn send(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<ThreadId>,
    JsonBody(post): JsonBody<Post>,
) -> Result<Response> {
    let (org, by, enqueuer) = (caller.org()?, caller.actor(), Enqueuer::of_request(&web.queue));
    let viewer = caller.viewer();
    let author = match (caller.principal(), viewer.sitter_id()) {
        (_, Some(sitter)) => Author::Sitter(sitter.clone()),
        (Principal::User { user, .. }, None) => Author::Owner(Some(user.id.clone())),
        _ => Author::Owner(None),
    };
    let mut tx = web.db.begin().await?;
    let Written { posted, job } = sms::post(&enqueuer, &mut tx, org, &id, &author, &post, &by).await?;
    let message_id = match &posted {
        Posted::Queued { message_id, .. } => message_id,
        Posted::Blocked(blocked) => {
            // The attempt is on record.
            tx.commit().await?;
            return Err(DomainError::from(*blocked).into());
        }
    };
    let message = messages::view(&mut tx, &viewer, message_id).await?;
    answering.commit(&web, tx, StatusCode::OK, json!({"message": message, "jobId": job})).await
}

/// `GET /api/sitter/threads`: those that are open to the sitter who asks. Where authentication is off, to the one that
/// is named, or to any.
pub async fn open_to_sitter(State(web): State<Web>, caller: Caller, mut params: Params) -> Result<Json<Value>> {
    let named: Option<SitterId> = match caller.principal() {
        Principal::Local { .. } => params.id("sitterId"),
        _ => None,
    };
    params.finish()?;
    let viewer = caller.org_viewer()?;
    let threads = inbox::open_to_sitter(&web.db, &viewer, named.as_ref(), web.clock.now()).await?;
    Ok(Json(json!({"threads": threads})))
}
