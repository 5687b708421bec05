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

/// The filters of a list.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = WindowsQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListQuery {
    /// The maximum number of rows on the page.
    #[serde(default)]
    limit: Limit,
    /// The `nextCursor` of the previous page.
    cursor: Option<String>,
    booking_id: Option<BookingId>,
    sitter_id: Option<SitterId>,
    status: Option<WindowStatus>,
    /// Only windows that end after this time.
    from: Option<Timestamp>,
    /// Only windows that start before this time.
    to: Option<Timestamp>,
}

/// A page of windows, latest start first.
#[derive(Serialize, ToSchema)]
#[schema(as = WindowList)]
#[serde(rename_all = "camelCase")]
pub struct Windows {
    windows: Vec<WindowView>,
    next_cursor: Option<String>,
}

/// `GET /api/assignments/windows`
pub async fn list(State(web): State<Web>, caller: Caller, Query(query): Query<ListQuery>) -> Result<Json<Windows>> {
    let ListQuery { limit, cursor, booking_id, sitter_id, status, from, to } = query;
    let filter = Filter { booking_id, sitter_id, status, from, to };
    let viewer = caller.org_viewer()?;
    let page = windows::list(&web.db, &viewer, &filter, cursor.as_deref(), limit, web.clock.now()).await?;
    Ok(Json(Windows { windows: page.items, next_cursor: page.next_cursor }))
}
