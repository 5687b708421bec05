//! `/api/exceptions`

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use nightshift_domain::exceptions::{self, Filter};
use nightshift_domain::ids::{ExceptionId, UserId};
use nightshift_domain::reconciliation;
use serde::Deserialize;
use serde_json::{Value, json};

use super::params::Params;
use crate::web::auth::Caller;
use crate::web::body::JsonBody;
use crate::web::error::{ApiError, Result};
use crate::web::idempotency::Answering;
use crate::web::state::Web;

/// `GET /api/exceptions`
pub async fn list(State(web): State<Web>, caller: Caller, mut params: Params) -> Result<Json<Value>> {
    let (limit, cursor) = params.page();
    let filter = Filter {
        kind: params.text("type"),
        severity: params.word("severity"),
        status: params.word("status"),
        booking: params.id("bookingId"),
    };
    params.finish()?;
    let viewer = caller.viewer();
    let page = exceptions::list(&web.db, &viewer, &filter, cursor.as_deref(), limit).await?;
    let counts = exceptions::counts(&web.db, &viewer, &filter).await?;
    Ok(Json(json!({"exceptions": page.items, "counts": counts, "nextCursor": page.next_cursor})))
}

/// `GET /api/exceptions/{id}`, with the difference in price when it is about one.
pub async fn show(State(web): State<Web>, caller: Caller, Path(id): Path<ExceptionId>) -> Result<Json<Value>> {
    let viewer = caller.viewer();
    let exception = exceptions::get(&web.db, &viewer, &id).await?;
    let drift = match &exception.drift_id {
        Some(drift) => reconciliation::drift_of_exception(&web.db, &viewer, drift).await?,
        None => None,
    };
    Ok(Json(json!({"exception": exception, "drift": drift})))
}

/// What was done about it.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Resolution {
    note: String,
}

/// `POST /api/exceptions/{id}/resolve`
pub async fn resolve(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<ExceptionId>,
    JsonBody(Resolution { note }): JsonBody<Resolution>,
) -> Result<Response> {
    let mut tx = web.db.begin().await?;
    let item = exceptions::close(&mut tx, &caller.viewer(), &id, &note, &caller.actor(), web.clock.now()).await?;
    answering.commit(&web, tx, StatusCode::OK, json!({"exception": item})).await
}

/// Until when it can wait.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Snooze {
    until: String,
}

/// `POST /api/exceptions/{id}/snooze`
pub async fn snooze(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<ExceptionId>,
    JsonBody(Snooze { until }): JsonBody<Snooze>,
) -> Result<Response> {
    let until = until
        .parse()
        .map_err(|_| ApiError::invalid("until", "must be an RFC 3339 time such as 2024-12-31T10:00:00Z"))?;
    let mut tx = web.db.begin().await?;
    let item = exceptions::snooze(&mut tx, &caller.viewer(), &id, until, &caller.actor(), web.clock.now()).await?;
    answering.commit(&web, tx, StatusCode::OK, json!({"exception": item})).await
}

/// Who takes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
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
) -> Result<Response> {
    let mut tx = web.db.begin().await?;
    let item = exceptions::assign(&mut tx, &caller.viewer(), &id, &user_id, &caller.actor(), web.clock.now()).await?;
    answering.commit(&web, tx, StatusCode::OK, json!({"exception": item})).await
}
