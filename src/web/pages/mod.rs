//! Pages: rendered here, usable without scripts, kept live by them.
//!
//! A page is a template and the facts it shows. One style sheet and one script serve all of them; nothing comes from
//! elsewhere, and the policy sent with every page says so to the browser.

mod assets;
mod book;
mod exceptions;
mod extract;
mod problem;
mod request;
mod shell;
mod sign_in;

use askama::Template;
use axum::Router;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};

pub(super) use self::problem::unrouted;
use super::auth::{self, Access, login};
use super::error::ApiError;
use super::state::Web;
use super::{contention, limits};

/// Nothing but our own files, and nobody may frame us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Every page, and what it loads.
pub(super) fn routes(web: &Web) -> Router<Web> {
    const WORKERS: Access = Access::OWNER.and_ops();
    let body_bytes_max = web.settings.http.body_bytes_max;
    // The last one here is the first one a request meets.
    let layered = |access: Access, body_bytes_max: usize, handler: MethodRouter<Web>| {
        handler
            .route_layer(from_fn(contention::layer))
            .route_layer(from_fn_with_state(body_bytes_max, limits::buffered))
            .route_layer(from_fn_with_state((web.clone(), access), auth::layer))
    };
    let open = |handler| layered(Access::ANYBODY, body_bytes_max, handler);
    let guarded = |handler| layered(WORKERS, body_bytes_max, handler).route_layer(from_fn(shell::guard));
    let sign_in =
        layered(Access::ANYBODY, body_bytes_max.min(login::BODY_BYTES_MAX), get(sign_in::show).post(sign_in::submit));
    Router::new()
        .route("/request/{id}", open(get(request::show)))
        .route("/request/{id}/book", open(post(book::book)))
        .route("/login", sign_in)
        .route("/logout", open(post(sign_in::out)))
        .route("/exceptions", guarded(get(exceptions::list)))
        .route("/exceptions/{id}", guarded(get(exceptions::show)))
        .route("/exceptions/{id}/assign", guarded(post(exceptions::assign)))
        .route("/exceptions/{id}/snooze", guarded(post(exceptions::snooze)))
        .route("/exceptions/{id}/resolve", guarded(post(exceptions::resolve)))
        .route_layer(from_fn_with_state(web.settings.http.request_timeout, limits::in_time))
        .route_layer(from_fn_with_state(web.clone(), limits::within))
        .route_layer(from_fn(problem::layer))
        .merge(
            Router::new()
                .route("/assets/{name}", get(assets::show))
                .route_layer(from_fn_with_state(web.clone(), limits::within)),
        )
}

/// Renders a page.
fn page(status: StatusCode, template: &impl Template) -> Response {
    let html = match template.render() {
        Ok(html) => html,
        Err(error) => return ApiError::internal(error).into_response(),
    };
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
