//! `/api/jobs/{id}`: how far the work has come that a request asked for.

use axum::Json;
use axum::extract::{Path, State};
use nightshift_domain::ids::OrgId;
use serde_json::{Value, json};

use crate::web::auth::Caller;
use crate::web::error::{ApiError, Result};
use crate::web::state::Web;

/// `GET /api/jobs/{id}`
pub async fn show(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Result<Json<Value>> {
    let viewer = caller.org_viewer()?;
    let job = web.queue.job(&id).await?.filter(|job| viewer.sees_org(job.org_id.clone().map(OrgId::from).as_ref()));
    let job = job.ok_or_else(ApiError::not_found)?;
    Ok(Json(json!({
        "id": job.id, "kind": job.kind, "state": job.state, "attempts": job.attempts, "createdAt": job.created_at,
        "finishedAt": job.finished_at,
    })))
}
