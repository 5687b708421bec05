//! Tests of every end of a call in every state.

use super::*;

const WHY_TIMED_OUT: &str = "the call did not end in time";

fn made() -> Appointment {
    Appointment { date: "2030-01-02".to_owned(), time: "10:00".to_owned(), number: Some("BD441".to_owned()) }
}

/// Returns each ending. Endings with a conversation come with all optional fields and with none.
fn endings() -> [Ending; 7] {
    let transcript = Some("hello".to_owned());
    [
        Ending::Confirmed { made: made(), transcript: transcript.clone() },
        Ending::Confirmed { made: Appointment { number: None, ..made() }, transcript: None },
        Ending::NotConfirmed { transcript, reason: Some("busy".to_owned()) },
        Ending::NotConfirmed { transcript: None, reason: None },
        Ending::Failed { reason: "broke".to_owned() },
        Ending::TimedOut,
        Ending::Cancelled,
    ]
}

fn situations() -> impl Iterator<Item = Facts> {
    CallStatus::ALL.iter().flat_map(|&call| {
        ServiceRequestStatus::ALL.iter().flat_map(move |&request| {
            CallMode::ALL
                .iter()
                .flat_map(move |&mode| [false, true].map(|newer_call| Facts { call, mode, request, newer_call }))
        })
    })
}

/// Returns the expected end of an active call for each ending.
fn first_end<'a>(facts: Facts, ending: &'a Ending) -> Closing<'a> {
    let simulated = facts.mode == CallMode::Simulated;
    let request = (facts.request == ServiceRequestStatus::Booking).then_some(ServiceRequestStatus::Recommended);
    match ending {
        Ending::Confirmed { made, transcript } => Closing {
            status: CallStatus::Confirmed,
            late: false,
            outcome: Outcome::Booked(made),
            result: Some(json!({"booking_confirmed": true, "confirmed_date": "2030-01-02", "confirmed_time": "10:00",
                                "confirmation_number": made.number})),
            transcript: transcript.as_deref(),
            failure_reason: None,
            request: Some(ServiceRequestStatus::Completed),
            announced: &["provider.updated", "booking.confirmed"],
            audited: Audited { event: Event::BookingCallCompleted, status: "success", reason: None },
            exception: ExceptionChange::Keep,
        },
        Ending::NotConfirmed { transcript, reason } => Closing {
            status: CallStatus::NotConfirmed,
            late: false,
            outcome: Outcome::Talked,
            result: Some(json!({"booking_confirmed": false})),
            transcript: transcript.as_deref(),
            failure_reason: reason.as_deref(),
            request,
            announced: &["booking.failed"],
            audited: Audited { event: Event::BookingCallCompleted, status: "info", reason: reason.as_deref() },
            exception: ExceptionChange::Keep,
        },
        Ending::Failed { .. } => Closing {
            status: CallStatus::Failed,
            late: false,
            outcome: Outcome::Nothing,
            result: None,
            transcript: None,
            failure_reason: Some("broke"),
            request,
            announced: &["booking.failed"],
            audited: Audited { event: Event::BookingCallFailed, status: "failed", reason: Some("broke") },
            exception: ExceptionChange::Raise(if simulated { Severity::Low } else { Severity::High }),
        },
        Ending::TimedOut => Closing {
            status: CallStatus::Timeout,
            late: false,
            outcome: Outcome::Nothing,
            result: None,
            transcript: None,
            failure_reason: Some(WHY_TIMED_OUT),
            request,
            announced: &["booking.failed"],
            audited: Audited { event: Event::BookingCallTimeout, status: "failed", reason: None },
            exception: ExceptionChange::Raise(if simulated { Severity::Low } else { Severity::Medium }),
        },
        Ending::Cancelled => Closing {
            status: CallStatus::Cancelled,
            late: false,
            outcome: Outcome::Nothing,
            result: None,
            transcript: None,
            failure_reason: Some("cancelled"),
            request,
            announced: &[],
            audited: Audited { event: Event::BookingCallCancelled, status: "success", reason: None },
            exception: ExceptionChange::Keep,
        },
    }
}

#[test]
fn the_first_end_of_a_call_changes_what_is_written_for_its_ending() {
    for facts in situations().filter(|facts| !facts.call.is_final()) {
        for ending in &endings() {
            assert_eq!(decide(facts, ending), EndingDecision::Close(first_end(facts, ending)), "{facts:?}");
        }
    }
}

#[test]
fn an_end_without_an_appointment_changes_nothing_of_a_call_that_is_over() {
    for facts in situations().filter(|facts| facts.call.is_final()) {
        for ending in &endings()[2..] {
            assert_eq!(decide(facts, ending), EndingDecision::Ignore, "{facts:?}");
        }
    }
}

#[test]
fn a_late_appointment_is_taken_while_it_can_be_and_shown_when_it_cannot() {
    use CallStatus as C;
    for facts in situations().filter(|facts| facts.call.is_final()) {
        for ending in &endings()[..2] {
            let Ending::Confirmed { made, .. } = ending else { panic!("the first two are appointments") };
            let given_up = matches!(facts.call, C::Timeout | C::Failed | C::NotConfirmed);
            let waits = facts.request == ServiceRequestStatus::Recommended && !facts.newer_call;
            let expected = if facts.call == C::Confirmed {
                EndingDecision::Ignore
            } else if given_up && waits {
                let in_time = first_end(facts, ending);
                EndingDecision::Close(Closing { late: true, exception: ExceptionChange::Resolve, ..in_time })
            } else {
                EndingDecision::RaiseLate(made)
            };
            assert_eq!(decide(facts, ending), expected, "{facts:?}");
        }
    }
}
