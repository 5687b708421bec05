//! `/api/exceptions`

use axum::Json;
use axum::extract::State;
use nightshift_domain::exceptions::{self, Counts, ExceptionStatus, ExceptionView, Filter, Severity};
use nightshift_domain::ids::{BookingId, ExceptionId, UserId};
use nightshift_domain::page::Limit;
use nightshift_domain::reconciliation::{self, DriftView};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::web::answer::Answer;
use crate::web::auth::Caller;
use crate::web::body::JsonBody;
use crate::web::error::{ApiError, Result};
use crate::web::idempotency::Answering;
use crate::web::path::Path;
use crate::web::query::Query;
use crate::web::state::Web;

/// The filters of a list.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = ExceptionListQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListQuery {
    /// The maximum number of rows on the page.
    #[serde(default)]
    limit: Limit,
    /// The `nextCursor` of the previous page.
    cursor: Option<String>,
    /// The kind of exception.
    #[serde(rename = "type")]
    kind: Option<String>,
    severity: Option<Severity>,
    /// `open` by default.
    status: Option<ExceptionStatus>,
    booking_id: Option<BookingId>,
}

/// A page of exceptions.
#[derive(Serialize, ToSchema)]
#[schema(as = ExceptionList)]
#[serde(rename_all = "camelCase")]
pub struct Exceptions {
    exceptions: Vec<ExceptionView>,
    /// The number of exceptions on all pages, by severity.
    counts: Counts,
    next_cursor: Option<String>,
}

/// `GET /api/exceptions`
pub async fn list(State(web): State<Web>, caller: Caller, Query(query): Query<ListQuery>) -> Result<Json<Exceptions>> {
    let ListQuery { limit, cursor, kind, severity, status, booking_id: booking } = query;
    let filter = Filter { kind, severity, status, booking };
    let viewer = caller.viewer();
    let page = exceptions::list(&web.db, &viewer, &filter, cursor.as_deref(), limit).await?;
    let counts = exceptions::counts(&web.db, &viewer, &filter).await?;
    Ok(Json(Exceptions { exceptions: page.items, counts, next_cursor: page.next_cursor }))
}

/// An exception. If it is about a price, also the drift between the stored and the calculated price.
#[derive(Serialize, ToSchema)]
#[schema(as = ExceptionShown)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    exception: ExceptionView,
    drift: Option<DriftView>,
}

/// `GET /api/exceptions/{id}`
pub async fn show(State(web): State<Web>, caller: Caller, Path(id): Path<ExceptionId>) -> Result<Json<Shown>> {
    let viewer = caller.viewer();
    let exception = exceptions::get(&web.db, &viewer, &id).await?;
    let drift = match &exception.drift_id {
        Some(drift) => reconciliation::drift_of_exception(&web.db, &viewer, drift).await?,
        None => None,
    };
    Ok(Json(Shown { exception, drift }))
}

/// An exception that was changed.
#[derive(Serialize, ToSchema)]
pub struct ExceptionChanged {
    exception: ExceptionView,
}

/// How an exception was resolved.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct Resolution {
    /// 1 to 4000 characters.
    #[schema(required = true)]
    note: String,
}

/// `POST /api/exceptions/{id}/resolve`
pub async fn resolve(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<ExceptionId>,
    JsonBody(Resolution { note }): JsonBody<Resolution>,
) -> Result<Answer<ExceptionChanged>> {
    let mut tx = web.db.begin().await?;
    let item = exceptions::close(&mut tx, &caller.viewer(), &id, &note, &caller.actor(), web.clock.now()).await?;
    answering.commit(&web, tx, ExceptionChanged { exception: item }).await
}

/// When a snoozed exception comes back.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct Snooze {
    /// Must not be in the past.
    #[schema(required = true, format = DateTime)]
    until: String,
}

/// `POST /api/exceptions/{id}/snooze`
pub async fn snooze(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<ExceptionId>,
    JsonBody(Snooze { until }): JsonBody<Snooze>,
) -> Result<Answer<ExceptionChanged>> {
    let until = until
        .parse()
        .map_err(|_| ApiError::invalid("until", "must be an RFC 3339 time such as 2024-12-31T10:00:00Z"))?;
    let mut tx = web.db.begin().await?;
    let item = exceptions::snooze(&mut tx, &caller.viewer(), &id, until, &caller.actor(), web.clock.now()).await?;
    answering.commit(&web, tx, ExceptionChanged { exception: item }).await
}

/// The user to whom an exception is assigned.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    user_id: UserId,
}

/// `POST /api/exceptions/{id}/assign`
pub async fn assign(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<ExceptionId>,
    JsonBody(Assignment { user_id }): JsonBody<Assignment>,
) -> Result<Answer<ExceptionChanged>> {
    let mut tx = web.db.begin().await?;
    let item = exceptions::assign(&mut tx, &caller.viewer(), &id, &user_id, &caller.actor(), web.clock.now()).await?;
    answering.commit(&web, tx, ExceptionChanged { exception: item }).await
}
