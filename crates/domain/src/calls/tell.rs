//! Notifies the requester of an appointment that a call made, unless staff must check it first.
//!
//! A real (not simulated) call that reports an appointment in the past has probably misheard. The request is completed
//! all the same, because there is an appointment, but an exception is raised and no text with a past date is sent.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::closing::Appointment;
use super::past::is_past;
use super::{Call, CallMode, ServiceRequest, lock};
use crate::actor::Actor;
use crate::audit::Event;
use crate::automations::AutomationType;
use crate::automations::runs::{self, NewAutomationRun, RunToStart, RunsToStart};
use crate::exceptions::{self, ExceptionKind, NewException, Severity};
use crate::ids::CallId;
use crate::people::clients::{self, Contact};
use crate::people::organizations;
use crate::phone::PhoneNumber;
use crate::{Result, audit};

/// Inserts the automation run for the text to the requester. Returns `None` if there is no phone number, or if staff
/// must check the appointment first.
pub(super) async fn tell(
    tx: &mut Tx,
    call: &Call,
    request: &ServiceRequest,
    made: &Appointment,
    provider: &str,
    by: &Actor,
    now: Timestamp,
) -> Result<Option<RunToStart>> {
    if call.mode != CallMode::Simulated {
        let zone = organizations::zone_in(tx, &call.org_id).await?;
        if is_past(&made.date, Some(&made.time), zone, now) {
            raise_past(tx, call, request, made, now).await?;
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
    let new = NewAutomationRun {
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
    let (run, _) = runs::insert(tx, &new, now).await?;
    tx.query("UPDATE booking_calls SET sms_event_id = $2 WHERE id = $1").bind(&call.id).bind(&run.id).execute().await?;
    Ok(run.to_start())
}

/// Raises an exception about an appointment in the past.
async fn raise_past(
    tx: &mut Tx,
    call: &Call,
    request: &ServiceRequest,
    made: &Appointment,
    now: Timestamp,
) -> Result<()> {
    let problem =
        NewException::new(ExceptionKind::AppointmentInPast, Severity::High, format!("appointment_in_past:{}", call.id))
            .title("A call reported an appointment in the past; no text was sent")
            .detail(json!({"bookingCallId": call.id, "serviceRequestId": request.id, "providerId": call.provider_id,
                       "date": made.date, "time": made.time, "confirmationNumber": made.number}))
            .org(&call.org_id);
    exceptions::raise(tx, &problem, now).await.map(|_| ())
}

/// Notifies the requester although the result of the call could not be stored, because the appointment exists.
pub async fn notify_despite_failure(
    tx: &mut Tx,
    id: &CallId,
    made: &Appointment,
    by: &Actor,
    now: Timestamp,
) -> Result<RunsToStart> {
    let (call, request) = lock(tx, id).await?;
    let (provider,): (String,) =
        tx.query("SELECT name FROM providers WHERE id = $1").bind(&call.provider_id).one().await?;
    tell(tx, &call, &request, made, &provider, by, now).await.map(RunsToStart::from)
}
