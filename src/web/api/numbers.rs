//! `/api/messages/numbers`

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use nightshift_domain::ids::NumberId;
use nightshift_domain::messaging::numbers::{self, NewNumber, Number, NumberPatch};
use nightshift_jobs::{Enqueuer, thread};
use serde_json::{Value, json};

use super::params::Params;
use crate::web::auth::Caller;
use crate::web::body::JsonBody;
use crate::web::error::Result;
use crate::web::idempotency::Answering;
use crate::web::state::Web;

/// `GET /api/messages/numbers`
pub async fn list(State(web): State<Web>, caller: Caller, mut params: Params) -> Result<Json<Value>> {
    let (class, status) = (params.word("numberClass"), params.word("status"));
    params.finish()?;
    let numbers = numbers::list(&web.db, &caller.viewer(), class, status).await?;
    Ok(Json(json!({"numbers": numbers})))
}

/// `POST /api/messages/numbers`
pub async fn add(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    JsonBody(new): JsonBody<NewNumber>,
) -> Result<Response> {
    let (org, enqueuer) = (caller.org()?, Enqueuer::of_request(&web.queue));
    let mut tx = web.db.begin().await?;
    let number = thread::add_number(&enqueuer, &mut tx, org, &new, &caller.actor()).await?;
    answering.commit(&web, tx, StatusCode::CREATED, json!({"number": shown(&number)})).await
}

/// `PATCH /api/messages/numbers/{id}`
pub async fn change(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<NumberId>,
    JsonBody(patch): JsonBody<NumberPatch>,
) -> Result<Response> {
    let (org, enqueuer) = (caller.org()?, Enqueuer::of_request(&web.queue));
    let mut tx = web.db.begin().await?;
    let number = thread::change_number(&enqueuer, &mut tx, org, &id, &patch, &caller.actor()).await?;
    answering.commit(&web, tx, StatusCode::OK, json!({"number": shown(&number)})).await
}

fn shown(number: &Number) -> Value {
    json!({
        "id": number.id, "e164": number.e164.e164(), "numberClass": number.number_class, "status": number.status,
        "provider": number.provider, "assignedSitterId": number.assigned_sitter_id,
    })
}
