//! The outermost layer: gives each request an id, records its metrics, and logs every 5xx response.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::error::Cause;
use super::request_id::{self, RequestId};
use super::state::Web;

/// The header with the request id, in requests and responses.
const HEADER: &str = "x-request-id";
/// The maximum length of a request id that a caller provides.
const LENGTH_MAX: usize = 64;

pub async fn layer(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = given(&request).unwrap_or_else(|| nightshift_db::new_id(web.clock.now()));
    request.extensions_mut().insert(RequestId(id.clone()));
    // The path of an unmatched request is chosen by its sender and would create a metric series of its own.
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

/// Returns the caller's own request id, if it is safe for logs and headers.
fn given(request: &Request) -> Option<String> {
    let text = request.headers().get(HEADER)?.to_str().ok()?;
    let fit = !text.is_empty()
        && text.len() <= LENGTH_MAX
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    fit.then(|| text.to_owned())
}

/// Logs the cause of a 5xx response, whether its body is JSON or a page.
fn log_failure(response: &Response, id: &str, route: &str) {
    let Some(error) = Cause::of(response).filter(|error| error.status.is_server_error()) else { return };
    if error.status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(http.route = route, request.id = id, error = error.detail(), "a request failed");
    } else {
        tracing::warn!(http.route = route, request.id = id, error = error.detail(), "a request was turned away");
    }
}
