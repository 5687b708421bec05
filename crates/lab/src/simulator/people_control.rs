//! The simulator's HTTP API for people: to add them, and to have one send a text now.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::inbound::InboundSpec;
use super::people::{People, Person};
use super::twilio::FakeTwilio;

pub(super) fn router(people: Arc<People>, twilio: Arc<FakeTwilio>) -> Router {
    Router::new()
        .route("/_control/people", get(show).post(add).delete(clear))
        .route("/_control/texts", post(text))
        .with_state(people)
        .merge(Router::new().route("/_control/twilio/inbound", put(set_inbound_url)).with_state(twilio))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inbound {
    url: String,
}

async fn show(State(people): State<Arc<People>>) -> Json<Vec<Person>> {
    Json(people.all())
}

async fn add(State(people): State<Arc<People>>, Json(added): Json<Vec<Person>>) -> StatusCode {
    added.into_iter().for_each(|person| people.add(person));
    StatusCode::NO_CONTENT
}

async fn clear(State(people): State<Arc<People>>) -> StatusCode {
    people.clear();
    StatusCode::NO_CONTENT
}

/// Takes an [`InboundSpec`] and the name of its carrier. Answers after the last delivery, with the result of each.
async fn text(State(people): State<Arc<People>>, Json(mut given): Json<Map<String, Value>>) -> Response {
    let carrier = given.remove("carrier").unwrap_or_else(|| "twilio".into());
    let carrier = carrier.as_str().unwrap_or_default();
    let spec = match serde_json::from_value::<InboundSpec>(given.into()) {
        Ok(spec) => spec,
        Err(error) => return refused(&error.to_string()),
    };
    match people.text(carrier, spec) {
        Some(receiving) => Json(receiving.await).into_response(),
        None => refused(&format!("there is no carrier {carrier}")),
    }
}

fn refused(error: &str) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"error": error}))).into_response()
}

async fn set_inbound_url(State(twilio): State<Arc<FakeTwilio>>, Json(Inbound { url }): Json<Inbound>) -> StatusCode {
    twilio.set_inbound_url(url);
    StatusCode::NO_CONTENT
}
