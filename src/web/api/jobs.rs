//! `/api/jobs/{id}`: the progress of a job that a request started.

use axum::Json;
use axum::extract::State;
use nightshift_db::Timestamp;
use nightshift_domain::ids::OrgId;
use nightshift_queue::lifecycle::State as JobState;
use serde::Serialize;
use utoipa::ToSchema;

use crate::web::auth::Caller;
use crate::web::error::{ApiError, Result};
use crate::web::path::Path;
use crate::web::state::Web;

/// A job, with the fields that callers of the API may see.
#[derive(Serialize, ToSchema)]
#[schema(as = Job)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    id: String,
    kind: String,
    state: JobState,
    /// The number of attempts that succeeded or failed. Polls and lost leases do not count.
    attempts: i64,
    created_at: Timestamp,
    finished_at: Option<Timestamp>,
}

/// `GET /api/jobs/{id}`
pub async fn show(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Result<Json<Shown>> {
    let viewer = caller.org_viewer()?;
    let job = web.queue.job(&id).await?.filter(|job| viewer.sees_org(job.org_id.clone().map(OrgId::from).as_ref()));
    let job = job.ok_or_else(ApiError::not_found)?;
    Ok(Json(Shown {
        id: job.id,
        kind: job.kind,
        state: job.state,
        attempts: job.attempts,
        created_at: job.created_at,
        finished_at: job.finished_at,
    }))
}
