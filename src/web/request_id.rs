//! The outermost layer: names each request, counts and logs it, and writes the body of every error.

use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::json;

use super::error::ApiError;
use super::state::Web;

/// The header that carries the id in and out.
const HEADER: &str = "x-request-id";
/// Longest id taken from a caller.
const LENGTH_MAX: usize = 64;

/// The request's name, also the correlation id of what it causes.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Wraps every request.
pub async fn layer(State(web): State<Web>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = given(&request).unwrap_or_else(|| nightshift_db::new_id(web.clock.now()));
    request.extensions_mut().insert(RequestId(id.clone()));
    // A path that fits no route is a caller's text and would make a metric of its own.
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().clone();
    let response = next.run(request).await;
    let mut response = finish(response, &id, &route);
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

/// Gives an error its body. Answers of axum itself (no such method) get the same form as our own.
fn finish(mut response: Response, id: &str, route: &str) -> Response {
    let status = response.status();
    let error = match response.extensions_mut().remove::<ApiError>() {
        Some(error) => error,
        None if status == StatusCode::METHOD_NOT_ALLOWED => {
            ApiError::new(status, "method_not_allowed", "This address does not take this method.")
        }
        None => return response,
    };
    if status.is_server_error() {
        let cause = error.cause.as_deref().unwrap_or(&error.message);
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(http.route = route, request.id = id, error = cause, "a request failed");
        } else {
            tracing::warn!(http.route = route, request.id = id, error = cause, "a request was turned away");
        }
    }
    let mut body = json!({"success": false, "error": error.message, "code": error.code, "requestId": id});
    if !error.fields.is_empty() {
        body["fields"] = json!(error.fields);
    }
    *response.body_mut() = Body::from(body.to_string());
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = error.retry_after_seconds() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::REQUEST_TIMEOUT || status == StatusCode::PAYLOAD_TOO_LARGE {
        // What the client still sends is not the next request.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
