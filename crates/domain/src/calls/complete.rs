//! Ending a call, once: result, request, audit, live update and the text to the person in one transaction.
//!
//! A real call that reports an appointment in the past has misheard something. The request is done all the same, since
//! there is an appointment, but people look at it before anybody is told a date that is over.

use nightshift_db::{Json, Timestamp, Tx};
use serde_json::{Value, json};

use super::past::is_past;
use super::requests::{announce, set_status};
use super::{Call, CallMode, CallStatus, Request, RequestStatus, late, lock};
use crate::actor::Actor;
use crate::audit::Event;
use crate::automations::AutomationType;
use crate::automations::ledger::{self, NewRun, RunToStart, RunsToStart};
use crate::exceptions::{self, ExceptionKind, Problem, Severity};
use crate::ids::CallId;
use crate::people::clients::{self, Contact};
use crate::people::organizations;
use crate::phone::PhoneNumber;
use crate::{Result, audit};

/// An appointment that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The day, in the words of the call.
    pub date: String,
    /// The time of day.
    pub time: String,
    /// The provider's number for it.
    pub number: Option<String>,
}

/// How a call ended.
#[derive(Clone, PartialEq, Eq)]
pub enum Ending {
    /// With an appointment.
    Confirmed {
        /// It.
        made: Made,
        /// What was said.
        transcript: Option<String>,
    },
    /// Without one.
    NotConfirmed {
        /// What was said.
        transcript: Option<String>,
        /// Why it ended.
        reason: Option<String>,
    },
    /// It could not be made, or broke.
    Failed {
        /// Why.
        reason: String,
    },
    /// It did not end in time.
    TimedOut,
    /// Somebody did not want it any more.
    Cancelled,
}

/// What ending a call did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "enqueue what follows: `automation.run` for the text about an appointment"]
pub enum Completed {
    /// It ended now; `automation.run` must follow for the text.
    Now {
        /// The text to the person, when there is one.
        run: Option<RunToStart>,
    },
    /// It was over before, and what came now is on record.
    Before(CallStatus),
}

/// Ends a call with `polls` looks behind it. One that is over already stays as it ended, except for an appointment that
/// comes to light late.
///
/// # Errors
/// A database error.
pub async fn complete(
    tx: &mut Tx,
    id: &CallId,
    ending: &Ending,
    polls: Option<i64>,
    by: &Actor,
    now: Timestamp,
) -> Result<Completed> {
    let (call, request) = lock(tx, id).await?;
    if call.status.is_final() {
        return late::arrived(tx, &call, &request, ending, by, now).await;
    }
    let status = match ending {
        Ending::Confirmed { .. } => CallStatus::Confirmed,
        Ending::NotConfirmed { .. } => CallStatus::NotConfirmed,
        Ending::Failed { .. } => CallStatus::Failed,
        Ending::TimedOut => CallStatus::Timeout,
        Ending::Cancelled => CallStatus::Cancelled,
    };
    let run = match ending {
        Ending::Confirmed { made, transcript } => {
            Some(apply_booking(tx, &call, &request, made, transcript.as_deref(), by, now).await?)
        }
        _ => {
            apply_end(tx, &call, &request, ending, now).await?;
            None
        }
    };
    close(tx, &call, status, ending, polls, now).await?;
    record(tx, &call, &request, status, ending, by, now).await?;
    Ok(Completed::Now { run: run.flatten() })
}

/// The provider gave an appointment: it is kept, the request is done, the person is told.
pub(super) async fn apply_booking(
    tx: &mut Tx,
    call: &Call,
    request: &Request,
    made: &Made,
    transcript: Option<&str>,
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
        .bind(transcript)
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
    set_status(tx, &request.id, RequestStatus::Completed, now).await?;
    let data = json!({"serviceRequestId": request.id, "providerId": call.provider_id, "providerName": name,
                      "date": made.date, "time": made.time, "executionId": call.execution_id});
    announce(tx, &call.org_id, &request.id, "provider.updated", &data, now).await?;
    announce(tx, &call.org_id, &request.id, "booking.confirmed", &data, now).await?;
    tell(tx, call, request, made, &name, by, now).await
}

/// Writes the ledger's row for the text to the person. None when nobody can be told, or people must look first.
async fn tell(
    tx: &mut Tx,
    call: &Call,
    request: &Request,
    made: &Made,
    provider: &str,
    by: &Actor,
    now: Timestamp,
) -> Result<Option<RunToStart>> {
    if call.mode != CallMode::Simulated {
        let zone = organizations::zone_in(tx, &call.org_id).await?;
        if is_past(&made.date, Some(&made.time), zone, now) {
            show_past(tx, call, request, made, now).await?;
            return Ok(None);
        }
    }
    let asked = call.asked("customerPhone").and_then(|text| PhoneNumber::stored(text).ok());
    let Some(phone) = asked.or_else(|| request.user_phone.clone()) else {
        let entry = crate::audit_entry(Event::BookingCallSmsFailed, "warning", by).org(&call.org_id);
        let entry = entry.correlation(request.id.as_str());
        audit::record(tx, entry.metadata(json!({"bookingCallId": call.id, "reason": "no phone"})), now).await?;
        return Ok(None);
    };
    let name = call.asked("customerName").map(str::to_owned).or_else(|| request.contact_name.clone());
    let contact = Contact { phone, first_name: name, last_name: None, email: None };
    let client = clients::find_or_create(tx, &call.org_id, &contact, now).await?;
    let new = NewRun {
        org_id: &call.org_id,
        kind: AutomationType::ProviderBookingConfirmed,
        trigger_ref: format!("booking_call:{}:confirmed", call.id),
        booking_id: None,
        thread_id: None,
        client_id: Some(&client.id),
        sitter_id: None,
        scheduled_for: None,
        blocked: false,
        variables: Some(json!({
            "providerName": provider, "date": made.date, "time": made.time,
            "confirmationNumber": made.number.as_deref().unwrap_or("none given"),
        })),
    };
    let (run, _) = ledger::insert(tx, &new, now).await?;
    tx.query("UPDATE booking_calls SET sms_event_id = $2 WHERE id = $1").bind(&call.id).bind(&run.id).execute().await?;
    Ok(run.to_start())
}

/// Shows people an appointment that is over already.
async fn show_past(tx: &mut Tx, call: &Call, request: &Request, made: &Made, now: Timestamp) -> Result<()> {
    let problem =
        Problem::new(ExceptionKind::AppointmentInPast, Severity::High, format!("appointment_in_past:{}", call.id))
            .title("A call reported an appointment in the past; nobody was told of it")
            .detail(json!({"bookingCallId": call.id, "serviceRequestId": request.id, "providerId": call.provider_id,
                       "date": made.date, "time": made.time, "confirmationNumber": made.number}))
            .org(&call.org_id);
    exceptions::raise(tx, &problem, now).await.map(|_| ())
}

/// Tells the person although the result could not be stored: they have an appointment.
///
/// # Errors
/// A database error.
pub async fn tell_anyway(tx: &mut Tx, id: &CallId, made: &Made, by: &Actor, now: Timestamp) -> Result<RunsToStart> {
    let (call, request) = lock(tx, id).await?;
    let (provider,): (String,) =
        tx.query("SELECT name FROM providers WHERE id = $1").bind(&call.provider_id).one().await?;
    tell(tx, &call, &request, made, &provider, by, now).await.map(RunsToStart::from)
}

/// No appointment: the person may choose again.
async fn apply_end(tx: &mut Tx, call: &Call, request: &Request, ending: &Ending, now: Timestamp) -> Result<()> {
    if let Ending::NotConfirmed { transcript, .. } = ending {
        tx.query("UPDATE providers SET last_call_at = $2, call_transcript = $3, updated_at = $2 WHERE id = $1")
            .bind(&call.provider_id)
            .bind(now)
            .bind(transcript)
            .execute()
            .await?;
    }
    tx.query("UPDATE service_requests SET active_booking_call_id = NULL WHERE id = $1")
        .bind(&request.id)
        .execute()
        .await?;
    if request.status == RequestStatus::Booking {
        set_status(tx, &request.id, RequestStatus::Recommended, now).await?;
    }
    if *ending == Ending::Cancelled {
        return Ok(());
    }
    let data =
        json!({"serviceRequestId": request.id, "providerId": call.provider_id, "executionId": call.execution_id});
    announce(tx, &call.org_id, &request.id, "booking.failed", &data, now).await
}

async fn close(
    tx: &mut Tx,
    call: &Call,
    status: CallStatus,
    ending: &Ending,
    polls: Option<i64>,
    now: Timestamp,
) -> Result<()> {
    let (result, transcript, reason): (Option<Value>, Option<&String>, Option<&str>) = match ending {
        Ending::Confirmed { made, transcript } => (Some(result_of(made)), transcript.as_ref(), None),
        Ending::NotConfirmed { transcript, reason } => {
            (Some(json!({"booking_confirmed": false})), transcript.as_ref(), reason.as_deref())
        }
        Ending::Failed { reason } => (None, None, Some(reason)),
        Ending::TimedOut => (None, None, Some("the call did not end in time")),
        Ending::Cancelled => (None, None, Some("cancelled")),
    };
    tx.query(
        "UPDATE booking_calls SET status = $2, ended_at = $3, result = $4, transcript = $5, failure_reason = $6,
                poll_count = COALESCE($7, poll_count), next_poll_at = NULL, updated_at = $3
         WHERE id = $1",
    )
    .bind(&call.id)
    .bind(status)
    .bind(now)
    .bind(result.map(Json))
    .bind(transcript)
    .bind(reason)
    .bind(polls)
    .execute()
    .await?;
    Ok(())
}

/// The result in the form in which callers and the language model write it.
pub(super) fn result_of(made: &Made) -> Value {
    json!({"booking_confirmed": true, "confirmed_date": made.date, "confirmed_time": made.time,
           "confirmation_number": made.number})
}

async fn record(
    tx: &mut Tx,
    call: &Call,
    request: &Request,
    status: CallStatus,
    ending: &Ending,
    by: &Actor,
    now: Timestamp,
) -> Result<()> {
    let (event, outcome, reason) = match ending {
        Ending::Confirmed { .. } => (Event::BookingCallCompleted, "success", None),
        Ending::NotConfirmed { reason, .. } => (Event::BookingCallCompleted, "info", reason.as_deref()),
        Ending::Failed { reason } => (Event::BookingCallFailed, "failed", Some(reason.as_str())),
        Ending::TimedOut => (Event::BookingCallTimeout, "failed", None),
        Ending::Cancelled => (Event::BookingCallCancelled, "success", None),
    };
    let metadata = json!({"bookingCallId": call.id, "executionId": call.execution_id, "status": status,
                          "mode": call.mode, "providerId": call.provider_id, "reason": reason});
    let entry = crate::audit_entry(event, outcome, by).org(&call.org_id).correlation(request.id.as_str());
    audit::record(tx, entry.metadata(metadata.clone()), now).await?;
    let severity = match ending {
        Ending::Failed { .. } => Severity::High,
        Ending::TimedOut => Severity::Medium,
        _ => return Ok(()),
    };
    // A made-up call that fails is a fault of ours, but no client waits for it.
    let severity = if call.mode == CallMode::Simulated { Severity::Low } else { severity };
    let problem = Problem::new(ExceptionKind::BookingCallFailed, severity, format!("booking_call:{}", call.id))
        .title("A booking call did not come to an end")
        .detail(metadata)
        .org(&call.org_id);
    exceptions::raise(tx, &problem, now).await.map(|_| ())
}
