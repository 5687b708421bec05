//! What surrounds a handler, by the kind of its route: in one place, so that no route lacks any of it.

use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::MethodRouter;

use super::{Kind, Route};
use crate::web::state::Web;
use crate::web::{auth, contention, idempotency, limits};

/// The route's handler with all that surrounds it.
pub(super) fn surround(web: &Web, route: Route) -> MethodRouter<Web> {
    let http = &web.settings.http;
    let timeout = route.limits.timeout.unwrap_or(http.request_timeout);
    let body_bytes_max = http.body_bytes_max.min(route.limits.body_bytes_max.unwrap_or(usize::MAX));
    // The last layer here is the first one a request meets.
    match route.area.kind {
        Kind::Api => route
            .handler
            .route_layer(from_fn(contention::layer))
            .route_layer(from_fn_with_state(web.clone(), idempotency::layer))
            .route_layer(from_fn_with_state(body_bytes_max, limits::buffered))
            .route_layer(from_fn_with_state((web.clone(), route.access), auth::layer))
            .route_layer(from_fn_with_state(timeout, limits::in_time)),
        Kind::Page | Kind::Webhook => route.handler.route_layer(from_fn_with_state(timeout, limits::in_time)),
        Kind::Asset | Kind::Probe => route.handler,
    }
}
