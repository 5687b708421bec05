//! Results that come after a call was over for us. A real appointment must not be lost.

use nightshift_db::{Json, Timestamp, Tx};
use serde_json::json;

use super::complete::{apply_booking, result_of};
use super::{Call, CallStatus, Completed, Ending, Request, RequestStatus};
use crate::actor::Actor;
use crate::audit::Event;
use crate::exceptions::{self, ExceptionKind, Problem, Severity};
use crate::{Result, audit};

/// What is to be done with an ending that arrives late.
#[derive(Debug, PartialEq, Eq)]
enum Late {
    /// Nothing: it tells nothing new, or nothing that matters.
    Ignore,
    /// The appointment is taken as if it had come in time.
    Apply,
    /// Somebody has to sort it out.
    Show,
}

/// An appointment is taken while its request still waits and no newer call was made for it; when it can't be, people
/// must see it.
fn judge(was: CallStatus, confirmed: bool, request: RequestStatus, newer_call: bool) -> Late {
    match was {
        _ if !confirmed => Late::Ignore,
        CallStatus::Confirmed => Late::Ignore,
        CallStatus::Timeout | CallStatus::Failed | CallStatus::NotConfirmed
            if request == RequestStatus::Recommended && !newer_call =>
        {
            Late::Apply
        }
        _ => Late::Show,
    }
}

pub(super) async fn arrived(
    tx: &mut Tx,
    call: &Call,
    request: &Request,
    ending: &Ending,
    by: &Actor,
    now: Timestamp,
) -> Result<Completed> {
    let Ending::Confirmed { made, transcript } = ending else { return Ok(Completed::Before(call.status)) };
    let newer_call: bool = tx
        .query("SELECT EXISTS (SELECT 1 FROM booking_calls WHERE service_request_id = $1 AND id > $2)")
        .bind(&request.id)
        .bind(&call.id)
        .scalar()
        .await?;
    match judge(call.status, true, request.status, newer_call) {
        Late::Ignore => Ok(Completed::Before(call.status)),
        Late::Apply => {
            let run = apply_booking(tx, call, request, made, transcript.as_deref(), by, now).await?;
            tx.query(
                "UPDATE booking_calls SET status = 'confirmed', result = $2, transcript = $3, failure_reason = NULL,
                        updated_at = $4 WHERE id = $1",
            )
            .bind(&call.id)
            .bind(Json(result_of(made)))
            .bind(transcript)
            .bind(now)
            .execute()
            .await?;
            let entry = crate::audit_entry(Event::BookingCallCompleted, "success", by)
                .org(&call.org_id)
                .correlation(request.id.as_str())
                .metadata(json!({"bookingCallId": call.id, "executionId": call.execution_id, "late": true}));
            audit::record(tx, entry, now).await?;
            exceptions::resolve(tx, &format!("booking_call:{}", call.id), "the appointment came late", now).await?;
            Ok(Completed::Now { run })
        }
        Late::Show => {
            let problem = Problem::new(
                ExceptionKind::LateBookingConfirmation,
                Severity::High,
                format!("late_booking:{}", call.id),
            )
            .title("An appointment was made after its call had been given up")
            .detail(json!({"bookingCallId": call.id, "serviceRequestId": request.id, "was": call.status,
                               "date": made.date, "time": made.time, "confirmationNumber": made.number}))
            .org(&call.org_id);
            exceptions::raise(tx, &problem, now).await?;
            Ok(Completed::Before(call.status))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_appointment_is_taken_while_it_can_be_and_shown_when_it_cannot() {
        use CallStatus as C;
        use RequestStatus as R;
        for was in [C::Timeout, C::Failed, C::NotConfirmed] {
            assert_eq!(judge(was, true, R::Recommended, false), Late::Apply, "{was}");
            assert_eq!(judge(was, true, R::Recommended, true), Late::Show, "{was}");
            for request in [R::Booking, R::Completed, R::Cancelled] {
                assert_eq!(judge(was, true, request, false), Late::Show, "{was} {request}");
            }
            assert_eq!(judge(was, false, R::Recommended, false), Late::Ignore, "{was}");
        }
        assert_eq!(judge(C::Cancelled, true, R::Recommended, false), Late::Show);
        assert_eq!(judge(C::Confirmed, true, R::Completed, false), Late::Ignore);
    }
}
