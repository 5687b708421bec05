//! Quiet hours and the hours of carriers: what waits, what does not, and what the waiting rows say.

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Json, Timestamp};
use nightshift_domain::automations::Executed;
use nightshift_domain::ids::{MessageId, SitterId, ThreadId, UserId};
use nightshift_domain::messaging::delivery::{
    Held, HoldReason, ReportOutcome, apply_report, begin_send, given_back, held, load, record_sent,
};
use nightshift_domain::messaging::message::MessageStatus;
use nightshift_domain::messaging::post::{Author, Post, Posted, post};
use serde_json::json;

use crate::fixture::*;

each_engine! {
    without_quiet_hours_nothing_waits,
    an_automatic_text_waits_for_the_end_of_quiet_hours_and_says_so,
    a_text_that_its_client_caused_minutes_ago_does_not_wait,
    a_persons_text_waits_unless_it_answers_or_is_forced,
    a_text_that_was_delayed_into_quiet_hours_waits_before_it_is_sent,
    what_the_carrier_gives_back_because_of_the_hour_is_sent_again_a_few_times,
    the_run_of_a_text_that_the_carrier_gives_back_waits_again_and_says_why,
    a_text_that_has_left_meanwhile_is_not_held,
}

const NIGHT: &str = "2024-12-30T23:00:00Z";
const MORNING: &str = "2024-12-31T08:00:00Z";

async fn with_quiet_hours(business: &Business) {
    let settings = json!({"quietHours": {"start": "21:00", "end": "08:00"}});
    business.db.write("UPDATE organizations SET settings = $1").bind(Json(settings)).execute().await.unwrap();
}

async fn without_quiet_hours_nothing_waits(engine: Engine) {
    on(engine, async |business| {
        business.add_number("pool-1", "pool", "org-1").await;
        let booking = business.confirmed(|_| {}).await;
        let start = business.run_confirmation(&booking.id, at(NIGHT)).await.starts[0].clone();
        let executed = business.execute(&start, at(NIGHT)).await;
        let Executed::Written { message_id, .. } = executed else { panic!("{executed:?}") };
        assert_eq!(held_at(&business, &message_id, NIGHT).await, None);
    })
    .await;
}

async fn an_automatic_text_waits_for_the_end_of_quiet_hours_and_says_so(engine: Engine) {
    on(engine, async |business| {
        with_quiet_hours(&business).await;
        business.add_number("pool-1", "pool", "org-1").await;
        // The owner entered and confirmed it, so the client does not expect a text now.
        let booking = business.confirmed(|_| {}).await;
        let start = business.run_confirmation(&booking.id, at(NIGHT)).await.starts[0].clone();
        assert_eq!(business.execute(&start, at(NIGHT)).await, Executed::Hold { until: at(MORNING) });
        let told: (String, String, Timestamp) =
            business.db.read("SELECT status, error, scheduled_for FROM automation_runs").one().await.unwrap();
        assert_eq!(told, ("pending".to_owned(), "quiet_hours".to_owned(), at(MORNING)));
        assert!(matches!(business.execute(&start, at(MORNING)).await, Executed::Written { .. }));
    })
    .await;
}

async fn a_text_that_its_client_caused_minutes_ago_does_not_wait(engine: Engine) {
    on(engine, async |business| {
        with_quiet_hours(&business).await;
        business.add_number("pool-1", "pool", "org-1").await;
        let booking = business.confirmed(|_| {}).await;
        let start = business.run_confirmation(&booking.id, at(NIGHT)).await.starts[0].clone();
        business
            .db
            .write("INSERT INTO payments (id, booking_id, received_minor, created_at) VALUES ('pi_1', $1, 1, $2)")
            .bind(&booking.id)
            .bind(at(NIGHT))
            .execute()
            .await
            .unwrap();
        assert_eq!(business.execute(&start, at("2024-12-30T23:10:00Z")).await, Executed::Hold { until: at(MORNING) });
        business.set("UPDATE automation_runs SET scheduled_for = NULL").await;
        let executed = business.execute(&start, at("2024-12-30T23:09:59Z")).await;
        let Executed::Written { message_id, .. } = executed else { panic!("{executed:?}") };
        assert_eq!(held_at(&business, &message_id, "2024-12-30T23:09:59Z").await, None);
        let quiet = Held { until: at(MORNING), reason: HoldReason::QuietHours };
        assert_eq!(held_at(&business, &message_id, "2024-12-30T23:10:00Z").await, Some(quiet), "it left too late");
    })
    .await;
}

fn text(body: &str) -> Post {
    Post { body: body.to_owned(), force_send: false, client_ref: None }
}

async fn posted(business: &Business, thread: &ThreadId, author: &Author, what: Post, now: &str) -> (MessageId, bool) {
    let posted =
        business.write(async |tx| post(tx, &org(), thread, author, &what, &owner(), at(now)).await.unwrap()).await;
    let Posted::Queued { message_id, not_before, .. } = posted else { panic!("{posted:?}") };
    assert_eq!(held_at(business, &message_id, now).await.map(|held| held.until), not_before);
    (message_id, not_before.is_some())
}

async fn a_persons_text_waits_unless_it_answers_or_is_forced(engine: Engine) {
    on(engine, async |business| {
        business.add_number("pool-1", "pool", "org-1").await;
        let stay = |draft: &mut nightshift_domain::bookings::Draft| {
            draft.sitter_id = Some(sitter());
            draft.start_at = Some("2024-12-30T20:00:00Z".to_owned());
        };
        let booking = business.confirmed(stay).await;
        let thread = business.run_confirmation(&booking.id, noon()).await.outcome.thread.thread_id;
        with_quiet_hours(&business).await;
        let owner = Author::Owner(Some(UserId::from("user-1".to_owned())));
        let sitter = Author::Sitter(SitterId::from("sitter-1".to_owned()));
        let waits = async |author, what| posted(&business, &thread, author, what, NIGHT).await.1;
        assert!(waits(&owner, text("News")).await);
        assert!(waits(&sitter, text("He has eaten")).await);
        assert!(!waits(&owner, Post { force_send: true, ..text("Urgent") }).await);
        business
            .db
            .write("UPDATE message_threads SET last_inbound_at = $1")
            .bind(at("2024-12-29T23:00:01Z"))
            .execute()
            .await
            .unwrap();
        assert!(!waits(&owner, text("Answer")).await);
        assert!(!waits(&sitter, text("Answer")).await);
        business
            .db
            .write("UPDATE message_threads SET last_inbound_at = $1")
            .bind(at("2024-12-29T23:00:00Z"))
            .execute()
            .await
            .unwrap();
        assert!(waits(&owner, text("A day later")).await);
    })
    .await;
}

/// Returns until when the text must wait at `now`.
async fn held_at(business: &Business, message: &MessageId, now: &str) -> Option<Held> {
    business
        .write(async |tx| {
            let text = load(tx, message).await.unwrap();
            held(tx, &text, at(now)).await.unwrap()
        })
        .await
}

async fn a_text_that_was_delayed_into_quiet_hours_waits_before_it_is_sent(engine: Engine) {
    on(engine, async |business| {
        with_quiet_hours(&business).await;
        business.add_number("pool-1", "pool", "org-1").await;
        let (_, _, message) = business.confirmed_and_written(|_| {}).await;
        assert_eq!(held_at(&business, &message, "2024-12-30T20:59:59Z").await, None);
        let quiet = Held { until: at(MORNING), reason: HoldReason::QuietHours };
        assert_eq!(held_at(&business, &message, "2024-12-30T21:00:00Z").await, Some(quiet));
        let row = "SELECT held_until, hold_reason FROM message_events";
        let told: (Option<Timestamp>, Option<String>) = business.db.read(row).one().await.unwrap();
        assert_eq!(told, (Some(at(MORNING)), Some("quiet_hours".to_owned())));
        assert_eq!(held_at(&business, &message, MORNING).await, None);
        let told: (Option<Timestamp>, Option<String>) = business.db.read(row).one().await.unwrap();
        assert_eq!(told, (None, None));
    })
    .await;
}

async fn what_the_carrier_gives_back_because_of_the_hour_is_sent_again_a_few_times(engine: Engine) {
    on(engine, async |business| {
        business.add_number("pool-1", "pool", "org-1").await;
        let (_, _, message) = business.confirmed_and_written(|_| {}).await;
        for (round, (now, until)) in [
            ("2024-12-29T23:00:00Z", "2024-12-30T08:00:00Z"),
            ("2024-12-30T08:00:00Z", "2024-12-30T11:00:00Z"),
            ("2024-12-30T11:00:00Z", "2024-12-30T14:00:00Z"),
        ]
        .into_iter()
        .enumerate()
        {
            let sid = format!("SM{round}");
            send(&business, &message, &sid, now).await;
            let back = business.write(async |tx| given_back(tx, &sid, &job(), at(now)).await.unwrap()).await.unwrap();
            assert_eq!(back.held, Held { until: at(until), reason: HoldReason::CarrierHours });
            assert_eq!(back.text.status, MessageStatus::Queued);
            assert_eq!(held_at(&business, &message, now).await, Some(back.held));
            assert_eq!(held_at(&business, &message, until).await, None);
            let again = business.write(async |tx| given_back(tx, &sid, &job(), at(now)).await.unwrap()).await;
            assert!(again.is_none(), "the report came twice");
        }
        send(&business, &message, "SM3", "2024-12-30T14:00:00Z").await;
        let now = at("2024-12-30T14:00:00Z");
        assert!(business.write(async |tx| given_back(tx, "SM3", &job(), now).await.unwrap()).await.is_none());
        let applied = business
            .write(async |tx| {
                apply_report(tx, "SM3", MessageStatus::Undelivered, Some("30610"), &job(), now).await.unwrap()
            })
            .await;
        assert_eq!(applied, ReportOutcome::Applied(MessageStatus::Undelivered));
        assert_eq!(business.count("SELECT COUNT(*) FROM exceptions WHERE type = 'sms_undelivered'").await, 1);
    })
    .await;
}

async fn send(business: &Business, message: &MessageId, sid: &str, now: &str) {
    business
        .write(async |tx| {
            begin_send(tx, message, &job(), at(now)).await.unwrap();
            record_sent(tx, message, sid, &job(), at(now)).await.unwrap();
        })
        .await;
}

async fn the_run_of_a_text_that_the_carrier_gives_back_waits_again_and_says_why(engine: Engine) {
    on(engine, async |business| {
        business.add_number("pool-1", "pool", "org-1").await;
        let (_, _, message) = business.confirmed_and_written(|_| {}).await;
        let run = async || -> (String, Option<String>) {
            business.db.read("SELECT status, error FROM automation_runs").one().await.unwrap()
        };
        send(&business, &message, "SM0", NIGHT).await;
        assert_eq!(run().await, ("success".to_owned(), None));
        business.write(async |tx| given_back(tx, "SM0", &job(), at(NIGHT)).await.unwrap()).await.unwrap();
        assert_eq!(run().await, ("pending".to_owned(), Some("carrier_hours".to_owned())));
        send(&business, &message, "SM1", MORNING).await;
        assert_eq!(run().await, ("success".to_owned(), None));
    })
    .await;
}

async fn a_text_that_has_left_meanwhile_is_not_held(engine: Engine) {
    on(engine, async |business| {
        with_quiet_hours(&business).await;
        business.add_number("pool-1", "pool", "org-1").await;
        let (_, _, message) = business.confirmed_and_written(|_| {}).await;
        let read_before = business.write(async |tx| load(tx, &message).await.unwrap()).await;
        send(&business, &message, "SM0", "2024-12-30T20:59:59Z").await;
        let now = at("2024-12-30T21:00:00Z");
        assert_eq!(business.write(async |tx| held(tx, &read_before, now).await.unwrap()).await, None);
        assert_eq!(business.count("SELECT COUNT(*) FROM message_events WHERE held_until IS NOT NULL").await, 0);
    })
    .await;
}
