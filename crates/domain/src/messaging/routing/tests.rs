//! Any facts have exactly one destination, which the steps explain; and each rule by an example.

use chrono_tz::Tz;
use nightshift_db::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::ids::{ClientId, SitterId, ThreadId};
use crate::messaging::message::RoutedTo;
use crate::messaging::numbers::NumberClass;
use crate::messaging::opt_outs::Keyword;
use crate::messaging::scope::Scope;
use crate::offers::Command;
use crate::phone::PhoneNumber;

const NUMBER: &str = "+1••••••••02";

fn at(minute: i64) -> Timestamp {
    "2024-12-31T10:00:00Z".parse::<Timestamp>().unwrap()
        + std::time::Duration::from_secs(u64::try_from(minute).unwrap() * 60)
}

fn known(id: &str, name: &str) -> KnownSitter {
    KnownSitter { id: SitterId::from(id), name: name.to_owned(), active: true }
}

fn sam() -> KnownSitter {
    known("sitter-sam", "Sam")
}

fn window(sitter: Option<KnownSitter>, starts: i64, ends: i64) -> WindowOfThread {
    WindowOfThread { sitter, starts_at: at(starts), ends_at: at(ends), cancelled_at: None }
}

fn thread(id: &str, windows: Vec<WindowOfThread>) -> OpenThread {
    OpenThread {
        id: ThreadId::from(id),
        scope: Scope::ClientBooking,
        assigned_sitter: windows.first().and_then(|window| Some(window.sitter.clone()?.id)),
        last_message_at: at(0),
        windows,
    }
}

/// A client's text to a pool number, half an hour after ten.
fn facts() -> Facts {
    Facts {
        number: NUMBER.to_owned(),
        reached: Reached::Organization { class: NumberClass::Pool, sitter: None },
        from: Sender::of("+15551234567"),
        keyword: None,
        carrier_answers: true,
        command: None,
        sitter: None,
        client: Some(ClientId::from("client-1")),
        threads: Vec::new(),
        active_elsewhere: false,
        at: at(30),
        zone: Tz::UTC,
    }
}

fn to_thread(id: &str) -> Destination {
    Destination::Thread(ThreadId::from(id))
}

#[test]
fn an_active_window_takes_the_text_to_its_sitter() {
    let decision = decide(&Facts { threads: vec![thread("t1", vec![window(Some(sam()), 0, 120)])], ..facts() });
    assert_eq!(decision.destination, to_thread("t1"));
    assert_eq!((decision.routed_to, decision.sitter), (RoutedTo::Sitter, Some(sam().id)));
    assert_eq!(
        decision.summary,
        "Routed to Sam (sitter): number +1••••••••02 carries this client's booking thread and its assignment window is \
         active until 12:00."
    );
}

#[test]
fn a_window_is_active_from_its_first_moment_until_before_its_last() {
    for (from, to, active) in [(30, 31, true), (29, 30, false), (31, 60, false)] {
        let decision = decide(&Facts { threads: vec![thread("t1", vec![window(Some(sam()), from, to)])], ..facts() });
        assert_eq!(decision.outcome == Outcome::ActiveWindow, active, "{from} to {to}");
    }
    let mut cancelled = window(Some(sam()), 0, 120);
    cancelled.cancelled_at = Some(at(1));
    let decision = decide(&Facts { threads: vec![thread("t1", vec![cancelled])], ..facts() });
    assert_eq!(decision.outcome, Outcome::ClosedWindow);
}

#[test]
fn of_several_active_windows_the_one_that_started_last_counts_and_the_others_are_named() {
    let threads = vec![
        thread("t1", vec![window(Some(sam()), 10, 120)]),
        thread("t2", vec![window(Some(known("sitter-kim", "Kim")), 20, 60)]),
        thread("t3", vec![window(None, 5, 90)]),
    ];
    let decision = decide(&Facts { threads, ..facts() });
    assert_eq!(decision.destination, to_thread("t2"));
    let step = decision.steps.iter().find(|step| step.step == Check::ActiveWindow).unwrap();
    assert_eq!(
        step.reason,
        "the window of conversation t2 is active until 11:00 and started last; also active: conversation t1 (Sam, since \
         10:10), conversation t3 (since 10:05)"
    );
}

#[test]
fn an_active_window_without_a_sitter_is_the_owners() {
    let decision = decide(&Facts { threads: vec![thread("t1", vec![window(None, 0, 120)])], ..facts() });
    assert_eq!((decision.destination, decision.routed_to), (to_thread("t1"), RoutedTo::Owner));
    assert_eq!(
        decision.summary,
        "Routed to owner inbox: the assignment window that is active until 12:00 has no sitter."
    );
}

#[test]
fn without_an_active_window_the_thread_with_the_latest_text_takes_it_to_the_owner() {
    let mut newer = thread("t1", vec![window(Some(sam()), 0, 10)]);
    newer.last_message_at = at(20);
    let decision = decide(&Facts { threads: vec![newer, thread("t2", Vec::new())], ..facts() });
    assert_eq!((decision.destination, decision.routed_to), (to_thread("t1"), RoutedTo::Owner));
    assert_eq!(decision.summary, "Routed to owner inbox: no active assignment window for this client.");
}

#[test]
fn the_steps_say_why_no_window_is_active() {
    let mut cancelled = window(Some(sam()), 0, 120);
    cancelled.cancelled_at = Some(at(1));
    for (windows, none_active, why) in [
        (vec![], "none is active", "it has no assignment window"),
        (
            vec![window(Some(sam()), 60, 120)],
            "none is active; the next one begins at 11:00",
            "its assignment window has not begun",
        ),
        (
            vec![window(Some(sam()), 0, 20)],
            "none is active; the last one closed at 10:20",
            "its assignment window is closed",
        ),
        (vec![cancelled], "none is active", "its assignment window is cancelled"),
    ] {
        let decision = decide(&Facts { threads: vec![thread("t1", windows)], ..facts() });
        let reason = |check| decision.steps.iter().find(|step| step.step == check).unwrap().reason.clone();
        assert_eq!(reason(Check::ActiveWindow), none_active);
        assert_eq!(reason(Check::OpenThread), format!("conversation t1 is open; {why}"));
    }
}

#[test]
fn a_window_that_is_active_elsewhere_is_not_denied() {
    let threads = vec![thread("t1", Vec::new())];
    let decision = decide(&Facts { threads, active_elsewhere: true, ..facts() });
    assert_eq!((decision.destination, decision.routed_to), (to_thread("t1"), RoutedTo::Owner));
    assert_eq!(
        decision.summary,
        "Routed to owner inbox: no active assignment window for this client in an open conversation on number \
         +1••••••••02."
    );
}

#[test]
fn on_a_sitters_own_number_a_text_without_a_window_is_the_sitters() {
    let reached = Reached::Organization { class: NumberClass::Sitter, sitter: Some(sam()) };
    let alone = decide(&Facts { reached: reached.clone(), client: None, ..facts() });
    assert_eq!((alone.destination, alone.routed_to), (Destination::General, RoutedTo::Sitter));
    assert_eq!(
        alone.summary,
        "Routed to Sam (sitter): +1••••••••02 is Sam's own number; the assignment window is closed."
    );
    let threads = vec![thread("t1", vec![window(Some(sam()), 0, 10)])];
    let open = decide(&Facts { reached: reached.clone(), threads, ..facts() });
    assert_eq!((open.destination, open.routed_to), (to_thread("t1"), RoutedTo::Sitter));
    // The owner has taken the general conversation over. A second one is not opened.
    let taken = OpenThread { scope: Scope::ClientGeneral, ..thread("t2", Vec::new()) };
    let taken = decide(&Facts { reached, threads: vec![taken], ..facts() });
    assert_eq!((taken.destination, taken.routed_to), (to_thread("t2"), RoutedTo::Owner));
}

#[test]
fn a_sitter_who_has_left_is_no_sitter() {
    let left = KnownSitter { active: false, ..sam() };
    let decision = decide(&Facts { threads: vec![thread("t1", vec![window(Some(left.clone()), 0, 120)])], ..facts() });
    assert_eq!((decision.outcome, decision.routed_to), (Outcome::WindowWithoutSitter, RoutedTo::Owner));
    let reached = Reached::Organization { class: NumberClass::Sitter, sitter: Some(left) };
    let decision = decide(&Facts { reached, ..facts() });
    assert_eq!((decision.outcome, decision.routed_to), (Outcome::NewConversation, RoutedTo::Owner));
    assert!(decision.summary.ends_with("; +1••••••••02 is the number of Sam, who is no longer active."));
}

#[test]
fn new_people_write_to_the_owner() {
    let decision = decide(&Facts { client: None, ..facts() });
    assert_eq!((decision.outcome, decision.destination), (Outcome::UnknownSender, Destination::General));
    assert_eq!(
        decision.summary,
        "Routed to owner inbox: nobody is known under the sender's number, so a client was created."
    );
    let decision = decide(&facts());
    assert_eq!((decision.outcome, decision.destination), (Outcome::NewConversation, Destination::General));
}

#[test]
fn a_sitter_comes_before_a_client_and_the_trace_says_so() {
    let threads = vec![thread("t1", vec![window(Some(sam()), 0, 120)])];
    let command = Some(Command { accepts: true, code: None });
    let sitters = Facts { sitter: Some(sam()), threads, ..facts() };
    let text = decide(&sitters);
    assert_eq!((text.outcome, text.destination), (Outcome::Sitter, Destination::OwnerSitter(sam().id)));
    assert_eq!(
        text.summary,
        "Routed to owner inbox: the sender is Sam (sitter), whose texts go to the owner; the number is also a client's, \
         and a sitter's number comes first."
    );
    let answer = decide(&Facts { command, ..sitters.clone() });
    assert_eq!((answer.outcome, answer.command), (Outcome::OfferAnswer, command));
    let former = Some(KnownSitter { active: false, ..sam() });
    let ordinary = decide(&Facts { command, sitter: former, ..sitters });
    assert_eq!((ordinary.outcome, ordinary.command), (Outcome::Sitter, None));
}

#[test]
fn a_keyword_is_obeyed_and_its_text_routed_as_any_other() {
    for (keyword, carrier_answers, opting, reply) in [
        (Keyword::Stop, true, Some(Opting::Out), None),
        (Keyword::Stop, false, Some(Opting::Out), Some(KeywordReply::Stopped)),
        (Keyword::Start, true, Some(Opting::In), None),
        (Keyword::Start, false, Some(Opting::In), Some(KeywordReply::Started)),
        (Keyword::Help, true, None, None),
        (Keyword::Help, false, None, Some(KeywordReply::Help)),
        (Keyword::Yes, true, Some(Opting::LiftCarrier), None),
        (Keyword::Yes, false, None, None),
    ] {
        let decision = decide(&Facts { keyword: Some(keyword), carrier_answers, ..facts() });
        assert_eq!((decision.opting, decision.reply), (opting, reply), "{keyword:?}");
        assert_eq!(decision.destination, Destination::General);
        let of_a_name = Facts { keyword: Some(keyword), carrier_answers, from: Sender::of("AMAZON"), ..facts() };
        let decision = decide(&of_a_name);
        assert_eq!((decision.opting, decision.reply), (None, None), "a name can't be texted");
    }
}

#[test]
fn texts_for_nobody_and_for_new_businesses_are_told_apart() {
    let nobody = decide(&Facts { reached: Reached::Nobody, keyword: Some(Keyword::Stop), ..facts() });
    assert_eq!((nobody.outcome, nobody.destination, nobody.opting), (Outcome::Unroutable, Destination::Nowhere, None));
    let new = decide(&Facts { reached: Reached::Onboarding, keyword: Some(Keyword::Stop), ..facts() });
    assert_eq!((new.outcome, new.routed_to), (Outcome::Onboarding, RoutedTo::None));
    assert_eq!((new.destination, new.opting), (Destination::General, Some(Opting::Out)));
}

fn some_sitter() -> impl Strategy<Value = KnownSitter> {
    (0..3_u8, any::<bool>()).prop_map(|(number, active)| KnownSitter {
        active,
        ..known(&format!("sitter-{number}"), &format!("Sitter {number}"))
    })
}

fn some_window() -> impl Strategy<Value = WindowOfThread> {
    (prop::option::of(some_sitter()), 0..60_i64, 1..60_i64, prop::option::weighted(0.2, 0..60_i64)).prop_map(
        |(sitter, starts, lasts, cancelled)| WindowOfThread {
            cancelled_at: cancelled.map(at),
            ..window(sitter, starts, starts + lasts)
        },
    )
}

fn some_threads() -> impl Strategy<Value = Vec<OpenThread>> {
    let one = (any::<bool>(), prop::option::of(some_sitter()), 0..60_i64, prop::collection::vec(some_window(), 0..3));
    prop::collection::vec(one, 0..5).prop_map(|threads| {
        threads
            .into_iter()
            .enumerate()
            .map(|(number, (general, sitter, last, windows))| OpenThread {
                id: ThreadId::from(format!("thread-{number}")),
                scope: if general { Scope::ClientGeneral } else { Scope::ClientBooking },
                assigned_sitter: sitter.map(|sitter| sitter.id),
                last_message_at: at(last),
                windows,
            })
            .collect()
    })
}

fn some_facts() -> impl Strategy<Value = Facts> {
    let reached = prop_oneof![
        1 => Just(Reached::Onboarding),
        1 => Just(Reached::Nobody),
        6 => (0..3_u8, some_sitter()).prop_map(|(class, sitter)| match class {
            0 => Reached::Organization { class: NumberClass::Pool, sitter: None },
            1 => Reached::Organization { class: NumberClass::FrontDesk, sitter: None },
            _ => Reached::Organization { class: NumberClass::Sitter, sitter: Some(sitter) },
        }),
    ];
    let from = prop_oneof![Just("+15551234567"), Just("447700900123"), Just("12345"), Just("AMAZON")];
    let keyword = prop::option::of(prop_oneof![
        Just(Keyword::Stop),
        Just(Keyword::Start),
        Just(Keyword::Yes),
        Just(Keyword::Help)
    ]);
    let command = prop::option::of((any::<bool>(), prop::option::of(1..9_i64)));
    (
        (reached, from, keyword, any::<bool>(), command),
        (prop::option::weighted(0.3, some_sitter()), any::<bool>(), some_threads(), 0..60_i64),
    )
        .prop_map(|((reached, from, keyword, carrier_answers, command), (sitter, is_known, threads, minute))| {
            Facts {
                reached,
                from: Sender::of(from),
                keyword,
                carrier_answers,
                command: command.map(|(accepts, code)| Command { accepts, code }),
                sitter,
                client: is_known.then(|| ClientId::from("client-1")),
                threads: if is_known { threads } else { Vec::new() },
                at: at(minute),
                ..facts()
            }
        })
}

proptest! {
    #[test]
    fn any_facts_have_one_destination_that_the_trace_names(facts in some_facts()) {
        let decision = decide(&facts);
        prop_assert_eq!(&decision, &decide(&facts), "the same facts, the same decision");
        let last = decision.steps.last().unwrap();
        let reaches = facts.reached != Reached::Nobody;
        // What decides comes last, but after a sitter comes the question whether the text answers an offer.
        let is_sitters_own_text = decision.outcome == Outcome::Sitter;
        prop_assert_eq!(last.result == Finding::Matched, reaches && !is_sitters_own_text);
        prop_assert!(decision.summary.ends_with('.') && !decision.summary.contains('\n'));
        // Checks come in the order of the rules. On a sitter's own number, whose it is comes before what is open.
        let of_a_sitter = matches!(facts.reached, Reached::Organization { class: NumberClass::Sitter, .. });
        prop_assert!(of_a_sitter || decision.steps.is_sorted_by_key(|step| step.step));
        match &decision.destination {
            Destination::Thread(id) => {
                prop_assert!(facts.threads.iter().any(|thread| thread.id == *id), "an open thread of the client");
                prop_assert!(last.reason.contains(id.as_str()), "{} is named by {}", id, last.reason);
            }
            Destination::General => prop_assert!(facts.reached == Reached::Onboarding || facts.sitter.is_none()),
            Destination::OwnerSitter(sitter) => {
                prop_assert_eq!(Some(sitter), facts.sitter.as_ref().map(|sitter| &sitter.id));
            }
            Destination::Nowhere => prop_assert!(!reaches),
        }
        match decision.routed_to {
            RoutedTo::Sitter => {
                let sitter = decision.sitter.as_ref().unwrap();
                let Some(name) = name_of(&facts, sitter) else { panic!("the sitter is known") };
                let expected = format!("Routed to {name} (sitter): ");
                prop_assert!(decision.summary.starts_with(&expected), "{}", decision.summary);
            }
            RoutedTo::Owner => prop_assert!(decision.sitter.is_none()),
            RoutedTo::None => {
                let of_an_organization = matches!(facts.reached, Reached::Organization { .. });
                prop_assert!(!of_an_organization);
            }
        }
        if facts.from.phone().is_none() {
            prop_assert!(decision.opting.is_none() && decision.reply.is_none());
        }
        if facts.carrier_answers {
            prop_assert!(decision.reply.is_none());
        }
    }

    #[test]
    fn nobodys_number_is_in_a_trace(facts in some_facts(), digits in "1[2-9][0-9]{9}") {
        let number = PhoneNumber::stored(&digits).unwrap();
        let decision = decide(&Facts { number: number.masked(), from: Sender::Phone(number), ..facts });
        let shown = format!("{decision:?}");
        prop_assert!(!shown.contains(&digits[..8]), "{shown}");
    }
}

fn name_of<'a>(facts: &'a Facts, id: &SitterId) -> Option<&'a str> {
    let of_number = match &facts.reached {
        Reached::Organization { sitter, .. } => sitter.as_ref(),
        _ => None,
    };
    let of_windows =
        facts.threads.iter().flat_map(|thread| &thread.windows).filter_map(|window| window.sitter.as_ref());
    of_number.into_iter().chain(of_windows).find(|sitter| sitter.id == *id).map(|sitter| sitter.name.as_str())
}
