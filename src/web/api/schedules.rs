//! `/api/ops/schedules`: the schedules of recurring jobs.

use axum::Json;
use axum::extract::State;
use nightshift_domain::ids::OrgId;
use nightshift_jobs::schedules::run_now;
use nightshift_queue::schedule::{ScheduleView, overview};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::scheduler::Clockwork;
use crate::web::answer::Accepted;
use crate::web::auth::Caller;
use crate::web::body::OptionalJson;
use crate::web::error::{ApiError, Result};
use crate::web::idempotency::Answering;
use crate::web::path::Path;
use crate::web::query::{NoParameters, Query};
use crate::web::state::Web;

/// The maximum number of organisations shown for a schedule. Those with the earliest next run come first.
const SCOPES_SHOWN: usize = 200;

/// All schedules.
#[derive(Serialize, ToSchema)]
#[schema(as = ScheduleList)]
#[serde(rename_all = "camelCase")]
pub struct Schedules {
    schedules: Vec<ScheduleView>,
}

/// The jobs that were started.
#[derive(Serialize, ToSchema)]
#[schema(as = ScheduleStarted)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    job_ids: Vec<String>,
}

/// `GET /api/ops/schedules`
pub async fn list(State(web): State<Web>, _: Query<NoParameters>) -> Result<Json<Schedules>> {
    let clock = Clockwork::new(&web.settings).map_err(ApiError::internal)?;
    let scopes = clock.scopes(&web.db).await?;
    let schedules = overview(&web.db, &clock.schedules, &scopes, SCOPES_SHOWN, web.clock.now()).await?;
    Ok(Json(Schedules { schedules }))
}

/// The scope of a manual run.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = ScheduleWish)]
#[serde(rename_all = "camelCase", default)]
pub struct ScheduleRun {
    /// The organisation. All organisations by default.
    org_id: Option<OrgId>,
}

/// `POST /api/ops/schedules/{name}/run`
pub async fn run(
    State(web): State<Web>,
    _: Caller,
    answering: Answering,
    Path(name): Path<String>,
    OptionalJson(asked): OptionalJson<ScheduleRun>,
) -> Result<Accepted<Started>> {
    let clock = Clockwork::new(&web.settings).map_err(ApiError::internal)?;
    let schedule = clock.schedules.iter().find(|schedule| schedule.name == name).ok_or_else(ApiError::not_found)?;
    let scopes = clock.scopes(&web.db).await?;
    let mut tx = web.db.begin().await?;
    let jobs = run_now(&mut tx, &web.queue, schedule, &scopes, asked.org_id.as_ref()).await?;
    answering.commit(&web, tx, Started { job_ids: jobs }).await
}
