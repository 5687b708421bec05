//! The outermost layer: gives each request an id, counts and logs it, and logs why it failed when the fault is ours.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::error::Cause;
use super::request_id::{self, RequestId};
use super::state::Web;

/// The header that carries the id in and out.
const HEADER: &str = "x-request-id";
/// Longest id taken from a caller.
const LENGTH_MAX: usize = 64;

/// Wraps every request.
pub async fn layer(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = given(&request).unwrap_or_else(|| nightshift_db::new_id(web.clock.now()));
    request.extensions_mut().insert(RequestId(id.clone()));
    // A path that fits no route is a caller's text and would make a metric of its own.
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().clone();
    let mut response = request_id::within(id.clone(), next.run(request)).await;
    log_failure(&response, &id, &route);
    let status = response.status().as_u16();
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HEADER, value);
    }
    let labels = [("method", method.to_string()), ("route", route.clone()), ("status", status.to_string())];
    metrics::counter!("nightshift_http_requests_total", &labels).increment(1);
    metrics::histogram!("nightshift_http_request_seconds", "route" => route.clone()).record(started.elapsed());
    tracing::debug!(
        http.method = %method, http.route = route, http.status = status, request.id = id,
        duration_ms = started.elapsed().as_millis(), "answered a request"
    );
    response
}

/// The caller's own id, if it is fit for logs and headers.
fn given(request: &Request) -> Option<String> {
    let text = request.headers().get(HEADER)?.to_str().ok()?;
    let fit = !text.is_empty()
        && text.len() <= LENGTH_MAX
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    fit.then(|| text.to_owned())
}

/// Logs why a request got a 5xx answer, whether that is JSON or a page.
fn log_failure(response: &Response, id: &str, route: &str) {
    let Some(error) = Cause::of(response).filter(|error| error.status.is_server_error()) else { return };
    if error.status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(http.route = route, request.id = id, error = error.detail(), "a request failed");
    } else {
        tracing::warn!(http.route = route, request.id = id, error = error.detail(), "a request was turned away");
    }
}
