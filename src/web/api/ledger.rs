//! `/api/automations/ledger`

use axum::Json;
use axum::extract::{Path, State};
use nightshift_domain::automations::ledger::{self, Filter};
use nightshift_domain::ids::AutomationRunId;
use serde_json::{Value, json};

use super::params::Params;
use crate::web::auth::Caller;
use crate::web::error::Result;
use crate::web::state::Web;

/// `GET /api/automations/ledger`
pub async fn list(State(web): State<Web>, caller: Caller, mut params: Params) -> Result<Json<Value>> {
    let (limit, cursor) = params.page();
    let filter = Filter {
        kind: params.word("type"),
        status: params.word("status"),
        recipient: params.word("recipient"),
        booking_id: params.id("bookingId"),
        from: params.time("from"),
        to: params.time("to"),
    };
    params.finish()?;
    let page = ledger::list(&web.db, &caller.viewer(), &filter, cursor.as_deref(), limit).await?;
    Ok(Json(json!({"runs": page.items, "nextCursor": page.next_cursor})))
}

/// `GET /api/automations/ledger/{id}`
pub async fn show(State(web): State<Web>, caller: Caller, Path(id): Path<AutomationRunId>) -> Result<Json<Value>> {
    let run = ledger::view(&web.db, &caller.viewer(), &id).await?;
    Ok(Json(json!({"run": run})))
}
