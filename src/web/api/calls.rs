//! `/api/v1/bookings`: calls that book an appointment.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use nightshift_domain::calls::{self, CallMode, CallStatus, CallView, NewCall};
use nightshift_domain::viewer::Viewer;
use nightshift_jobs::Enqueuer;
use nightshift_jobs::booking_call;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::bookings::Empty;
use super::data::Data;
use crate::web::answer::{Accepted, Answer, Located};
use crate::web::auth::{Caller, Principal};
use crate::web::body::{JsonBody, OptionalJson};
use crate::web::calls::{schedule_call, with_polls};
use crate::web::contention;
use crate::web::error::{ApiError, Result};
use crate::web::idempotency::Answering;
use crate::web::path::Path;
use crate::web::state::Web;

/// How long [`schedule`] waits for a call to end.
pub(super) const TIMEOUT: Duration = Duration::from_secs(310);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A call that was scheduled.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallStarted {
    booking_initiated: bool,
    execution_id: String,
    /// Always `accepted`.
    status: CallStatus,
    message: &'static str,
}

/// The outcome of a call.
#[derive(Serialize, ToSchema)]
#[schema(as = CallOutcome)]
#[serde(untagged)]
pub enum Outcome {
    /// The call was simulated. Nobody was called.
    Simulated(Simulated),
    /// The call was placed.
    Called(Called),
}

/// The outcome of a simulated call.
#[derive(Serialize, ToSchema)]
#[schema(as = SimulatedOutcome)]
#[serde(rename_all = "camelCase")]
pub struct Simulated {
    booking_initiated: bool,
    /// `confirmed`, `not_confirmed`, `failed` or `timeout`.
    booking_status: &'static str,
    /// Always `simulated`.
    method: &'static str,
    message: &'static str,
}

/// The outcome of a call that was placed. Details that the call did not yield are null.
#[derive(Serialize, ToSchema)]
#[schema(as = CalledOutcome)]
#[serde(rename_all = "camelCase")]
pub struct Called {
    booking_initiated: bool,
    /// `confirmed`, `not_confirmed`, `failed` or `timeout`.
    booking_status: &'static str,
    /// Always `vapi`.
    method: &'static str,
    #[schema(value_type = Option<String>)]
    confirmed_date: Option<Value>,
    #[schema(value_type = Option<String>)]
    confirmed_time: Option<Value>,
    #[schema(value_type = Option<String>)]
    confirmation_number: Option<Value>,
}

/// A call that was cancelled.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CallCancelled {
    execution_id: String,
    status: CallStatus,
}

/// `POST /api/v1/bookings/schedule-async`: answers 202 as soon as the call is scheduled.
pub async fn schedule_async(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    JsonBody(new_call): JsonBody<NewCall>,
) -> Result<Located<Data<CallStarted>, 202>> {
    let mut tx = web.db.begin().await?;
    let scheduled = schedule_call(&web, &caller, &mut tx, new_call).await?;
    let place = format!("/api/v1/bookings/executions/{}", scheduled.execution_id);
    let started = CallStarted {
        booking_initiated: true,
        execution_id: scheduled.execution_id,
        status: CallStatus::Accepted,
        message: "Booking call started. You will be notified when complete.",
    };
    answering.commit(&web, tx, Data::of(started).warning(scheduled.warnings)).await?.at(&place)
}

/// `POST /api/v1/bookings/schedule`: waits for the outcome. The call continues when the caller disconnects.
pub async fn schedule(
    State(web): State<Web>,
    caller: Caller,
    answering: Answering,
    JsonBody(new_call): JsonBody<NewCall>,
) -> Result<Answer<Data<Outcome>>> {
    let mut tx = web.db.begin().await?;
    let scheduled = schedule_call(&web, &caller, &mut tx, new_call).await?;
    tx.commit().await?;
    let viewer = caller.viewer_of(&web, &scheduled.request_id)?;
    let call = wait_for_end(&web, &viewer, &scheduled.execution_id).await?;
    // The call is committed. Running the whole request again could schedule a second one.
    contention::repeat(|| async {
        let tx = web.db.begin().await?;
        let answer = Data::of(outcome(&call)).warning(scheduled.warnings.clone());
        answering.clone().commit(&web, tx, answer).await
    })
    .await
}

async fn wait_for_end(web: &Web, viewer: &Viewer, execution_id: &str) -> Result<CallView> {
    let until = tokio::time::Instant::now() + TIMEOUT;
    loop {
        let call = calls::call_by_execution(&web.db, viewer, execution_id).await?;
        if call.status.is_final() || tokio::time::Instant::now() > until {
            return Ok(call);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Returns the outcome of a call for the response of [`schedule`].
fn outcome(call: &CallView) -> Outcome {
    let booking_status = match call.status {
        CallStatus::Confirmed => "confirmed",
        CallStatus::NotConfirmed => "not_confirmed",
        CallStatus::Failed | CallStatus::Cancelled => "failed",
        CallStatus::Timeout | CallStatus::Accepted | CallStatus::Starting | CallStatus::InProgress => "timeout",
    };
    if call.mode == CallMode::Simulated {
        let message = "Simulated booking (LIVE_CALL_ENABLED=false)";
        return Outcome::Simulated(Simulated { booking_initiated: true, booking_status, method: "simulated", message });
    }
    let result = |field: &str| call.result.as_ref().and_then(|result| Some(result.0.get(field)?.clone()));
    Outcome::Called(Called {
        booking_initiated: true,
        booking_status,
        method: "vapi",
        confirmed_date: result("confirmed_date"),
        confirmed_time: result("confirmed_time"),
        confirmation_number: result("confirmation_number"),
    })
}

/// `GET /api/v1/bookings/executions/{executionId}`
pub async fn show(State(web): State<Web>, caller: Caller, Path(id): Path<String>) -> Result<Json<Data<CallView>>> {
    let mut call = find(&web, &caller, &id).await?;
    with_polls(&web, &mut call).await?;
    Ok(Json(Data::of(call)))
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
) -> Result<Accepted<Data<CallCancelled>>> {
    let call = find(&web, &caller, &id).await?;
    if call.status.is_final() && call.status != CallStatus::Cancelled {
        return Err(ApiError::conflict("invalid_transition", format!("The call is {}.", call.status)));
    }
    let mut tx = web.db.begin().await?;
    booking_call::cancel(&Enqueuer::of_request(&web.queue), &mut tx, &call.id, &caller.actor()).await?;
    let cancelled = CallCancelled { execution_id: call.execution_id, status: CallStatus::Cancelled };
    answering.commit(&web, tx, Data::of(cancelled)).await
}
