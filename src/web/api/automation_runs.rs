//! `/api/automations/ledger`

use axum::Json;
use axum::extract::State;
use nightshift_db::Timestamp;
use nightshift_domain::automations::runs::{self, AutomationRunDetail, AutomationRunStatus, AutomationRunView, Filter};
use nightshift_domain::automations::{AutomationType, Recipient};
use nightshift_domain::ids::{AutomationRunId, BookingId};
use nightshift_domain::page::Limit;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::web::auth::Caller;
use crate::web::error::Result;
use crate::web::path::Path;
use crate::web::query::Query;
use crate::web::state::Web;

/// What narrows the list.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = AutomationRunsQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListQuery {
    /// Rows of a page.
    #[serde(default)]
    limit: Limit,
    /// The `nextCursor` of the page before.
    cursor: Option<String>,
    #[serde(rename = "type")]
    kind: Option<AutomationType>,
    status: Option<AutomationRunStatus>,
    recipient: Option<Recipient>,
    booking_id: Option<BookingId>,
    /// Those entered then or later.
    from: Option<Timestamp>,
    /// Those entered before.
    to: Option<Timestamp>,
}

/// A page of automatic texts.
#[derive(Serialize, ToSchema)]
#[schema(as = AutomationRunList)]
#[serde(rename_all = "camelCase")]
pub struct Runs {
    runs: Vec<AutomationRunView>,
    next_cursor: Option<String>,
}

/// `GET /api/automations/ledger`
pub async fn list(State(web): State<Web>, caller: Caller, Query(query): Query<ListQuery>) -> Result<Json<Runs>> {
    let ListQuery { limit, cursor, kind, status, recipient, booking_id, from, to } = query;
    let filter = Filter { kind, status, recipient, booking_id, from, to };
    let page = runs::list(&web.db, &caller.viewer(), &filter, cursor.as_deref(), limit).await?;
    Ok(Json(Runs { runs: page.items, next_cursor: page.next_cursor }))
}

/// An automatic text, with how it was sent.
#[derive(Serialize, ToSchema)]
#[schema(as = AutomationRunShown)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    run: AutomationRunDetail,
}

/// `GET /api/automations/ledger/{id}`
pub async fn show(State(web): State<Web>, caller: Caller, Path(id): Path<AutomationRunId>) -> Result<Json<Shown>> {
    let run = runs::view(&web.db, &caller.viewer(), &id).await?;
    Ok(Json(Shown { run }))
}
