//! The style sheet and the script, built into the program.

use axum::http::header;
use axum::response::IntoResponse;

/// Fetched again after this many seconds; a new version of the program may bring new ones.
const KEEP: &str = "public, max-age=300";

/// `GET /assets/app.css`
pub(super) async fn css() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, KEEP)];
    (headers, include_str!("assets/app.css"))
}

/// `GET /assets/app.js`
pub(super) async fn js() -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8"), (header::CACHE_CONTROL, KEEP)];
    (headers, include_str!("assets/app.js"))
}
