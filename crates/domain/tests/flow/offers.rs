//! Offers answered by texts that arrive late or twice.

use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use nightshift_domain::Error;
use nightshift_domain::automations::Executed;
use nightshift_domain::automations::runs::{RunToStart, RunsToStart};
use nightshift_domain::ids::{BookingId, MessageId};
use nightshift_domain::messaging::delivery::{self, SendDecision};
use nightshift_domain::messaging::message::MessageStatus;
use nightshift_domain::offers::{self, Answer, Offer, Reply, Via, command};
use nightshift_domain::{bookings, confirmation};
use serde_json::json;

use crate::fixture::*;

each_engine! {
    a_text_of_before_an_offer_does_not_answer_it,
    a_text_in_time_answers_although_it_is_taken_in_after_the_end,
    a_repeated_no_does_not_answer_another_offer_of_the_same_booking,
    the_acceptance_of_a_booking_that_was_cancelled_is_not_confirmed_again,
    the_text_of_an_ended_offer_never_leaves,
    a_sitter_is_told_of_an_assignment_only_while_it_is_theirs,
    an_assignment_that_moves_before_it_is_told_is_told_with_its_new_time,
    an_offer_that_moves_before_it_is_told_is_told_with_its_new_time,
    the_end_of_a_booking_ends_its_offers_in_the_same_step,
}

const HOUR: Duration = Duration::from_secs(3600);
const NONE: &str = "You have no open offers.";

pub async fn offer(business: &Business, booking: &BookingId, now: Timestamp) -> Offer {
    let draft = serde_json::from_value(json!({"sitterIds": [sitter()]})).unwrap();
    let make = async |tx: &mut _| offers::create(tx, &org(), booking, &draft, HOUR, &owner(), now).await.unwrap();
    business.write(make).await.offers.remove(0).0
}

/// The reply to a text that the sitter sent `at`, and that is taken in `now`.
pub async fn text(business: &Business, body: &str, at: Timestamp, now: Timestamp) -> Reply {
    let command = command(body).unwrap();
    business
        .write(async |tx| offers::reply_to(tx, &org(), &sitter(), command, at, &webhook(), now).await.unwrap())
        .await
}

pub async fn status(business: &Business, offer: &Offer) -> String {
    business.db.read("SELECT status FROM offer_events WHERE id = $1").bind(&offer.id).scalar().await.unwrap()
}

pub fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

async fn a_text_of_before_an_offer_does_not_answer_it(engine: Engine) {
    on(engine, async |business| {
        let booking = business.book(|_| {}).await.booking.id;
        let made = offer(&business, &booking, noon()).await;
        for (body, says) in
            [("YES", NONE), ("NO", NONE), ("YES 1", "There is no open offer 1. You have no open offers.")]
        {
            let reply = text(&business, body, noon() - HOUR, noon() + minutes(5)).await;
            assert_eq!((reply.text.as_str(), reply.answered.is_some()), (says, false), "{body}");
        }
        assert_eq!(status(&business, &made).await, "pending");
        assert!(text(&business, "YES", noon(), noon() + minutes(5)).await.answered.unwrap().changed);
        assert_eq!(status(&business, &made).await, "accepted");
    })
    .await;
}

async fn a_text_in_time_answers_although_it_is_taken_in_after_the_end(engine: Engine) {
    on(engine, async |business| {
        let booking = business.book(|_| {}).await.booking.id;
        let made = offer(&business, &booking, noon()).await;
        let reply = text(&business, "YES", noon() + minutes(59), noon() + minutes(61)).await;
        assert!(reply.answered.unwrap().changed);
        assert_eq!(status(&business, &made).await, "accepted");
    })
    .await;
}

async fn a_repeated_no_does_not_answer_another_offer_of_the_same_booking(engine: Engine) {
    on(engine, async |business| {
        let other = business.book(|_| {}).await.booking.id;
        let first = offer(&business, &other, noon()).await;
        let booking = business.book(|_| {}).await.booking.id;
        let declined = offer(&business, &booking, noon()).await;
        assert_eq!((first.code, declined.code), (1, 2));
        let said = text(&business, "NO 2", noon() + minutes(1), noon() + minutes(1)).await.text;
        assert!(text(&business, "NO 1", noon() + minutes(2), noon() + minutes(2)).await.answered.unwrap().changed);
        let again = offer(&business, &booking, noon() + minutes(3)).await;
        assert_eq!(again.code, 1);
        let reply = text(&business, "NO 2", noon() + minutes(4), noon() + minutes(4)).await;
        let answered = reply.answered.unwrap();
        assert_eq!((reply.text, answered.changed, answered.offer.id), (said, false, declined.id));
        assert_eq!(status(&business, &again).await, "pending");
    })
    .await;
}

async fn the_acceptance_of_a_booking_that_was_cancelled_is_not_confirmed_again(engine: Engine) {
    on(engine, async |business| {
        let booking = business.book(|_| {}).await.booking.id;
        offer(&business, &booking, noon()).await;
        let by_api = async || {
            let given = Answer { accepts: true, offer: None, via: Via::Web, reason: None, at: noon() };
            let answer = async |tx: &mut _| {
                offers::answer(tx, &org(), &sitter(), &booking, given, &owner(), noon()).await.unwrap()
            };
            business.write(answer).await.map(|answered| answered.changed).map_err(Error::from)
        };
        assert!(by_api().await.unwrap());
        assert!(!by_api().await.unwrap(), "once more");
        business.write(async |tx| bookings::cancel(tx, &org(), &booking, None, &owner(), noon()).await.unwrap()).await;
        let refused = by_api().await;
        assert!(matches!(&refused, Err(Error::Conflict { code: "offer_not_pending", .. })), "{refused:?}");
        assert_eq!(text(&business, "YES", noon(), noon()).await.text, NONE);
    })
    .await;
}

pub async fn written(business: &Business, runs: RunsToStart, now: Timestamp) -> MessageId {
    let run: RunToStart = runs.into_iter().next().unwrap();
    let executed = business.execute(&run, now).await;
    let Executed::Written { message_id, .. } = executed else { panic!("{executed:?}") };
    message_id
}

pub async fn begin(business: &Business, text: &MessageId, now: Timestamp) -> String {
    match business.write(async |tx| delivery::begin_send(tx, text, &job(), now).await.unwrap()).await {
        SendDecision::Send(envelope) => envelope.body,
        SendDecision::Settled(status) => status.to_string(),
        SendDecision::Blocked(reason) => reason.to_owned(),
        SendDecision::Unclear { .. } | SendDecision::NoNumber => panic!("it waits"),
    }
}

/// How a text and its run ended, and how many exceptions there are about it.
async fn fate(business: &Business, text: &MessageId) -> (String, String, String) {
    let sql = "SELECT e.status, COALESCE(e.error_code, ''), r.status FROM message_events e
               JOIN automation_runs r ON r.id = e.automation_run_id WHERE e.id = $1";
    business.db.read(sql).bind(text).one().await.unwrap()
}

fn ended(status: &str, reason: &str, run: &str) -> (String, String, String) {
    (status.to_owned(), reason.to_owned(), run.to_owned())
}

async fn the_text_of_an_ended_offer_never_leaves(engine: Engine) {
    on(engine, async |business| {
        business.add_number("desk", "front_desk", "org-1").await;
        let soon = noon() + minutes(5);
        let told = async || {
            let booking = business.book(|_| {}).await.booking.id;
            let made = offer(&business, &booking, noon()).await;
            let notify = async |tx: &mut _| offers::notify(tx, &made.id, &job(), noon()).await.unwrap();
            let runs = business.write(notify).await;
            (made, written(&business, runs, noon()).await)
        };
        let withdraw = async |offer: &Offer| {
            business.write(async |tx| offers::withdraw(tx, &org(), &offer.id, &owner(), soon).await.unwrap()).await;
        };
        // Its time is over, and nobody has ended it yet.
        let (_, overdue) = told().await;
        assert_eq!(begin(&business, &overdue, noon() + minutes(61)).await, "offer_ended");
        assert_eq!(fate(&business, &overdue).await, ended("failed", "offer_ended", "skipped"));
        // It ends while its text is being sent, which then comes back unsent.
        let (made, sending) = told().await;
        assert!(begin(&business, &sending, noon()).await.starts_with("New booking"));
        withdraw(&made).await;
        assert_eq!(fate(&business, &sending).await.0, "sending");
        business.write(async |tx| delivery::back_to_queue(tx, &sending, soon).await.unwrap()).await;
        assert_eq!(begin(&business, &sending, soon).await, "failed");
        // The carrier accepted the text and gave it back, before the end and after.
        for (sid, ends_first) in [("SM1", false), ("SM2", true)] {
            let (made, text) = told().await;
            begin(&business, &text, noon()).await;
            business.write(async |tx| delivery::record_sent(tx, &text, sid, &job(), noon()).await.unwrap()).await;
            if ends_first {
                withdraw(&made).await;
            }
            business.write(async |tx| delivery::given_back(tx, sid, &job(), soon).await.unwrap()).await;
            if !ends_first {
                assert_eq!(fate(&business, &text).await.0, "queued");
                withdraw(&made).await;
            }
            assert_eq!(fate(&business, &text).await.1, "offer_ended", "{ends_first}");
            assert_eq!(begin(&business, &text, soon).await, "failed", "{ends_first}");
        }
        // It failed, and an operator retries it after the end.
        let (made, refused) = told().await;
        begin(&business, &refused, noon()).await;
        let because = delivery::Because::Other;
        let refuse =
            async |tx: &mut _| delivery::record_refused(tx, &refused, "21612", because, &job(), soon).await.unwrap();
        business.write(refuse).await;
        withdraw(&made).await;
        let revive =
            async |tx: &mut _| delivery::revive(tx, &refused, MessageStatus::Queued, &owner(), soon).await.unwrap();
        assert!(business.write(revive).await.is_err());
        assert_eq!(begin(&business, &refused, soon).await, "failed");
        let told_people = "SELECT COUNT(*) FROM exceptions WHERE type <> 'offer_unfilled'";
        assert_eq!(business.count(told_people).await, 1, "only the refusal is anybody's problem");
    })
    .await;
}

/// A booking that the sitter has accepted, and the runs of the text about that.
async fn accepted(business: &Business) -> (BookingId, RunsToStart) {
    let booking = business.book(|_| {}).await.booking.id;
    offer(business, &booking, noon()).await;
    (booking, text(business, "YES", noon(), noon()).await.answered.unwrap().runs)
}

pub async fn patch(business: &Business, booking: &BookingId, change: serde_json::Value) -> i64 {
    let patch = serde_json::from_value(change).unwrap();
    let by = owner();
    business
        .write(async |tx| bookings::patch(tx, &org(), booking, patch, &by, noon()).await.unwrap())
        .await
        .booking
        .version
}

async fn a_sitter_is_told_of_an_assignment_only_while_it_is_theirs(engine: Engine) {
    on(engine, async |business| {
        business.add_number("desk", "front_desk", "org-1").await;
        let cases = [
            ("booking_cancelled", json!({"status": "cancelled"})),
            ("booking_reassigned", json!({"sitterId": "sitter-2"})),
            ("booking_reassigned", json!({"sitterId": null})),
        ];
        for (reason, change) in cases {
            // Written before the change, and not.
            let (booking, runs) = accepted(&business).await;
            let text = written(&business, runs, noon()).await;
            patch(&business, &booking, change.clone()).await;
            assert_eq!(fate(&business, &text).await, ended("failed", reason, "skipped"));
            assert_eq!(begin(&business, &text, noon()).await, "failed");
            let (booking, runs) = accepted(&business).await;
            patch(&business, &booking, change).await;
            let run = runs.into_iter().next().unwrap();
            let executed = business.execute(&run, noon()).await;
            assert!(matches!(executed, Executed::Ended(_)), "{executed:?}");
        }
        let start = at("2024-12-31T10:00:00Z");
        let (_, runs) = accepted(&business).await;
        let text = written(&business, runs, noon()).await;
        assert_eq!(begin(&business, &text, start).await, "booking_started");
        let (_, runs) = accepted(&business).await;
        let executed = business.execute(&runs.into_iter().next().unwrap(), start).await;
        assert!(matches!(executed, Executed::Ended(_)), "{executed:?}");
    })
    .await;
}

async fn an_assignment_that_moves_before_it_is_told_is_told_with_its_new_time(engine: Engine) {
    on(engine, async |business| {
        business.add_number("desk", "front_desk", "org-1").await;
        let (booking, runs) = accepted(&business).await;
        let before = written(&business, runs, noon()).await;
        let times = json!({"startAt": "2024-12-31T12:00:00Z", "endAt": "2024-12-31T13:00:00Z"});
        let version = patch(&business, &booking, times).await;
        assert_eq!(fate(&business, &before).await, ended("failed", "booking_moved", "skipped"));
        let follow = async || {
            let by = job();
            let follow =
                async |tx: &mut _| confirmation::rescheduled(tx, &booking, version, GRACE, &by, noon()).await.unwrap();
            business.write(follow).await
        };
        let text = written(&business, follow().await, noon()).await;
        assert_eq!(begin(&business, &text, noon()).await, "You are assigned: dog walking, Tue 31 Dec 2024 12:00.");
        business.write(async |tx| delivery::record_sent(tx, &text, "SM1", &job(), noon()).await.unwrap()).await;
        assert!(follow().await.into_iter().next().is_none(), "once");
    })
    .await;
}

async fn notified(business: &Business, offer: &Offer) -> RunsToStart {
    business.write(async |tx| offers::notify(tx, &offer.id, &job(), noon()).await.unwrap()).await
}

/// Changes a booking, and does to its offers what follows. Returns the texts that replace unsent ones.
async fn moved(business: &Business, booking: &BookingId, change: serde_json::Value) -> RunsToStart {
    let patch = serde_json::from_value(change).unwrap();
    let by = owner();
    business
        .write(async |tx| {
            let changed = bookings::patch(tx, &org(), booking, patch, &by, noon()).await.unwrap().booking;
            offers::booking_changed(tx, &changed, &by, noon()).await.unwrap()
        })
        .await
        .runs
}

async fn an_offer_that_moves_before_it_is_told_is_told_with_its_new_time(engine: Engine) {
    on(engine, async |business| {
        business.add_number("desk", "front_desk", "org-1").await;
        let later = json!({"startAt": "2024-12-31T12:00:00Z", "endAt": "2024-12-31T13:00:00Z"});
        let says = |code: i64| {
            format!(
                "New booking: dog walking, Tue 31 Dec 2024 12:00. Reply YES to accept or NO to decline. Offer {code}, \
                 expires Sat 28 Dec 2024 13:00."
            )
        };
        let offered = async || {
            let booking = business.book(|_| {}).await.booking.id;
            let made = offer(&business, &booking, noon()).await;
            (booking, made)
        };
        // Written and not sent.
        let (booking, made) = offered().await;
        let before = written(&business, notified(&business, &made).await, noon()).await;
        let runs = moved(&business, &booking, later.clone()).await;
        assert_eq!(fate(&business, &before).await, ended("failed", "booking_moved", "skipped"));
        let text = written(&business, runs, noon()).await;
        assert_eq!(begin(&business, &text, noon()).await, says(made.code));
        // Being sent: it comes back unsent after the move, and another one tells the time that holds.
        let (booking, made) = offered().await;
        let sending = written(&business, notified(&business, &made).await, noon()).await;
        begin(&business, &sending, noon()).await;
        let runs = moved(&business, &booking, later.clone()).await;
        business.write(async |tx| delivery::back_to_queue(tx, &sending, noon()).await.unwrap()).await;
        assert_eq!(fate(&business, &sending).await, ended("failed", "booking_moved", "skipped"));
        let text = written(&business, runs, noon()).await;
        assert_eq!(begin(&business, &text, noon()).await, says(made.code));
        // Sent: the sitter is told of the new time by the confirmation of their answer.
        business.write(async |tx| delivery::record_sent(tx, &text, "SM1", &job(), noon()).await.unwrap()).await;
        let earlier = json!({"startAt": "2024-12-31T11:00:00Z"});
        assert!(moved(&business, &booking, earlier).await.into_iter().next().is_none());
        // Not written yet: it would state the new start, but the old expiry.
        let (booking, made) = offered().await;
        let run = notified(&business, &made).await.into_iter().next().unwrap();
        let soon = json!({"startAt": "2024-12-28T12:30:00Z", "endAt": "2024-12-28T13:30:00Z"});
        let runs = moved(&business, &booking, soon).await;
        assert!(matches!(business.execute(&run, noon()).await, Executed::Ended(_)));
        let text = written(&business, runs, noon()).await;
        let said = begin(&business, &text, noon()).await;
        assert!(
            said.contains("28 Dec 2024 12:30. Reply") && said.ends_with("expires Sat 28 Dec 2024 12:30."),
            "{said}"
        );
        // All of an offer's texts end with it.
        let (booking, made) = offered().await;
        written(&business, notified(&business, &made).await, noon()).await;
        let text = written(&business, moved(&business, &booking, later).await, noon()).await;
        business.write(async |tx| offers::withdraw(tx, &org(), &made.id, &owner(), noon()).await.unwrap()).await;
        assert_eq!(fate(&business, &text).await, ended("failed", "offer_ended", "skipped"));
        assert_eq!(business.count("SELECT COUNT(*) FROM exceptions").await, 0);
    })
    .await;
}

async fn the_end_of_a_booking_ends_its_offers_in_the_same_step(engine: Engine) {
    on(engine, async |business| {
        for (changes, becomes) in [
            (&[json!({"status": "cancelled"})][..], "withdrawn"),
            (&[json!({"status": "confirmed"}), json!({"status": "completed"})], "withdrawn"),
            (&[json!({"sitterId": "sitter-2"})], "superseded"),
            (&[json!({"sitterId": "sitter-1"})], "withdrawn"),
            (&[json!({"status": "confirmed"}), json!({"address": "1 High Street"})], "pending"),
        ] {
            let booking = business.book(|_| {}).await.booking.id;
            let made = offer(&business, &booking, noon()).await;
            for change in changes {
                assert!(moved(&business, &booking, change.clone()).await.into_iter().next().is_none());
            }
            assert_eq!(status(&business, &made).await, becomes, "{changes:?}");
        }
    })
    .await;
}
