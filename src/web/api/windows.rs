//! `/api/assignments/windows`

use axum::Json;
use axum::extract::State;
use nightshift_db::Timestamp;
use nightshift_domain::ids::{BookingId, SitterId};
use nightshift_domain::messaging::windows::{self, Filter, WindowStatus, WindowView};
use nightshift_domain::page::Limit;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::web::auth::Caller;
use crate::web::error::Result;
use crate::web::query::Query;
use crate::web::state::Web;

/// What narrows the list.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = WindowsQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wish {
    /// At most so many.
    #[serde(default)]
    limit: Limit,
    booking_id: Option<BookingId>,
    sitter_id: Option<SitterId>,
    status: Option<WindowStatus>,
    /// Those that end after this.
    from: Option<Timestamp>,
    /// Those that start before this.
    to: Option<Timestamp>,
}

/// Windows, latest start first.
#[derive(Serialize, ToSchema)]
#[schema(as = WindowList)]
#[serde(rename_all = "camelCase")]
pub struct Windows {
    windows: Vec<WindowView>,
}

/// `GET /api/assignments/windows`
pub async fn list(State(web): State<Web>, caller: Caller, Query(wish): Query<Wish>) -> Result<Json<Windows>> {
    let Wish { limit, booking_id, sitter_id, status, from, to } = wish;
    let filter = Filter { booking_id, sitter_id, status, from, to };
    let windows = windows::list(&web.db, &caller.org_viewer()?, &filter, limit, web.clock.now()).await?;
    Ok(Json(Windows { windows }))
}
