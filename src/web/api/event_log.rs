//! `/api/event-log`

use axum::Json;
use axum::extract::State;
use nightshift_db::Timestamp;
use nightshift_domain::audit::{self, EntryView, Filter};
use nightshift_domain::ids::BookingId;
use nightshift_domain::page::Limit;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::web::auth::Caller;
use crate::web::error::Result;
use crate::web::query::Query;
use crate::web::state::Web;

/// The filters of a list.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = EventLogQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListQuery {
    /// The maximum number of rows on the page.
    #[serde(default)]
    limit: Limit,
    /// The `nextCursor` of the previous page.
    cursor: Option<String>,
    event_type: Option<String>,
    status: Option<String>,
    booking_id: Option<BookingId>,
    correlation_id: Option<String>,
    /// Only entries written at or after this time.
    from: Option<Timestamp>,
    /// Only entries written before this time.
    to: Option<Timestamp>,
}

/// A page of the event log.
#[derive(Serialize, ToSchema)]
#[schema(as = EventList)]
#[serde(rename_all = "camelCase")]
pub struct Events {
    events: Vec<EntryView>,
    next_cursor: Option<String>,
}

/// `GET /api/event-log`
pub async fn list(State(web): State<Web>, caller: Caller, Query(query): Query<ListQuery>) -> Result<Json<Events>> {
    let ListQuery { limit, cursor, event_type, status, booking_id: booking, correlation_id: correlation, from, to } =
        query;
    let filter = Filter { event_type, status, booking, correlation, from, to };
    let page = audit::list(&web.db, &caller.viewer(), &filter, cursor.as_deref(), limit).await?;
    Ok(Json(Events { events: page.items, next_cursor: page.next_cursor }))
}
