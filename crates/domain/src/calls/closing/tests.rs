//! Every end of a call in every situation.

use super::*;

fn made() -> Made {
    Made { date: "2030-01-02".to_owned(), time: "10:00".to_owned(), number: None }
}

fn endings() -> [Ending; 5] {
    let transcript = Some("hello".to_owned());
    [
        Ending::Confirmed { made: made(), transcript: transcript.clone() },
        Ending::NotConfirmed { transcript, reason: Some("busy".to_owned()) },
        Ending::Failed { reason: "broke".to_owned() },
        Ending::TimedOut,
        Ending::Cancelled,
    ]
}

fn situations() -> impl Iterator<Item = Facts> {
    CallStatus::ALL.iter().flat_map(|&call| {
        RequestStatus::ALL.iter().flat_map(move |&request| {
            CallMode::ALL
                .iter()
                .flat_map(move |&mode| [false, true].map(|newer_call| Facts { call, mode, request, newer_call }))
        })
    })
}

#[test]
fn the_first_end_of_a_call_changes_what_the_table_says() {
    use CallStatus as C;
    use Event as E;
    type Row = (C, Option<&'static str>, &'static [&'static str], E, &'static str, Option<Severity>);
    let table: [Row; 5] = [
        (C::Confirmed, None, &["provider.updated", "booking.confirmed"], E::BookingCallCompleted, "success", None),
        (C::NotConfirmed, Some("busy"), &["booking.failed"], E::BookingCallCompleted, "info", None),
        (C::Failed, Some("broke"), &["booking.failed"], E::BookingCallFailed, "failed", Some(Severity::High)),
        (
            C::Timeout,
            Some("the call did not end in time"),
            &["booking.failed"],
            E::BookingCallTimeout,
            "failed",
            Some(Severity::Medium),
        ),
        (C::Cancelled, Some("cancelled"), &[], E::BookingCallCancelled, "success", None),
    ];
    for facts in situations().filter(|facts| !facts.call.is_final()) {
        for (ending, (status, reason, announced, event, filed, severity)) in endings().iter().zip(table) {
            let Verdict::Close(closing) = decide(facts, ending) else { panic!("{facts:?} {status}") };
            let severity = severity.map(|s| if facts.mode == CallMode::Simulated { Severity::Low } else { s });
            let request = match (status, facts.request) {
                (C::Confirmed, _) => Some(RequestStatus::Completed),
                (_, RequestStatus::Booking) => Some(RequestStatus::Recommended),
                _ => None,
            };
            assert_eq!(closing.status, status, "{facts:?}");
            assert_eq!(closing.failure_reason, reason, "{facts:?} {status}");
            assert_eq!(closing.announced, announced, "{facts:?} {status}");
            assert_eq!((closing.audited.event, closing.audited.status), (event, filed), "{facts:?} {status}");
            assert_eq!(closing.request, request, "{facts:?} {status}");
            assert_eq!(
                closing.exception,
                severity.map_or(ExceptionChange::Keep, ExceptionChange::Raise),
                "{facts:?} {status}"
            );
            assert!(!closing.late, "{facts:?} {status}");
            let talked = matches!(status, C::Confirmed | C::NotConfirmed);
            assert_eq!(closing.transcript.is_some(), talked, "{facts:?} {status}");
            assert_eq!(closing.result.is_some(), talked, "{facts:?} {status}");
        }
    }
}

#[test]
fn an_end_without_an_appointment_changes_nothing_of_a_call_that_is_over() {
    for facts in situations().filter(|facts| facts.call.is_final()) {
        for ending in &endings()[1..] {
            assert_eq!(decide(facts, ending), Verdict::Ignore, "{facts:?}");
        }
    }
}

#[test]
fn a_late_appointment_is_taken_while_it_can_be_and_shown_when_it_cannot() {
    use CallStatus as C;
    let [confirmed, ..] = endings();
    for facts in situations().filter(|facts| facts.call.is_final()) {
        let given_up = matches!(facts.call, C::Timeout | C::Failed | C::NotConfirmed);
        let waits = facts.request == RequestStatus::Recommended && !facts.newer_call;
        match decide(facts, &confirmed) {
            Verdict::Close(closing) => {
                assert!(given_up && waits, "{facts:?}");
                assert!(closing.late, "{facts:?}");
                assert_eq!((closing.status, closing.failure_reason), (C::Confirmed, None), "{facts:?}");
                assert_eq!(closing.request, Some(RequestStatus::Completed), "{facts:?}");
                assert_eq!(closing.exception, ExceptionChange::Resolve, "{facts:?}");
            }
            Verdict::Show(shown) => {
                assert!(facts.call == C::Cancelled || given_up && !waits, "{facts:?}");
                assert_eq!(*shown, made());
            }
            Verdict::Ignore => assert_eq!(facts.call, C::Confirmed, "{facts:?}"),
        }
    }
}
