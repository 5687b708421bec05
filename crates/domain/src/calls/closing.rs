//! Computes what the end of a call changes, as one value, before anything is stored.
//!
//! The input of the pure function [`decide`] is the call's state, its request's state and how the call ended. The
//! output is everything to be stored, announced, audited and raised. An end that is reported after the call has ended
//! goes through the same function.

use serde_json::{Value, json};

use super::{CallMode, CallStatus, ServiceRequestStatus};
use crate::audit::Event;
use crate::exceptions::Severity;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appointment {
    /// The day, as the call reported it.
    pub date: String,
    /// The time of day, as the call reported it.
    pub time: String,
    /// The service provider's confirmation number.
    pub number: Option<String>,
}

#[derive(Clone, PartialEq, Eq)]
pub enum Ending {
    Confirmed {
        made: Appointment,
        transcript: Option<String>,
    },
    NotConfirmed {
        transcript: Option<String>,
        reason: Option<String>,
    },
    /// The call could not be placed, or broke off.
    Failed {
        reason: String,
    },
    /// The end of the call was not reported in time.
    TimedOut,
    Cancelled,
}

/// The state at which an end arrives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub call: CallStatus,
    pub mode: CallMode,
    pub request: ServiceRequestStatus,
    /// Whether a later call was made for the request.
    pub newer_call: bool,
}

/// What to do with an end that arrived.
#[derive(Debug, PartialEq)]
pub(super) enum EndingDecision<'a> {
    /// Store the end of the call, or change its recorded end.
    Close(Closing<'a>),
    /// Raise an exception about an appointment that was reported too late to be accepted.
    RaiseLate(&'a Appointment),
    /// Do nothing: the end contains no news.
    Ignore,
}

#[derive(Debug, PartialEq)]
pub(super) struct Closing<'a> {
    pub status: CallStatus,
    /// Whether the call had ended before. The recorded time of its end and number of polls stay the same then.
    pub late: bool,
    pub outcome: Outcome<'a>,
    /// The call's result, in the form that callers of the API and the language model use.
    pub result: Option<Value>,
    pub transcript: Option<&'a str>,
    /// Why there is no appointment.
    pub failure_reason: Option<&'a str>,
    /// The request's new status; `None` if it stays the same.
    pub request: Option<ServiceRequestStatus>,
    /// Names of the live updates, in order.
    pub announced: &'static [&'static str],
    pub audited: Audited<'a>,
    pub exception: ExceptionChange,
}

/// The outcome of a call for the service provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome<'a> {
    Booked(&'a Appointment),
    /// A conversation without an appointment.
    Talked,
    /// No conversation.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Audited<'a> {
    pub event: Event,
    /// The entry's status, e.g. `success`.
    pub status: &'static str,
    pub reason: Option<&'a str>,
}

/// What to do with the exception about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExceptionChange {
    Raise(Severity),
    /// Resolve the exception, if there is one.
    Resolve,
    Keep,
}

/// Decides what an end changes. The first end of a call counts, with one exception: a late appointment is accepted
/// while its request still waits and no newer call was made for it; otherwise it is raised as an exception.
pub(super) fn decide<'a>(facts: Facts, ending: &'a Ending) -> EndingDecision<'a> {
    if !facts.call.is_final() {
        return EndingDecision::Close(closing(facts, ending, false));
    }
    let Ending::Confirmed { made, .. } = ending else { return EndingDecision::Ignore };
    match facts.call {
        CallStatus::Confirmed => EndingDecision::Ignore,
        CallStatus::Timeout | CallStatus::Failed | CallStatus::NotConfirmed
            if facts.request == ServiceRequestStatus::Recommended && !facts.newer_call =>
        {
            EndingDecision::Close(closing(facts, ending, true))
        }
        _ => EndingDecision::RaiseLate(made),
    }
}

fn closing<'a>(facts: Facts, ending: &'a Ending, late: bool) -> Closing<'a> {
    // The requester may choose another service provider.
    let reopened = (facts.request == ServiceRequestStatus::Booking).then_some(ServiceRequestStatus::Recommended);
    // The failure of a simulated call is a fault of this program, but no client waits for the call.
    let raise =
        |severity| ExceptionChange::Raise(if facts.mode == CallMode::Simulated { Severity::Low } else { severity });
    let without_appointment = |status, reason, event, audit_status, audit_reason| Closing {
        status,
        late,
        outcome: Outcome::Nothing,
        result: None,
        transcript: None,
        failure_reason: reason,
        request: reopened,
        announced: &["booking.failed"],
        audited: Audited { event, status: audit_status, reason: audit_reason },
        exception: ExceptionChange::Keep,
    };
    match ending {
        Ending::Confirmed { made, transcript } => Closing {
            status: CallStatus::Confirmed,
            late,
            outcome: Outcome::Booked(made),
            result: Some(result_of(made)),
            transcript: transcript.as_deref(),
            failure_reason: None,
            request: Some(ServiceRequestStatus::Completed),
            announced: &["provider.updated", "booking.confirmed"],
            audited: Audited { event: Event::BookingCallCompleted, status: "success", reason: None },
            exception: if late { ExceptionChange::Resolve } else { ExceptionChange::Keep },
        },
        Ending::NotConfirmed { transcript, reason } => {
            let reason = reason.as_deref();
            Closing {
                outcome: Outcome::Talked,
                result: Some(json!({"booking_confirmed": false})),
                transcript: transcript.as_deref(),
                ..without_appointment(CallStatus::NotConfirmed, reason, Event::BookingCallCompleted, "info", reason)
            }
        }
        Ending::Failed { reason } => {
            let reason = Some(reason.as_str());
            Closing {
                exception: raise(Severity::High),
                ..without_appointment(CallStatus::Failed, reason, Event::BookingCallFailed, "failed", reason)
            }
        }
        Ending::TimedOut => {
            let reason = Some("the call did not end in time");
            Closing {
                exception: raise(Severity::Medium),
                ..without_appointment(CallStatus::Timeout, reason, Event::BookingCallTimeout, "failed", None)
            }
        }
        Ending::Cancelled => Closing {
            announced: &[],
            ..without_appointment(
                CallStatus::Cancelled,
                Some("cancelled"),
                Event::BookingCallCancelled,
                "success",
                None,
            )
        },
    }
}

/// Returns the result in the form that callers of the API and the language model use.
fn result_of(made: &Appointment) -> Value {
    json!({"booking_confirmed": true, "confirmed_date": made.date, "confirmed_time": made.time,
           "confirmation_number": made.number})
}

#[cfg(test)]
mod tests;
