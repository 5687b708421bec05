//! Starts a call: its mode and phone number are fixed before a request is sent to VAPI.

use nightshift_db::{Timestamp, Tx};
use serde_json::json;

use super::{Call, CallMode, CallStatus, ServiceRequest, ServiceRequestStatus, lock};
use crate::actor::Actor;
use crate::audit::Event;
use crate::ids::CallId;
use crate::phone::PhoneNumber;
use crate::{Error, Result, audit};

/// Whom the calls of this program reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialing {
    Simulated,
    /// This phone number, whatever the service provider's number is.
    Test(PhoneNumber),
    /// The service provider.
    Production,
}

impl Dialing {
    /// Returns whom calls reach: nobody unless calls are live, and no service provider while there is a test phone.
    #[must_use]
    pub fn decide(live: bool, test_phone: Option<&PhoneNumber>) -> Self {
        match (live, test_phone) {
            (false, _) => Self::Simulated,
            (true, Some(phone)) => Self::Test(phone.clone()),
            (true, None) => Self::Production,
        }
    }

    #[must_use]
    pub fn mode(&self) -> CallMode {
        match self {
            Self::Simulated => CallMode::Simulated,
            Self::Test(_) => CallMode::Test,
            Self::Production => CallMode::Production,
        }
    }
}

/// The result of [`begin`].
pub enum StartDecision {
    /// The call may be started. Its mode and phone number are fixed.
    Start(Box<Call>, Box<ServiceRequest>),
    /// The call must not be started, for this reason: it has ended, was placed already, or is not the active call of
    /// its request.
    Skip(&'static str),
}

/// Fixes a call's mode and phone number permanently on the first attempt, and records that its start is attempted.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] `mode_changed` if an earlier attempt was made in another mode than this
/// program's.
pub async fn begin(tx: &mut Tx, id: &CallId, dialing: &Dialing, by: &Actor, now: Timestamp) -> Result<StartDecision> {
    let (mut call, request) = lock(tx, id).await?;
    if call.status.is_final() {
        return Ok(StartDecision::Skip("the call is over"));
    }
    if request.status != ServiceRequestStatus::Booking || request.active_booking_call_id.as_ref() != Some(id) {
        return Ok(StartDecision::Skip("the request does not wait for this call"));
    }
    if call.vapi_call_id.is_some() {
        return Ok(StartDecision::Skip("the call was placed already"));
    }
    if call.status == CallStatus::Starting {
        // Whom the call may reach was decided by the first attempt. A program that would reach somebody else must not
        // start it.
        if call.mode != dialing.mode() {
            let message =
                format!("the call was begun as {} and this program's calls are {}", call.mode, dialing.mode());
            return Err(Error::conflict("mode_changed", message));
        }
        return Ok(StartDecision::Start(Box::new(call), Box::new(request)));
    }
    call.mode = dialing.mode();
    if let Dialing::Test(phone) = dialing {
        call.phone_to_call = phone.clone();
    }
    call.status = CallStatus::Starting;
    call.start_attempted_at = Some(now);
    tx.query(
        "UPDATE booking_calls SET status = $2, mode = $3, phone_to_call = $4, start_attempted_at = $5, updated_at = $5
         WHERE id = $1",
    )
    .bind(id)
    .bind(call.status)
    .bind(call.mode)
    .bind(call.phone_to_call.as_str())
    .bind(now)
    .execute()
    .await?;
    let entry = crate::audit_entry(Event::BookingCallStarting, "success", by)
        .org(&call.org_id)
        .correlation(request.id.as_str())
        .metadata(json!({"bookingCallId": id, "executionId": call.execution_id, "mode": call.mode}));
    audit::record(tx, entry, now).await?;
    Ok(StartDecision::Start(Box::new(call), Box::new(request)))
}

/// Records that VAPI has placed the call. Returns false if the call has ended already, because a report was faster.
pub async fn started(tx: &mut Tx, id: &CallId, vapi_call_id: &str, by: &Actor, now: Timestamp) -> Result<bool> {
    let (call, request) = lock(tx, id).await?;
    set_vapi_id(tx, id, vapi_call_id, now).await?;
    if call.status.is_final() {
        return Ok(false);
    }
    tx.query(
        "UPDATE booking_calls SET status = 'in_progress', started_at = COALESCE(started_at, $2), updated_at = $2
         WHERE id = $1",
    )
    .bind(id)
    .bind(now)
    .execute()
    .await?;
    let data = json!({"serviceRequestId": request.id, "status": request.status, "executionId": call.execution_id,
                      "callStatus": CallStatus::InProgress});
    super::requests::announce(tx, &call.org_id, &request.id, "request.status", &data, now).await?;
    let entry = crate::audit_entry(Event::BookingCallStarted, "success", by)
        .org(&call.org_id)
        .correlation(request.id.as_str())
        .metadata(json!({"bookingCallId": id, "executionId": call.execution_id, "mode": call.mode}));
    audit::record(tx, entry, now).await?;
    Ok(true)
}

/// Returns the call that a report is about: by VAPI's id, or by our own id (`ours`). A call found by our id gets VAPI's
/// id. Returns `None` if there is no such call.
pub async fn by_report(tx: &mut Tx, vapi_call_id: &str, ours: Option<&str>, now: Timestamp) -> Result<Option<CallId>> {
    let known: Option<(CallId,)> =
        tx.query("SELECT id FROM booking_calls WHERE vapi_call_id = $1").bind(vapi_call_id).optional().await?;
    if let Some((id,)) = known {
        return Ok(Some(id));
    }
    let Some(ours) = ours else { return Ok(None) };
    let named: Option<(CallId,)> = tx
        .query("SELECT id FROM booking_calls WHERE id = $1 AND vapi_call_id IS NULL AND start_attempted_at IS NOT NULL")
        .bind(ours)
        .optional()
        .await?;
    let Some((id,)) = named else { return Ok(None) };
    adopt(tx, &id, vapi_call_id, now).await?;
    Ok(Some(id))
}

/// Records the id of a call that VAPI turned out to have placed.
pub async fn adopt(tx: &mut Tx, id: &CallId, vapi_call_id: &str, now: Timestamp) -> Result<()> {
    set_vapi_id(tx, id, vapi_call_id, now).await
}

async fn set_vapi_id(tx: &mut Tx, id: &CallId, vapi_call_id: &str, now: Timestamp) -> Result<()> {
    tx.query("UPDATE booking_calls SET vapi_call_id = $2, updated_at = $3 WHERE id = $1 AND vapi_call_id IS NULL")
        .bind(id)
        .bind(vapi_call_id)
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// Records that no call was placed, so that its start may be attempted again.
pub async fn not_started(tx: &mut Tx, id: &CallId, now: Timestamp) -> Result<()> {
    tx.query(
        "UPDATE booking_calls SET start_attempted_at = $2, updated_at = $2
         WHERE id = $1 AND status = 'starting' AND vapi_call_id IS NULL",
    )
    .bind(id)
    .bind(now)
    .execute()
    .await?;
    Ok(())
}

/// Records at which poll the call was first seen to have ended while its analysis is not ready, and returns the number
/// of that poll.
pub async fn analysing(tx: &mut Tx, id: &CallId, look: i64, now: Timestamp) -> Result<i64> {
    let (first,): (i64,) = tx
        .query(
            "UPDATE booking_calls
             SET poll_count = CASE WHEN ended_at IS NULL THEN $2 ELSE poll_count END,
                 ended_at = COALESCE(ended_at, $3), updated_at = $3
             WHERE id = $1 RETURNING poll_count",
        )
        .bind(id)
        .bind(look)
        .bind(now)
        .one()
        .await?;
    Ok(first)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests may panic")]
mod tests {
    use super::*;

    #[test]
    fn providers_are_called_only_when_calls_are_live_and_there_is_no_test_phone() {
        let own = PhoneNumber::stored("+15551230000").unwrap();
        assert_eq!(Dialing::decide(false, None), Dialing::Simulated);
        assert_eq!(Dialing::decide(false, Some(&own)), Dialing::Simulated);
        assert_eq!(Dialing::decide(true, Some(&own)), Dialing::Test(own));
        assert_eq!(Dialing::decide(true, None), Dialing::Production);
    }
}
