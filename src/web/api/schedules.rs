//! `/api/ops/schedules`: what happens by the clock.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use nightshift_domain::ids::OrgId;
use nightshift_jobs::schedules::run_now;
use nightshift_queue::schedule::overview;
use serde::Deserialize;
use serde_json::{Value, json};

use super::params::Params;
use crate::scheduler::Clockwork;
use crate::web::auth::Caller;
use crate::web::body::OptionalJson;
use crate::web::error::{ApiError, Result};
use crate::web::idempotency::Answering;
use crate::web::state::Web;

/// Organisations shown of a schedule, those whose turn is next first.
const SCOPES_SHOWN: usize = 200;

/// `GET /api/ops/schedules`
pub async fn list(State(web): State<Web>, params: Params) -> Result<Json<Value>> {
    params.finish()?;
    let clock = Clockwork::new(&web.settings).map_err(ApiError::internal)?;
    let scopes = clock.scopes(&web.db).await?;
    let schedules = overview(&web.db, &clock.schedules, &scopes, SCOPES_SHOWN, web.clock.now()).await?;
    Ok(Json(json!({"schedules": schedules})))
}

/// For whom.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Wish {
    org_id: Option<OrgId>,
}

/// `POST /api/ops/schedules/{name}/run`
pub async fn run(
    State(web): State<Web>,
    _: Caller,
    answering: Answering,
    Path(name): Path<String>,
    OptionalJson(wish): OptionalJson<Wish>,
) -> Result<Response> {
    let clock = Clockwork::new(&web.settings).map_err(ApiError::internal)?;
    let schedule = clock.schedules.iter().find(|schedule| schedule.name == name).ok_or_else(ApiError::not_found)?;
    let scopes = clock.scopes(&web.db).await?;
    let mut tx = web.db.begin().await?;
    let jobs = run_now(&mut tx, &web.queue, schedule, &scopes, wish.org_id.as_ref()).await?;
    answering.commit(&web, tx, StatusCode::ACCEPTED, json!({"jobIds": jobs})).await
}
