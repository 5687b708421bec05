//! `/api/messages/threads/{id}/routing-trace` and `/api/messages/events/{eventId}/routing-trace`

use axum::Json;
use axum::extract::State;
use nightshift_domain::ids::{MessageId, ThreadId};
use nightshift_domain::messaging::routing::trace::{self, TraceView};
use nightshift_domain::page::Limit;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::web::auth::Caller;
use crate::web::error::Result;
use crate::web::path::Path;
use crate::web::query::Query;
use crate::web::state::Web;

/// The requested traces of a conversation.
#[derive(Deserialize, IntoParams, ToSchema)]
#[schema(as = RoutingTracesQuery)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TracesQuery {
    /// The maximum number of traces on the page.
    #[serde(default)]
    limit: Limit,
    /// The `nextCursor` of the previous page.
    cursor: Option<String>,
    /// Only the trace of this text.
    event_id: Option<MessageId>,
}

/// Why texts were routed to a conversation, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = RoutingTraceList)]
#[serde(rename_all = "camelCase")]
pub struct Traces {
    traces: Vec<TraceView>,
    next_cursor: Option<String>,
}

/// `GET /api/messages/threads/{id}/routing-trace`
pub async fn of_thread(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<ThreadId>,
    Query(TracesQuery { limit, cursor, event_id }): Query<TracesQuery>,
) -> Result<Json<Traces>> {
    let viewer = caller.viewer();
    let page = trace::of_thread(&web.db, &viewer, &id, event_id.as_ref(), cursor.as_deref(), limit).await?;
    Ok(Json(Traces { traces: page.items, next_cursor: page.next_cursor }))
}

/// Why a text was routed where it was.
#[derive(Serialize, ToSchema)]
#[schema(as = RoutingTraceShown)]
pub struct Shown {
    trace: TraceView,
}

/// `GET /api/messages/events/{eventId}/routing-trace`
pub async fn of_message(State(web): State<Web>, caller: Caller, Path(event): Path<MessageId>) -> Result<Json<Shown>> {
    Ok(Json(Shown { trace: trace::of_message(&web.db, &caller.viewer(), &event).await? }))
}
