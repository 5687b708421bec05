//! Pages: rendered on the server, usable without scripts, and updated live by scripts.
//!
//! A page is a template and the facts that it shows. All pages share one style sheet and one set of script modules.
//! Nothing is loaded from other hosts, and the content security policy of every page enforces that.

mod assets;
mod exceptions;
mod kit;
mod request;
mod sign_in;

use axum::http::StatusCode;

pub(super) use self::kit::{errors, guard, unrouted, unrouted_errors};
use super::auth::{Access, login};
use super::routes::{Area, Kind, Route};

const PAGES: Area = Area::of(Kind::Page, "Pages");
const FILES: Area = Area::of(Kind::Asset, "Files");

/// Returns the routes of all pages and of their assets.
pub(super) fn routes() -> Vec<Route> {
    const WORKERS: Access = Access::OWNER.and_ops();
    const EVERYBODY: Access = WORKERS.and_sitter();
    vec![
        PAGES
            .get("/request/{id}", Access::ANYBODY, "A request for an appointment", request::show)
            .text("For holders of its link, its owner and operators. `t` is the link's token; a cookie keeps it."),
        PAGES.post("/request/{id}/book", Access::ANYBODY, "Choose a provider", request::book::book),
        PAGES
            .get("/request/{id}/appointment.ics", Access::ANYBODY, "A booked appointment", request::appointment::show)
            .text("An iCalendar file. It exists when the date and the time of the appointment can be parsed.")
            .error(StatusCode::NOT_FOUND, "No such appointment."),
        PAGES.get("/login", Access::ANYBODY, "The sign-in", sign_in::show),
        PAGES
            .post("/login", Access::ANYBODY, "Sign in", sign_in::submit)
            .body_bytes_max(login::BODY_BYTES_MAX)
            .error(StatusCode::UNAUTHORIZED, "Wrong email or password."),
        PAGES.post("/logout", EVERYBODY, "Sign out", sign_in::out),
        PAGES.get("/", EVERYBODY, "Redirect to the first page of the caller's role", sign_in::home),
        PAGES.get("/exceptions", WORKERS, "List exceptions", exceptions::list::show),
        PAGES.get("/exceptions/{id}", WORKERS, "An exception", exceptions::detail::show),
        PAGES.post("/exceptions/{id}/assign", WORKERS, "Assign an exception", exceptions::detail::assign),
        PAGES.post("/exceptions/{id}/snooze", WORKERS, "Snooze an exception", exceptions::detail::snooze),
        PAGES.post("/exceptions/{id}/resolve", WORKERS, "Resolve an exception", exceptions::detail::resolve),
        FILES
            .get("/assets/{name}", Access::ANYBODY, "The style sheet or a script module of the pages", assets::show)
            .text("The file name contains the hash of its content.")
            .error(StatusCode::NOT_FOUND, "There is no such file in this release."),
    ]
}
