//! For machines that watch: does the process live, may it get work, what does it count.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use secrecy::ExposeSecret;
use serde_json::json;
use subtle::ConstantTimeEq;

use super::error::ApiError;
use super::state::Web;

/// A database that takes longer counts as away.
const PATIENCE: Duration = Duration::from_secs(3);

/// `/healthz`, `/readyz` and `/metrics`. They stay outside the limits of other requests: a busy process still lives.
pub fn routes() -> Router<Web> {
    Router::new()
        .route("/healthz", get(async || Json(json!({"status": "ok"}))))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

async fn ready(State(web): State<Web>) -> Response {
    match trouble(&web).await {
        None => Json(json!({"status": "ready"})).into_response(),
        Some(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "not ready", "reason": reason}))).into_response()
        }
    }
}

/// Why this process should get no requests.
async fn trouble(web: &Web) -> Option<String> {
    if web.closing.is_cancelled() {
        return Some("shutting down".to_owned());
    }
    match tokio::time::timeout(PATIENCE, nightshift_db::migration_state(&web.db)).await {
        Ok(Ok(state)) if !state.is_current() => {
            return Some(format!("the database lacks the migrations {}", state.missing.join(", ")));
        }
        Ok(Ok(_)) => match tokio::time::timeout(PATIENCE, web.db.is_writable()).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Some("the database is read-only".to_owned()),
            Ok(Err(_)) | Err(_) => return Some("the database can't be reached".to_owned()),
        },
        Ok(Err(_)) | Err(_) => return Some("the database can't be reached".to_owned()),
    }
    web.worker.as_ref().and_then(nightshift_queue::Health::trouble)
}

async fn metrics(
    State(web): State<Web>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, ApiError> {
    if !client.ip().to_canonical().is_loopback() && !has_token(&web, &headers) {
        return Err(ApiError::unauthorized("metrics_token", "Metrics need the token that the operator has set."));
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], web.metrics.render()))
}

fn has_token(web: &Web, headers: &HeaderMap) -> bool {
    let Some(token) = &web.settings.http.metrics_token else { return false };
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    given.is_some_and(|given| given.ct_eq(token.expose_secret().as_bytes()).into())
}
