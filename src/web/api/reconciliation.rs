//! `/api/reconciliation`: the nightly price check.

use axum::Json;
use axum::extract::State;
use nightshift_domain::exceptions::Severity;
use nightshift_domain::ids::{OrgId, ReconciliationRunId};
use nightshift_domain::page::Limit;
use nightshift_domain::reconciliation::{self, DriftView, ReconciliationRun};
use nightshift_jobs::{Enqueuer, pricing};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::web::answer::Located;
use crate::web::auth::Caller;
use crate::web::body::OptionalJson;
use crate::web::error::{ApiError, Result};
use crate::web::idempotency::Answering;
use crate::web::path::Path;
use crate::web::query::Query;
use crate::web::state::Web;

/// The requested page of a list.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = ReconciliationsQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListQuery {
    /// The maximum number of rows on the page.
    #[serde(default)]
    limit: Limit,
    /// The `nextCursor` of the previous page.
    cursor: Option<String>,
}

/// A page of reconciliation runs.
#[derive(Serialize, ToSchema)]
#[schema(as = ReconciliationRunList)]
#[serde(rename_all = "camelCase")]
pub struct Runs {
    runs: Vec<ReconciliationRun>,
    next_cursor: Option<String>,
}

/// `GET /api/reconciliation/runs`
pub async fn list(
    State(web): State<Web>,
    caller: Caller,
    Query(ListQuery { limit, cursor }): Query<ListQuery>,
) -> Result<Json<Runs>> {
    let page = reconciliation::list(&web.db, &caller.viewer(), cursor.as_deref(), limit).await?;
    Ok(Json(Runs { runs: page.items, next_cursor: page.next_cursor }))
}

/// The filters of a list.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = DriftsQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DriftsQuery {
    /// The maximum number of rows on the page.
    #[serde(default)]
    limit: Limit,
    /// The `nextCursor` of the previous page.
    cursor: Option<String>,
    severity: Option<Severity>,
}

/// A page of the price drifts that a run found.
#[derive(Serialize, ToSchema)]
#[schema(as = PriceDriftList)]
#[serde(rename_all = "camelCase")]
pub struct Drifts {
    drifts: Vec<DriftView>,
    next_cursor: Option<String>,
}

/// `GET /api/reconciliation/runs/{id}/drifts`
pub async fn drifts(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<ReconciliationRunId>,
    Query(DriftsQuery { limit, cursor, severity }): Query<DriftsQuery>,
) -> Result<Json<Drifts>> {
    let page = reconciliation::drifts(&web.db, &caller.viewer(), &id, severity, cursor.as_deref(), limit).await?;
    Ok(Json(Drifts { drifts: page.items, next_cursor: page.next_cursor }))
}

/// The options of a reconciliation run.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct NewReconciliation {
    /// The day of the run, such as 2024-12-31. Today by default.
    #[schema(format = Date)]
    date: Option<String>,
    /// The organisation to check. Required for operators of the platform, who belong to no organisation.
    org_id: Option<OrgId>,
}

/// The job that was started.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobStarted {
    job_id: String,
}

/// `POST /api/reconciliation/runs`
pub async fn start(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    OptionalJson(new): OptionalJson<NewReconciliation>,
) -> Result<Located<JobStarted, 202>> {
    let org = match (caller.viewer().org_id(), new.org_id) {
        (Some(own), None) => own.clone(),
        (Some(own), Some(asked)) if *own == asked => asked,
        (None, Some(asked)) => asked,
        (Some(_), Some(_)) => return Err(ApiError::not_found()),
        (None, None) => return Err(ApiError::invalid("orgId", "is required for ops")),
    };
    let asked = new.date.as_deref().map(reconciliation::parse_day).transpose()?;
    let zone = web.settings.reconciliation.timezone;
    let date = reconciliation::day(&web.db, &org, zone, asked, web.clock.now()).await?;
    let mut tx = web.db.begin().await?;
    let job = pricing::reconcile_now(&Enqueuer::of_request(&web.queue), &mut tx, &org, &date.to_string()).await?;
    let place = format!("/api/jobs/{job}");
    answering.commit(&web, tx, JobStarted { job_id: job }).await?.at(&place)
}
