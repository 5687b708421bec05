//! The layers around a handler, chosen by the kind of its route. They are applied in one place, so no route lacks any.

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::MethodRouter;

use super::error::ApiError;
use super::routes::{Kind, Route};
use super::state::Web;
use super::{auth, contention, idempotency, limits, pages};

/// Returns the handler of a route with all layers of its kind.
pub(super) fn surround(web: &Web, route: Route) -> MethodRouter<Web> {
    let keyed = route.is_keyed();
    let Route { handler, access, limits, area, .. } = route;
    let http = &web.settings.http;
    let timeout = from_fn_with_state(limits.timeout.unwrap_or(http.request_timeout), limits::in_time);
    let body_bytes_max = http.body_bytes_max.min(limits.body_bytes_max.unwrap_or(usize::MAX));
    let body = from_fn_with_state(body_bytes_max, limits::buffered);
    let auth = from_fn_with_state((web.clone(), access), auth::layer);
    let place = from_fn_with_state(web.clone(), limits::within);
    // The layer added last is the first one that a request passes.
    match area.kind {
        Kind::Api => {
            let handler = handler.route_layer(from_fn(contention::layer));
            let idempotency = from_fn_with_state(web.clone(), idempotency::layer);
            let handler = if keyed { handler.route_layer(idempotency) } else { handler };
            handler.route_layer(body).route_layer(auth).route_layer(timeout).route_layer(place)
        }
        Kind::Page => {
            let handler = handler.route_layer(from_fn(contention::layer)).route_layer(body).route_layer(auth);
            let handler =
                if access.anybody { handler } else { handler.route_layer(from_fn_with_state(access, pages::guard)) };
            // The inner layer renders most errors within the limits, because an error page may need the database. The
            // outer layer renders the errors of the limits themselves.
            let errors = from_fn_with_state(web.clone(), pages::errors);
            handler.route_layer(errors.clone()).route_layer(timeout).route_layer(place).route_layer(errors)
        }
        Kind::Webhook => handler.route_layer(timeout).route_layer(place),
        Kind::Asset => handler.route_layer(place),
        Kind::Probe => handler,
    }
}

/// Adds the fallbacks for requests that match no route, within the same limits. Browsers get a page, programs get JSON.
pub(super) fn with_fallbacks(web: &Web, router: Router<Web>) -> Router<Web> {
    let timeout = from_fn_with_state(web.settings.http.request_timeout, limits::in_time);
    let place = from_fn_with_state(web.clone(), limits::within);
    let errors = from_fn_with_state(web.clone(), pages::unrouted_errors);
    let answer = |error: fn() -> ApiError| {
        let answer =
            async move |State(web): State<Web>, request: Request| pages::unrouted(&web, request, error()).await;
        answer.layer(errors.clone()).layer(timeout.clone()).layer(place.clone()).layer(errors.clone())
    };
    router.fallback(answer(ApiError::not_found)).method_not_allowed_fallback(answer(ApiError::method_not_allowed))
}
