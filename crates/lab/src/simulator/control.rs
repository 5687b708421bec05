//! The simulator's own HTTP API, with which tests in other processes set faults and read the ledger.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};

use super::faults::FaultRule;
use super::twilio::FakeTwilio;

pub(super) fn router(twilio: Arc<FakeTwilio>) -> Router {
    Router::new()
        .route("/_control/faults", get(show_faults).post(add_faults).delete(clear_faults))
        .route("/_control/ledger", get(show_ledger).delete(clear_ledger))
        .with_state(twilio)
}

async fn show_faults(State(twilio): State<Arc<FakeTwilio>>) -> Json<Vec<FaultRule>> {
    Json(twilio.faults().left())
}

async fn add_faults(State(twilio): State<Arc<FakeTwilio>>, Json(rules): Json<Vec<FaultRule>>) -> StatusCode {
    twilio.faults().add(rules);
    StatusCode::NO_CONTENT
}

async fn clear_faults(State(twilio): State<Arc<FakeTwilio>>) -> StatusCode {
    twilio.clear_faults();
    StatusCode::NO_CONTENT
}

async fn show_ledger(State(twilio): State<Arc<FakeTwilio>>) -> impl IntoResponse {
    Json(twilio.ledger())
}

async fn clear_ledger(State(twilio): State<Arc<FakeTwilio>>) -> StatusCode {
    twilio.clear_ledger();
    StatusCode::NO_CONTENT
}
