//! `/api/bookings`

use axum::Json;
use axum::extract::State;
use nightshift_db::{Timestamp, Tx};
use nightshift_domain::bookings::{self, BookingView, Draft, Filter, HistoryEntry, Patch, Status};
use nightshift_domain::ids::{BookingId, ClientId, SitterId};
use nightshift_domain::page::Limit;
use nightshift_domain::people::organizations;
use nightshift_domain::warning::Warning;
use nightshift_jobs::Enqueuer;
use nightshift_jobs::booking::{self, Changed, CreatedBooking};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::web::answer::{Answer, Created};
use crate::web::auth::Caller;
use crate::web::body::{JsonBody, OptionalJson};
use crate::web::error::{ApiError, Result};
use crate::web::idempotency::Answering;
use crate::web::path::Path;
use crate::web::query::Query;
use crate::web::state::Web;

/// A booking that was created or changed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BookingChanged {
    booking: BookingView,
    /// The job that does the work that follows. Null if none does.
    job_id: Option<String>,
    /// Warnings about unusual values. Usually empty.
    warnings: Vec<Warning>,
}

/// `POST /api/bookings`
pub async fn create(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    JsonBody(draft): JsonBody<Draft>,
) -> Result<Created<BookingChanged>> {
    let (org, by, enqueuer) = (caller.org()?, caller.actor(), Enqueuer::of_request(&web.queue));
    let new = draft.check(organizations::country(&web.db, org).await?)?;
    let mut tx = web.db.begin().await?;
    let CreatedBooking { created, job } = booking::create(&enqueuer, &mut tx, org, new, &by).await?;
    let booking = bookings::view_in(&mut tx, &caller.viewer(), &created.booking.id).await?;
    let body = BookingChanged { booking, job_id: Some(job), warnings: created.warnings };
    answering.commit(&web, tx, body).await
}

/// The filters of a list.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = BookingsQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListQuery {
    /// The maximum number of rows on the page.
    #[serde(default)]
    limit: Limit,
    /// The `nextCursor` of the previous page.
    cursor: Option<String>,
    status: Option<Status>,
    /// Only bookings that start at or after this time.
    from: Option<Timestamp>,
    /// Only bookings that start before this time.
    to: Option<Timestamp>,
    client_id: Option<ClientId>,
    sitter_id: Option<SitterId>,
    /// Only bookings whose client's name, client's phone number or service contains this text.
    q: Option<String>,
}

/// A page of bookings.
#[derive(Serialize, ToSchema)]
#[schema(as = BookingList)]
#[serde(rename_all = "camelCase")]
pub struct Bookings {
    bookings: Vec<BookingView>,
    next_cursor: Option<String>,
}

/// `GET /api/bookings`
pub async fn list(State(web): State<Web>, caller: Caller, Query(query): Query<ListQuery>) -> Result<Json<Bookings>> {
    let ListQuery { limit, cursor, status, from, to, client_id, sitter_id, q } = query;
    let filter = Filter { status, from, to, client_id, sitter_id, q };
    let page = bookings::list(&web.db, &caller.org_viewer()?, &filter, cursor.as_deref(), limit).await?;
    Ok(Json(Bookings { bookings: page.items, next_cursor: page.next_cursor }))
}

/// A booking.
#[derive(Serialize, ToSchema)]
#[schema(as = BookingShown)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    booking: BookingView,
}

/// `GET /api/bookings/{id}`
pub async fn show(State(web): State<Web>, caller: Caller, Path(id): Path<BookingId>) -> Result<Json<Shown>> {
    let booking = bookings::view(&web.db, &caller.org_viewer()?, &id).await?;
    Ok(Json(Shown { booking }))
}

/// `PATCH /api/bookings/{id}`
pub async fn change(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<BookingId>,
    JsonBody(patch): JsonBody<Patch>,
) -> Result<Answer<BookingChanged>> {
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
) -> Result<Answer<BookingChanged>> {
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
) -> Result<Answer<BookingChanged>> {
    let (org, by, enqueuer) = (caller.org()?, caller.actor(), Enqueuer::of_request(&web.queue));
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_CHARS_MAX) {
        return Err(ApiError::invalid("reason", format!("must be at most {REASON_CHARS_MAX} characters")));
    }
    let mut tx = web.db.begin().await?;
    let changed = booking::cancel(&enqueuer, &mut tx, org, &id, reason.as_deref(), &by).await?;
    answer_change(&web, &caller, answering, tx, changed).await
}

/// The changes of a booking's status, oldest first.
#[derive(Serialize, ToSchema)]
#[schema(as = StatusHistory)]
#[serde(rename_all = "camelCase")]
pub struct History {
    history: Vec<HistoryEntry>,
}

/// `GET /api/bookings/{id}/status-history`
pub async fn status_history(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<BookingId>,
) -> Result<Json<History>> {
    let history = bookings::status_history(&web.db, &caller.viewer(), &id).await?;
    Ok(Json(History { history }))
}

const REASON_CHARS_MAX: usize = 4000;

/// No body, or `{}`.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = Nothing)]
pub struct Empty {}

/// The reason of a cancellation.
#[derive(Default, Deserialize, ToSchema)]
pub struct Cancellation {
    /// At most 4000 characters.
    reason: Option<String>,
}

/// Commits a change and answers with the changed booking.
async fn answer_change(
    web: &Web,
    caller: &Caller,
    answering: Answering,
    mut tx: Tx,
    Changed { change, job }: Changed,
) -> Result<Answer<BookingChanged>> {
    let booking = bookings::view_in(&mut tx, &caller.viewer(), &change.booking.id).await?;
    answering.commit(web, tx, BookingChanged { booking, job_id: job, warnings: change.warnings }).await
}
