//! Another transaction was in the way: the request is run once more, in this one place instead of in every handler.
//!
//! Nothing of the first run stands, because its transaction was rolled back. A handler that commits before its last
//! transaction repeats that one alone ([`repeat`]): its request is never run again after it.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http_body_util::BodyExt;

use super::error::{ApiError, Cause, Result};

/// Runs of one request, or of its last transaction.
const RUNS_MAX: usize = 4;

/// Repeats a request that met contention. Its body is in memory already.
pub async fn layer(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    // A body in memory can't fail to be read.
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

/// Runs the last transaction of a request that has committed another one before, and repeats it when it meets contention.
///
/// # Errors
/// The transaction's. [`layer`] does not run the request again after it.
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
