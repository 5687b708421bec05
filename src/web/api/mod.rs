//! The API that frontends and integrations call: one file per thing it is about, and one table of all routes.

mod bookings;
pub(super) mod calls;
mod event_log;
mod exceptions;
mod jobs;
mod ledger;
mod numbers;
mod params;
mod pricing;
mod reconciliation;
mod routes;
mod schedules;
mod service_requests;
mod threads;
mod windows;

use axum::Router;
use axum::middleware::from_fn_with_state;

pub use routes::{Route, table};

use super::state::Web;
use super::{auth, contention, idempotency};

/// Every route of [`table`], each behind its access.
pub(super) fn routes(web: &Web) -> Router<Web> {
    table().into_iter().fold(Router::new(), |router, Route { path, access, patience, body_bytes_max, handler, .. }| {
        let patience = patience.unwrap_or(web.settings.http.request_timeout);
        let body_bytes_max = web.settings.http.body_bytes_max.min(body_bytes_max.unwrap_or(usize::MAX));
        // The last one here is the first one a request meets.
        let handler = handler
            .route_layer(axum::middleware::from_fn(contention::layer))
            .route_layer(from_fn_with_state(web.clone(), idempotency::layer))
            .route_layer(from_fn_with_state(body_bytes_max, super::limits::buffered))
            .route_layer(from_fn_with_state((web.clone(), access), auth::layer))
            .route_layer(from_fn_with_state(patience, super::limits::in_time));
        router.route(path, handler)
    })
}
