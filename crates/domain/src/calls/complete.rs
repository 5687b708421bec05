//! Ends a call once: result, request, audit entry, live update and the text to the requester in one transaction.
//!
//! What the end changes is decided first, as one value ([`closing`](super::closing)). This file stores it.

use nightshift_db::{Json, Timestamp, Tx};
use serde_json::{Value, json};

use super::closing::{Appointment, Audited, Closing, Ending, EndingDecision, ExceptionChange, Facts, Outcome, decide};
use super::requests::{announce, set_status};
use super::tell::tell;
use super::{Call, CallStatus, ServiceRequest, lock};
use crate::actor::Actor;
use crate::automations::runs::RunToStart;
use crate::exceptions::{self, ExceptionKind, NewException, Severity};
use crate::ids::CallId;
use crate::{Result, audit};

/// What [`complete`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "enqueue what follows: `automation.run` for the text about an appointment"]
pub enum Completed {
    Now {
        /// The text to the requester, for which `automation.run` must follow. `None` if there is no text.
        run: Option<RunToStart>,
    },
    /// The call had ended before, with this status. A late appointment was raised as an exception; anything else
    /// changed nothing.
    Before(CallStatus),
}

/// Ends a call. `polls` is the number of polls so far; `None` leaves the stored number. A call that has ended stays
/// unchanged, except for an appointment that is reported late.
pub async fn complete(
    tx: &mut Tx,
    id: &CallId,
    ending: &Ending,
    polls: Option<i64>,
    by: &Actor,
    now: Timestamp,
) -> Result<Completed> {
    let (call, request) = lock(tx, id).await?;
    let late_appointment = call.status.is_final() && matches!(ending, Ending::Confirmed { .. });
    let newer_call = late_appointment && has_newer_call(tx, &call).await?;
    let facts = Facts { call: call.status, mode: call.mode, request: request.status, newer_call };
    match decide(facts, ending) {
        EndingDecision::Close(closing) => {
            let run = apply(tx, &call, &request, &closing, by, now).await?;
            close(tx, &call, &closing, polls, now).await?;
            record(tx, &call, &request, &closing, by, now).await?;
            Ok(Completed::Now { run })
        }
        EndingDecision::RaiseLate(made) => {
            raise_late(tx, &call, &request, made, now).await?;
            Ok(Completed::Before(call.status))
        }
        EndingDecision::Ignore => Ok(Completed::Before(call.status)),
    }
}

async fn has_newer_call(tx: &mut Tx, call: &Call) -> Result<bool> {
    Ok(tx
        .query("SELECT EXISTS (SELECT 1 FROM booking_calls WHERE service_request_id = $1 AND id > $2)")
        .bind(&call.service_request_id)
        .bind(&call.id)
        .scalar()
        .await?)
}

/// Updates the service provider and the request by the outcome of the call, and notifies the requester of an
/// appointment.
async fn apply(
    tx: &mut Tx,
    call: &Call,
    request: &ServiceRequest,
    closing: &Closing<'_>,
    by: &Actor,
    now: Timestamp,
) -> Result<Option<RunToStart>> {
    match closing.outcome {
        Outcome::Booked(made) => return apply_booking(tx, call, request, closing, made, by, now).await,
        Outcome::Talked => {
            tx.query("UPDATE providers SET last_call_at = $2, call_transcript = $3, updated_at = $2 WHERE id = $1")
                .bind(&call.provider_id)
                .bind(now)
                .bind(closing.transcript)
                .execute()
                .await?;
        }
        Outcome::Nothing => {}
    }
    tx.query("UPDATE service_requests SET active_booking_call_id = NULL WHERE id = $1")
        .bind(&request.id)
        .execute()
        .await?;
    set_request(tx, request, closing, now).await?;
    let data =
        json!({"serviceRequestId": request.id, "providerId": call.provider_id, "executionId": call.execution_id});
    announce_all(tx, call, closing, &data, now).await?;
    Ok(None)
}

/// Stores the appointment, completes the request and notifies the requester.
async fn apply_booking(
    tx: &mut Tx,
    call: &Call,
    request: &ServiceRequest,
    closing: &Closing<'_>,
    made: &Appointment,
    by: &Actor,
    now: Timestamp,
) -> Result<Option<RunToStart>> {
    let (name,): (String,) = tx
        .query(
            "UPDATE providers SET booking_confirmed = TRUE, booking_date = $2, booking_time = $3,
                    confirmation_number = $4, last_call_at = $5, call_transcript = $6, updated_at = $5
             WHERE id = $1 RETURNING name",
        )
        .bind(&call.provider_id)
        .bind(&made.date)
        .bind(&made.time)
        .bind(&made.number)
        .bind(now)
        .bind(closing.transcript)
        .one()
        .await?;
    tx.query(
        "UPDATE service_requests SET selected_provider_id = $2, final_outcome = $3, active_booking_call_id = NULL,
                updated_at = $4 WHERE id = $1",
    )
    .bind(&request.id)
    .bind(&call.provider_id)
    .bind(format!("Booked with {name} on {} at {}", made.date, made.time))
    .bind(now)
    .execute()
    .await?;
    set_request(tx, request, closing, now).await?;
    let data = json!({"serviceRequestId": request.id, "providerId": call.provider_id, "providerName": name,
                      "date": made.date, "time": made.time, "executionId": call.execution_id});
    announce_all(tx, call, closing, &data, now).await?;
    tell(tx, call, request, made, &name, by, now).await
}

async fn set_request(tx: &mut Tx, request: &ServiceRequest, closing: &Closing<'_>, now: Timestamp) -> Result<()> {
    match closing.request {
        Some(status) => set_status(tx, &request.id, status, now).await,
        None => Ok(()),
    }
}

async fn announce_all(tx: &mut Tx, call: &Call, closing: &Closing<'_>, data: &Value, now: Timestamp) -> Result<()> {
    for event in closing.announced {
        announce(tx, &call.org_id, &call.service_request_id, event, data, now).await?;
    }
    Ok(())
}

async fn close(tx: &mut Tx, call: &Call, closing: &Closing<'_>, polls: Option<i64>, now: Timestamp) -> Result<()> {
    let ended_now = !closing.late;
    tx.query(
        "UPDATE booking_calls SET status = $2, ended_at = COALESCE($3, ended_at), result = $4, transcript = $5,
                failure_reason = $6, poll_count = COALESCE($7, poll_count), next_poll_at = NULL, updated_at = $8
         WHERE id = $1",
    )
    .bind(&call.id)
    .bind(closing.status)
    .bind(ended_now.then_some(now))
    .bind(closing.result.clone().map(Json))
    .bind(closing.transcript)
    .bind(closing.failure_reason)
    .bind(polls.filter(|_| ended_now))
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

async fn record(
    tx: &mut Tx,
    call: &Call,
    request: &ServiceRequest,
    closing: &Closing<'_>,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let Audited { event, status, reason } = closing.audited;
    let metadata = if closing.late {
        json!({"bookingCallId": call.id, "executionId": call.execution_id, "late": true})
    } else {
        json!({"bookingCallId": call.id, "executionId": call.execution_id, "status": closing.status,
               "mode": call.mode, "providerId": call.provider_id, "reason": reason})
    };
    let entry = crate::audit_entry(event, status, by).org(&call.org_id).correlation(request.id.as_str());
    audit::record(tx, entry.metadata(metadata.clone()), now).await?;
    let fingerprint = format!("booking_call:{}", call.id);
    match closing.exception {
        ExceptionChange::Raise(severity) => {
            let problem = NewException::new(ExceptionKind::BookingCallFailed, severity, fingerprint)
                .title("A booking call failed or did not end in time")
                .detail(metadata)
                .org(&call.org_id);
            exceptions::raise(tx, &problem, now).await.map(|_| ())
        }
        ExceptionChange::Resolve => {
            exceptions::resolve(tx, &fingerprint, "the appointment was confirmed late", now).await
        }
        ExceptionChange::Keep => Ok(()),
    }
}

/// Raises an exception about an appointment that was reported after its call was given up and can't be accepted.
async fn raise_late(
    tx: &mut Tx,
    call: &Call,
    request: &ServiceRequest,
    made: &Appointment,
    now: Timestamp,
) -> Result<()> {
    let problem =
        NewException::new(ExceptionKind::LateBookingConfirmation, Severity::High, format!("late_booking:{}", call.id))
            .title("An appointment was reported after its call had ended")
            .detail(json!({"bookingCallId": call.id, "serviceRequestId": request.id, "was": call.status,
                           "date": made.date, "time": made.time, "confirmationNumber": made.number}))
            .org(&call.org_id);
    exceptions::raise(tx, &problem, now).await.map(|_| ())
}
