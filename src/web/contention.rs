//! Runs a request again if its transaction conflicted with another one. Handlers need no retries of their own.
//!
//! A conflicting transaction is rolled back, so nothing of the failed run is stored. A handler that commits before its
//! last transaction uses [`repeat`] to retry only that transaction. Its request is never run again after that.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;

use super::error::{ApiError, Cause, Result};

/// The maximum number of runs of a request, or of its last transaction.
const RUNS_MAX: usize = 4;

/// Runs a request again after contention. An earlier layer has read its body into memory.
pub async fn layer(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    // Reading a body that is in memory can't fail.
    let body = body.collect().await.map_or_else(|_| Bytes::new(), |collected| collected.to_bytes());
    let mut run = 1;
    loop {
        let request = Request::from_parts(parts.clone(), Body::from(body.clone()));
        let response = next.clone().run(request).await;
        let contended = Cause::of(&response).is_some_and(ApiError::is_contention);
        if !contended || run == RUNS_MAX {
            return response;
        }
        count();
        run += 1;
    }
}

/// Runs the last transaction of a request that has committed another one before. Retries it after contention.
///
/// # Errors
/// Returns the transaction's error. [`layer`] does not run the request again after it.
pub async fn repeat<T, F: Future<Output = Result<T>>>(transaction: impl Fn() -> F) -> Result<T> {
    let mut run = 1;
    loop {
        match transaction().await {
            Err(error) if error.is_contention() && run < RUNS_MAX => {
                count();
                run += 1;
            }
            Err(error) => return Err(ApiError { is_final: true, ..error }),
            done => return done,
        }
    }
}

fn count() {
    metrics::counter!("nightshift_http_contention_retries_total").increment(1);
}
