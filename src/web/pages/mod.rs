//! Pages: rendered here, usable without scripts, kept live by them.
//!
//! A page is a template and the facts it shows. One style sheet and one set of script modules serve all of them; nothing comes from
//! elsewhere, and the policy sent with every page says so to the browser.

mod assets;
mod exceptions;
mod extract;
mod problem;
mod request;
mod shell;
mod sign_in;

use askama::Template;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

pub(super) use self::problem::{layer as errors, unrouted};
pub(super) use self::shell::guard;
use super::auth::{Access, login};
use super::error::ApiError;
use super::routes::{Area, Kind, Route};

/// Nothing but our own files, and nobody may frame us.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const PAGES: Area = Area::of(Kind::Page, "Pages");
const FILES: Area = Area::of(Kind::Asset, "Files");

/// Every page, and what it loads.
pub(super) fn routes() -> Vec<Route> {
    const WORKERS: Access = Access::OWNER.and_ops();
    vec![
        PAGES
            .get("/request/{id}", Access::ANYBODY, "A request for an appointment", request::show)
            .text("For holders of its link, its owner and operators. `t` is the link's token; a cookie keeps it."),
        PAGES.post("/request/{id}/book", Access::ANYBODY, "Choose a provider", request::book::book),
        PAGES
            .get("/request/{id}/appointment.ics", Access::ANYBODY, "A booked appointment", request::appointment::show)
            .text("A file for calendars. There is one when date and time of the appointment can be read.")
            .error(StatusCode::NOT_FOUND, "There is no such appointment."),
        PAGES.get("/login", Access::ANYBODY, "The sign-in", sign_in::show),
        PAGES
            .post("/login", Access::ANYBODY, "Sign in", sign_in::submit)
            .body_bytes_max(login::BODY_BYTES_MAX)
            .error(StatusCode::UNAUTHORIZED, "The address or the password is wrong."),
        PAGES.post("/logout", Access::ANYBODY, "Sign out", sign_in::out),
        PAGES.get("/exceptions", WORKERS, "What needs a person", exceptions::list),
        PAGES.get("/exceptions/{id}", WORKERS, "An exception", exceptions::show),
        PAGES.post("/exceptions/{id}/assign", WORKERS, "Give an exception to somebody", exceptions::assign),
        PAGES.post("/exceptions/{id}/snooze", WORKERS, "Put an exception off", exceptions::snooze),
        PAGES.post("/exceptions/{id}/resolve", WORKERS, "Close an exception", exceptions::resolve),
        FILES
            .get(
                "/assets/{name}",
                Access::ANYBODY,
                "The style sheet or a module of the script of the pages",
                assets::show,
            )
            .text("Its name holds the hash of its content.")
            .error(StatusCode::NOT_FOUND, "There is no such file in this release."),
    ]
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
