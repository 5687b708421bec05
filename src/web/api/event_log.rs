//! `/api/event-log`

use axum::Json;
use axum::extract::State;
use nightshift_domain::audit::{self, Filter};
use serde_json::{Value, json};

use super::params::Params;
use crate::web::auth::Caller;
use crate::web::error::Result;
use crate::web::state::Web;

/// `GET /api/event-log`
pub async fn list(State(web): State<Web>, caller: Caller, mut params: Params) -> Result<Json<Value>> {
    let (limit, cursor) = params.page();
    let filter = Filter {
        event_type: params.text("eventType"),
        status: params.text("status"),
        booking: params.id("bookingId"),
        correlation: params.text("correlationId"),
        from: params.time("from"),
        to: params.time("to"),
    };
    params.finish()?;
    let page = audit::list(&web.db, &caller.viewer(), &filter, cursor.as_deref(), limit).await?;
    Ok(Json(json!({"events": page.items, "nextCursor": page.next_cursor})))
}
