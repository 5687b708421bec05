//! What the end of a call changes, as one value that is worked out before anything is written.
//!
//! A pure function decides it: the call, its request and how the call ended go in, and everything that is stored,
//! announced, audited and raised comes out. An end that comes after the call was over goes through the same function.

use serde_json::{Value, json};

use super::{CallMode, CallStatus, ServiceRequestStatus};
use crate::audit::Event;
use crate::exceptions::Severity;

/// An appointment that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appointment {
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
        made: Appointment,
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

/// What stands when an end arrives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    /// The call's status.
    pub call: CallStatus,
    /// Whom the call reaches.
    pub mode: CallMode,
    /// The status of its request.
    pub request: ServiceRequestStatus,
    /// Whether a later call was made for the request.
    pub newer_call: bool,
}

/// What is to be done with an end that arrived.
#[derive(Debug, PartialEq)]
pub(super) enum EndingDecision<'a> {
    /// The call ends, or ends otherwise than it seemed.
    Close(Closing<'a>),
    /// People must sort out this appointment: it came too late to be taken.
    Show(&'a Appointment),
    /// Nothing: it tells nothing new, or nothing that matters.
    Ignore,
}

/// The end of a call.
#[derive(Debug, PartialEq)]
pub(super) struct Closing<'a> {
    /// The call's status.
    pub status: CallStatus,
    /// Whether the call was over before. Its end and its number of polls stay as they are then.
    pub late: bool,
    /// What the call came to for the provider.
    pub outcome: Outcome<'a>,
    /// The call's result, as callers and the language model write it.
    pub result: Option<Value>,
    /// What was said.
    pub transcript: Option<&'a str>,
    /// Why there is no appointment.
    pub failure_reason: Option<&'a str>,
    /// The request's new status; none when it stays.
    pub request: Option<ServiceRequestStatus>,
    /// The live updates, in this order.
    pub announced: &'static [&'static str],
    /// The audit entry.
    pub audited: Audited<'a>,
    /// The exception about the call.
    pub exception: ExceptionChange,
}

/// What a call came to for the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome<'a> {
    /// An appointment.
    Booked(&'a Appointment),
    /// A talk without an appointment.
    Talked,
    /// No talk.
    Nothing,
}

/// An audit entry about the end of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Audited<'a> {
    /// What happened.
    pub event: Event,
    /// How it is filed.
    pub status: &'static str,
    /// What it says of the reason.
    pub reason: Option<&'a str>,
}

/// What becomes of the exception about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExceptionChange {
    /// It is raised.
    Raise(Severity),
    /// It is resolved, if there is one.
    Resolve,
    /// Nothing.
    Keep,
}

/// Decides what an end means. The first end of a call counts, except for an appointment that comes to light late: that
/// is taken while its request still waits and no newer call was made for it, and shown to people otherwise.
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
        _ => EndingDecision::Show(made),
    }
}

fn closing<'a>(facts: Facts, ending: &'a Ending, late: bool) -> Closing<'a> {
    // The person may choose again.
    let reopened = (facts.request == ServiceRequestStatus::Booking).then_some(ServiceRequestStatus::Recommended);
    // A made-up call that fails is a fault of ours, but no client waits for it.
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

/// The result in the form in which callers and the language model write it.
fn result_of(made: &Appointment) -> Value {
    json!({"booking_confirmed": true, "confirmed_date": made.date, "confirmed_time": made.time,
           "confirmation_number": made.number})
}

#[cfg(test)]
mod tests;
