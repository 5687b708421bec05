//! Pages: rendered here, usable without scripts, kept live by them.
//!
//! A page is a template and the facts it shows. One style sheet and one script serve all of them; nothing comes from
//! elsewhere, and the policy sent with every page says so to the browser.

mod assets;
mod book;
mod exceptions;
mod request;
mod shell;
mod sign_in;

use askama::Template;
use axum::Router;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};

use super::auth::{self, Access};
use super::error::ApiError;
use super::limits;
use super::state::Web;

/// Nothing but our own files, and nobody may frame us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Every page, and what it loads.
pub(super) fn routes(web: &Web) -> Router<Web> {
    let patience = web.settings.http.request_timeout;
    let open = Router::new()
        .route("/request/{id}", get(request::show))
        .route("/request/{id}/book", post(book::book))
        .route("/login", get(sign_in::show).post(sign_in::submit))
        .route("/logout", post(sign_in::out))
        .route_layer(from_fn_with_state((web.clone(), Access::ANYBODY), auth::layer));
    let exceptions = Router::new()
        .route("/exceptions", get(exceptions::list))
        .route("/exceptions/{id}", get(exceptions::show))
        .route("/exceptions/{id}/assign", post(exceptions::assign))
        .route("/exceptions/{id}/snooze", post(exceptions::snooze))
        .route("/exceptions/{id}/resolve", post(exceptions::resolve))
        .route_layer(from_fn_with_state((web.clone(), Access::OWNER.and_ops()), auth::layer))
        .route_layer(from_fn(shell::guard));
    open.merge(exceptions)
        .route_layer(from_fn_with_state(patience, limits::in_time))
        .route("/assets/app.css", get(assets::css))
        .route("/assets/app.js", get(assets::js))
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

/// What a visitor is told instead of a page.
#[derive(Template)]
#[template(path = "problem.html")]
struct Problem<'a> {
    title: &'a str,
    text: &'a str,
}

/// 404, also for what exists and is somebody else's.
fn not_found() -> Response {
    let text = "This link leads nowhere: it may be incomplete, or what it led to is gone.";
    page(StatusCode::NOT_FOUND, &Problem { title: "Not found", text })
}

/// A page for an error that is no answer for a program.
fn problem(error: &ApiError) -> Response {
    if error.status == StatusCode::NOT_FOUND {
        return not_found();
    }
    let text = "Could not load this. Try again.";
    refusal(error, &Problem { title: "Something went wrong", text })
}

/// A page that says what an error means, with what the error asks of programs.
fn refusal(error: &ApiError, template: &impl Template) -> Response {
    let mut response = page(error.status, template);
    if let Some(seconds) = error.retry_after_seconds() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
