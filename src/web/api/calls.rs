//! `/api/v1/bookings`: calls that book an appointment.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use nightshift_domain::calls::{self, CallMode, CallStatus, CallView, Schedule, Scheduled};
use nightshift_domain::ids::RequestId;
use nightshift_domain::viewer::Viewer;
use nightshift_domain::warning::Warning;
use nightshift_jobs::Enqueuer;
use nightshift_jobs::booking_call;
use nightshift_jobs::booking_call::poll::BookingCallPoll;
use serde_json::{Value, json};

use super::service_requests::{Empty, data};
use crate::web::auth::{Caller, Principal};
use crate::web::body::{JsonBody, OptionalJson};
use crate::web::error::{ApiError, Result};
use crate::web::idempotency::Answering;
use crate::web::state::Web;

/// How long [`schedule`] waits for the end of a call.
pub(super) const PATIENCE: Duration = Duration::from_secs(310);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// `POST /api/v1/bookings/schedule-async`: 202 as soon as the call stands.
pub async fn schedule_async(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    JsonBody(wish): JsonBody<Schedule>,
) -> Result<Response> {
    let mut tx = web.db.begin().await?;
    let scheduled = store_wish(&web, &caller, &mut tx, wish).await?;
    let started = data(json!({
        "bookingInitiated": true, "executionId": scheduled.execution_id, "status": "accepted",
        "message": "Booking call started. You will be notified when complete.",
    }));
    let body = with_warnings(started, &scheduled.warnings);
    let mut response = answering.commit(&web, tx, StatusCode::ACCEPTED, body).await?;
    let place = format!("/api/v1/bookings/executions/{}", scheduled.execution_id);
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_str(&place).map_err(ApiError::internal)?);
    Ok(response)
}

/// `POST /api/v1/bookings/schedule`: waits for the outcome. The call goes on when the caller goes away.
pub async fn schedule(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    JsonBody(wish): JsonBody<Schedule>,
) -> Result<Response> {
    let mut tx = web.db.begin().await?;
    let scheduled = store_wish(&web, &caller, &mut tx, wish).await?;
    tx.commit().await?;
    let viewer = caller.viewer_of(&web, &scheduled.request_id)?;
    let call = wait_for_end(&web, &viewer, &scheduled.execution_id).await?;
    let tx = web.db.begin().await?;
    let body = with_warnings(data(outcome(&call)), &scheduled.warnings);
    answering.commit(&web, tx, StatusCode::OK, body).await
}

/// Puts warnings beside the data, if there are any: without them the body is what it was before there were warnings.
fn with_warnings(mut body: Value, warnings: &[Warning]) -> Value {
    if !warnings.is_empty() {
        body["warnings"] = json!(warnings);
    }
    body
}

/// Stores a wish for a call, with the job that places it.
///
/// # Errors
/// As the domain refuses it; 404 for the link of another request.
pub(in crate::web) async fn store_wish(
    web: &Web,
    caller: &Caller,
    tx: &mut nightshift_db::Tx,
    wish: Schedule,
) -> Result<Scheduled> {
    let request = RequestId::from(wish.service_request_id.clone().unwrap_or_default());
    let viewer = caller.viewer_of(web, &request)?;
    // The job that places the call fixes the mode for good; this is what it will be.
    let mode = web.dialing.mode();
    let enqueuer = Enqueuer::of_request(&web.queue);
    Ok(booking_call::schedule(&enqueuer, tx, viewer.org_id(), wish, mode, &caller.actor()).await?)
}

async fn wait_for_end(web: &Web, viewer: &Viewer, execution_id: &str) -> Result<CallView> {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let call = calls::call_by_execution(&web.db, viewer, execution_id).await?;
        if call.status.is_final() || tokio::time::Instant::now() > until {
            return Ok(call);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn outcome(call: &CallView) -> Value {
    let status = match call.status {
        CallStatus::Confirmed => "confirmed",
        CallStatus::NotConfirmed => "not_confirmed",
        CallStatus::Failed | CallStatus::Cancelled => "failed",
        CallStatus::Timeout | CallStatus::Accepted | CallStatus::Starting | CallStatus::InProgress => "timeout",
    };
    if call.mode == CallMode::Simulated {
        return json!({"bookingInitiated": true, "bookingStatus": status, "method": "simulated",
                      "message": "Simulated booking (LIVE_CALL_ENABLED=false)"});
    }
    let result = |field: &str| call.result.as_ref().map_or(Value::Null, |result| result.0[field].clone());
    json!({"bookingInitiated": true, "bookingStatus": status, "method": "vapi",
           "confirmedDate": result("confirmed_date"), "confirmedTime": result("confirmed_time"),
           "confirmationNumber": result("confirmation_number")})
}

/// `GET /api/v1/bookings/executions/{executionId}`
pub async fn show(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Result<Json<Value>> {
    let mut call = find(&web, &caller, &id).await?;
    with_polls(&web, &mut call).await?;
    Ok(Json(data(json!(call))))
}

async fn find(web: &Web, caller: &Caller, execution_id: &str) -> Result<CallView> {
    let viewer = match caller.principal() {
        Principal::Link(_) => {
            let request = calls::request_of_execution(&web.db, execution_id).await?.ok_or_else(ApiError::not_found)?;
            caller.viewer_of(web, &request)?
        }
        _ => caller.viewer(),
    };
    Ok(calls::call_by_execution(&web.db, &viewer, execution_id).await?)
}

/// `POST /api/v1/bookings/executions/{executionId}/cancel`
pub async fn cancel(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    Path(id): Path<String>,
    OptionalJson(Empty {}): OptionalJson<Empty>,
) -> Result<Response> {
    let call = find(&web, &caller, &id).await?;
    if call.status.is_final() && call.status != CallStatus::Cancelled {
        return Err(ApiError::conflict("invalid_transition", format!("The call is {}.", call.status)));
    }
    let mut tx = web.db.begin().await?;
    booking_call::cancel(&Enqueuer::of_request(&web.queue), &mut tx, &call.id, &caller.actor()).await?;
    let body = data(json!({"executionId": call.execution_id, "status": CallStatus::Cancelled}));
    answering.commit(&web, tx, StatusCode::ACCEPTED, body).await
}

/// Counts the looks at a call that goes on: they are with the job that looks.
pub(in crate::web) async fn with_polls(web: &Web, call: &mut CallView) -> Result<()> {
    if !call.status.is_final() {
        let polls = web.queue.polls_of(&BookingCallPoll::key(&call.id)).await?;
        call.poll_count = call.poll_count.max(polls.unwrap_or(0));
    }
    Ok(())
}
