//! `/api/reconciliation`: the nightly check of prices.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use nightshift_domain::ids::{OrgId, RunId};
use nightshift_domain::reconciliation;
use nightshift_jobs::{Enqueuer, pricing};
use serde::Deserialize;
use serde_json::{Value, json};

use super::params::Params;
use crate::web::auth::Caller;
use crate::web::body::OptionalJson;
use crate::web::error::{ApiError, Result};
use crate::web::idempotency::Answering;
use crate::web::state::Web;

/// `GET /api/reconciliation/runs`
pub async fn list(State(web): State<Web>, caller: Caller, mut params: Params) -> Result<Json<Value>> {
    let (limit, cursor) = params.page();
    params.finish()?;
    let page = reconciliation::list(&web.db, &caller.viewer(), cursor.as_deref(), limit).await?;
    Ok(Json(json!({"runs": page.items, "nextCursor": page.next_cursor})))
}

/// `GET /api/reconciliation/runs/{id}/drifts`
pub async fn drifts(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<RunId>,
    mut params: Params,
) -> Result<Json<Value>> {
    let (limit, cursor) = params.page();
    let severity = params.word("severity");
    params.finish()?;
    let page = reconciliation::drifts(&web.db, &caller.viewer(), &id, severity, cursor.as_deref(), limit).await?;
    Ok(Json(json!({"drifts": page.items, "nextCursor": page.next_cursor})))
}

/// What is to be checked.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Wish {
    /// The day it counts for; today when not given.
    date: Option<String>,
    /// For ops, who belong to no organisation.
    org_id: Option<OrgId>,
}

/// `POST /api/reconciliation/runs`
pub async fn start(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    OptionalJson(wish): OptionalJson<Wish>,
) -> Result<Response> {
    let org = match (caller.viewer().org_id(), wish.org_id) {
        (Some(own), None) => own.clone(),
        (Some(own), Some(asked)) if *own == asked => asked,
        (None, Some(asked)) => asked,
        (Some(_), Some(_)) => return Err(ApiError::not_found()),
        (None, None) => return Err(ApiError::invalid("orgId", "is required for ops")),
    };
    let asked = wish.date.as_deref().map(reconciliation::parse_day).transpose()?;
    let zone = web.settings.reconciliation.timezone;
    let date = reconciliation::day(&web.db, &org, zone, asked, web.clock.now()).await?;
    let mut tx = web.db.begin().await?;
    let job = pricing::reconcile_now(&Enqueuer::of_request(&web.queue), &mut tx, &org, &date.to_string()).await?;
    let mut response = answering.commit(&web, tx, StatusCode::ACCEPTED, json!({"jobId": job})).await?;
    let place = HeaderValue::from_str(&format!("/api/jobs/{job}")).map_err(ApiError::internal)?;
    response.headers_mut().insert(header::LOCATION, place);
    Ok(response)
}
