//! `/api/exceptions`

use axum::Json;
use axum::extract::State;
use nightshift_domain::exceptions::{self, Filter};
use serde_json::{Value, json};

use super::params::Params;
use crate::web::auth::Caller;
use crate::web::error::Result;
use crate::web::state::Web;

/// `GET /api/exceptions`
pub async fn list(State(web): State<Web>, caller: Caller, mut params: Params) -> Result<Json<Value>> {
    let (limit, cursor) = params.page();
    let filter = Filter {
        org: caller.reach().cloned(),
        kind: params.text("type"),
        severity: params.text("severity"),
        status: params.text("status"),
        booking: params.id("bookingId"),
    };
    params.finish()?;
    let page = exceptions::list(&web.db, &filter, cursor.as_deref(), limit).await?;
    let counts = exceptions::counts(&web.db, &filter).await?;
    Ok(Json(json!({"exceptions": page.items, "counts": counts, "nextCursor": page.next_cursor})))
}
