//! How many requests at a time, how large, how long. What goes beyond is turned away before it costs anything.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::error::{ApiError, Result};
use super::state::Web;

/// A request that finds no place is asked to come back.
const RETRY_BUSY: Duration = Duration::from_secs(1);

/// Holds one of the in_flight for requests while it is worked on.
pub async fn within(State(web): State<Web>, request: Request, next: Next) -> Response {
    let Ok(_place) = web.in_flight.try_acquire() else {
        return ApiError::unavailable("overloaded", "Too many requests at once; nothing was stored.")
            .after(RETRY_BUSY)
            .into_response();
    };
    if holds_nul(&request) {
        return ApiError::bad_request("bad_request", "The address holds a NUL character.").into_response();
    }
    next.run(request).await
}

/// Ends a request that takes too long. The time covers the body, so a client that sends it drop by drop is cut off as
/// well.
pub async fn in_time(State(timeout): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout", "The request took too long.").into_response(),
    }
}

/// No database text holds one, so no id and no filter does.
fn holds_nul(request: &Request) -> bool {
    let uri = request.uri();
    uri.path().contains("%00") || uri.query().is_some_and(|query| query.contains("%00"))
}

/// The whole body, when it is not larger than `bytes_max`.
pub async fn read_body(headers: &HeaderMap, body: Body, bytes_max: usize) -> Result<Bytes> {
    let too_large = || {
        let message = format!("The body is larger than {bytes_max} bytes.");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|bytes| usize::try_from(bytes).map_or(true, |bytes| bytes > bytes_max)) {
        return Err(too_large());
    }
    match Limited::new(body, bytes_max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(ApiError::bad_request("body_incomplete", "The body broke off.")),
    }
}

/// The media type without its parameters, in lower case.
pub fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or_default();
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// 415, naming what is taken.
pub fn unsupported(taken: &str) -> ApiError {
    let message = format!("The body must be {taken}.");
    ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message)
}

/// Reads the body into memory, so that what runs below may look at it more than once.
pub async fn buffered(State(bytes_max): State<usize>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match read_body(&parts.headers, body, bytes_max).await {
        Ok(body) => next.run(Request::from_parts(parts, Body::from(body))).await,
        Err(error) => error.into_response(),
    }
}
