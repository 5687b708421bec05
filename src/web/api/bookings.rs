//! `/api/bookings`

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use nightshift_db::Tx;
use nightshift_domain::bookings::{self, Draft, Filter, Patch};
use nightshift_domain::ids::BookingId;
use nightshift_domain::people::organizations;
use nightshift_jobs::Enqueuer;
use nightshift_jobs::booking::{self, Changed, Made};
use serde::Deserialize;
use serde_json::{Value, json};

use super::params::Params;
use crate::web::auth::Caller;
use crate::web::body::{JsonBody, OptionalJson};
use crate::web::error::{ApiError, Result};
use crate::web::idempotency::Answering;
use crate::web::state::Web;

/// `POST /api/bookings`
pub async fn create(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    JsonBody(draft): JsonBody<Draft>,
) -> Result<Response> {
    let (org, by, enqueuer) = (caller.org()?, caller.actor(), Enqueuer::of_request(&web.queue));
    let new = draft.check(organizations::country(&web.db, org).await?)?;
    let mut tx = web.db.begin().await?;
    let Made { created, job } = booking::create(&enqueuer, &mut tx, org, new, &by).await?;
    let booking = bookings::view_in(&mut tx, &caller.viewer(), &created.booking.id).await?;
    let body = json!({"booking": booking, "jobId": job, "warnings": created.warnings});
    answering.commit(&web, tx, StatusCode::CREATED, body).await
}

/// `GET /api/bookings`
pub async fn list(State(web): State<Web>, caller: Caller, mut params: Params) -> Result<Json<Value>> {
    let (limit, cursor) = params.page();
    let filter = Filter {
        status: params.word("status"),
        from: params.time("from"),
        to: params.time("to"),
        client_id: params.id("clientId"),
        sitter_id: params.id("sitterId"),
        q: params.text("q"),
    };
    params.finish()?;
    let page = bookings::list(&web.db, &caller.org_viewer()?, &filter, cursor.as_deref(), limit).await?;
    Ok(Json(json!({"bookings": page.items, "nextCursor": page.next_cursor})))
}

/// `GET /api/bookings/{id}`
pub async fn show(State(web): State<Web>, caller: Caller, Path(id): Path<BookingId>) -> Result<Json<Value>> {
    let booking = bookings::view(&web.db, &caller.org_viewer()?, &id).await?;
    Ok(Json(json!({"booking": booking})))
}

/// `PATCH /api/bookings/{id}`
pub async fn change(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<BookingId>,
    JsonBody(patch): JsonBody<Patch>,
) -> Result<Response> {
    let (org, by, enqueuer) = (caller.org()?, caller.actor(), Enqueuer::of_request(&web.queue));
    let mut tx = web.db.begin().await?;
    let changed = booking::change(&enqueuer, &mut tx, org, &id, patch, &by).await?;
    answer_change(&web, &caller, answering, tx, changed).await
}

/// `POST /api/bookings/{id}/confirm`
pub async fn confirm(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<BookingId>,
    OptionalJson(Empty {}): OptionalJson<Empty>,
) -> Result<Response> {
    let (org, by, enqueuer) = (caller.org()?, caller.actor(), Enqueuer::of_request(&web.queue));
    let mut tx = web.db.begin().await?;
    let changed = booking::confirm(&enqueuer, &mut tx, org, &id, &by).await?;
    answer_change(&web, &caller, answering, tx, changed).await
}

/// `POST /api/bookings/{id}/cancel`
pub async fn cancel(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<BookingId>,
    OptionalJson(Cancellation { reason }): OptionalJson<Cancellation>,
) -> Result<Response> {
    let (org, by, enqueuer) = (caller.org()?, caller.actor(), Enqueuer::of_request(&web.queue));
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_CHARS_MAX) {
        return Err(ApiError::invalid("reason", format!("must be at most {REASON_CHARS_MAX} characters")));
    }
    let mut tx = web.db.begin().await?;
    let changed = booking::cancel(&enqueuer, &mut tx, org, &id, reason.as_deref(), &by).await?;
    answer_change(&web, &caller, answering, tx, changed).await
}

/// `GET /api/bookings/{id}/status-history`
pub async fn status_history(State(web): State<Web>, caller: Caller, Path(id): Path<BookingId>) -> Result<Json<Value>> {
    let history = bookings::status_history(&web.db, &caller.viewer(), &id).await?;
    Ok(Json(json!({"history": history})))
}

const REASON_CHARS_MAX: usize = 4000;

/// No body, or `{}`.
#[derive(Default, Deserialize)]
pub struct Empty {}

/// Why.
#[derive(Default, Deserialize)]
pub struct Cancellation {
    reason: Option<String>,
}

/// Answers a change with the booking as it now stands.
async fn answer_change(
    web: &Web,
    caller: &Caller,
    answering: Answering,
    mut tx: Tx,
    Changed { change, job }: Changed,
) -> Result<Response> {
    let booking = bookings::view_in(&mut tx, &caller.viewer(), &change.booking.id).await?;
    let body = json!({"booking": booking, "jobId": job, "warnings": change.warnings});
    answering.commit(web, tx, StatusCode::OK, body).await
}
