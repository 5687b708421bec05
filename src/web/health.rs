//! Probes for monitoring: liveness, readiness and metrics.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use nightshift_db::{DbError, Outage};
use nightshift_providers::mac;
use secrecy::ExposeSecret;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Access;
use super::error::ApiError;
use super::routes::{Area, Contract, Gives, Kind, Proof, Route};
use super::state::Web;

/// The timeout after which the database counts as unreachable.
const TIMEOUT: Duration = Duration::from_secs(3);

const PROBES: Area = Area::of(Kind::Probe, "Health");

pub(super) fn routes() -> Vec<Route> {
    vec![
        PROBES.get("/healthz", Access::ANYBODY, "Whether the process is running", alive),
        PROBES.get("/readyz", Access::ANYBODY, "Whether the process is ready for requests", ready),
        PROBES
            .get("/metrics", Access::ANYBODY, "The metrics of the process", metrics)
            .text("In Prometheus text format. Requests from this machine need no token; all others need the token in `http.metrics_token`.")
            .proofs(&[&[Proof::MetricsToken]])
            .error(StatusCode::UNAUTHORIZED, "The token is missing or wrong."),
    ]
}

/// The condition of the process.
#[derive(Serialize, ToSchema)]
struct Condition {
    /// `ok`, `ready` or `not ready`.
    status: &'static str,
    /// Why the process should get no requests. Absent if it should.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

async fn alive() -> Json<Condition> {
    Json(Condition { status: "ok", reason: None })
}

/// Whether the process is ready for requests, as status 200 or 503.
struct Readiness(Option<String>);

impl IntoResponse for Readiness {
    fn into_response(self) -> Response {
        match self.0 {
            None => Json(Condition { status: "ready", reason: None }).into_response(),
            reason => {
                (StatusCode::SERVICE_UNAVAILABLE, Json(Condition { status: "not ready", reason })).into_response()
            }
        }
    }
}

impl Gives for Readiness {
    fn describe(contract: &mut Contract) {
        contract.answer::<Condition>(200);
        contract.answer::<Condition>(503);
    }
}

async fn ready(State(web): State<Web>) -> Readiness {
    Readiness(trouble(&web).await)
}

/// Returns why this process should get no requests, or `None` if it should.
async fn trouble(web: &Web) -> Option<String> {
    if web.closing.is_cancelled() {
        return Some("shutting down".to_owned());
    }
    match tokio::time::timeout(TIMEOUT, nightshift_db::migration_state(&web.db)).await {
        Ok(Ok(state)) if !state.is_current() => {
            return Some(format!("the database lacks the migrations {}", state.missing.join(", ")));
        }
        Ok(Ok(nightshift_db::MigrationState { contraction: Some(contraction), .. })) => {
            return Some(contraction.to_string());
        }
        Ok(Ok(_)) => match tokio::time::timeout(TIMEOUT, web.db.is_writable()).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => return Some("the database is read-only".to_owned()),
            Ok(Err(_)) | Err(_) => return Some("the database can't be reached".to_owned()),
        },
        Ok(Err(DbError::Unavailable(Outage::Unchecked))) => {
            return Some("the database can't be reached, or is not prepared yet".to_owned());
        }
        Ok(Err(_)) | Err(_) => return Some("the database can't be reached".to_owned()),
    }
    web.worker.as_ref().and_then(nightshift_queue::Health::trouble)
}

async fn metrics(
    State(web): State<Web>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Counts, ApiError> {
    if !client.ip().to_canonical().is_loopback() && !has_token(&web, &headers) {
        return Err(ApiError::unauthorized(
            "metrics_token",
            "Metrics need the token in the setting `http.metrics_token`.",
        ));
    }
    Ok(Counts(web.metrics.render()))
}

struct Counts(String);

impl IntoResponse for Counts {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], self.0).into_response()
    }
}

impl Gives for Counts {
    fn describe(contract: &mut Contract) {
        contract.answer_text(200, "text/plain");
    }
}

fn has_token(web: &Web, headers: &HeaderMap) -> bool {
    let Some(token) = &web.settings.http.metrics_token else { return false };
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    given.is_some_and(|given| mac::same(given, token.expose_secret().as_bytes()))
}
