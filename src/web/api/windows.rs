//! `/api/assignments/windows`

use axum::Json;
use axum::extract::State;
use nightshift_domain::messaging::windows::{self, Filter};
use serde_json::{Value, json};

use super::params::Params;
use crate::web::auth::Caller;
use crate::web::error::Result;
use crate::web::state::Web;

/// `GET /api/assignments/windows`
pub async fn list(State(web): State<Web>, caller: Caller, mut params: Params) -> Result<Json<Value>> {
    let limit = params.limit();
    let filter = Filter {
        booking_id: params.id("bookingId"),
        sitter_id: params.id("sitterId"),
        status: params.word("status"),
        from: params.time("from"),
        to: params.time("to"),
    };
    params.finish()?;
    let windows = windows::list(&web.db, &caller.org_viewer()?, &filter, limit, web.clock.now()).await?;
    Ok(Json(json!({"windows": windows})))
}
