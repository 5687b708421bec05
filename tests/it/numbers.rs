//! No text is silent: whatever happens to the number it would leave from, it leaves from another, waits for one, or is
//! in front of people.

use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_jobs::promises::broken;
use nightshift_lab::simulator::{Fault, FaultRule, Match};
use serde_json::{Value, json};

use crate::support::process::World;
use crate::support::{Nightshift, business, on};

each_engine! {
    the_conversations_of_a_retired_number_go_on_from_another,
    without_another_number_people_are_told_and_what_there_is_to_say_waits_for_one,
    a_text_under_way_when_its_number_is_retired_leaves_from_the_next_one,
    a_text_that_waited_a_day_for_a_number_is_given_up_and_can_be_retried,
    an_appointment_in_an_organisation_without_a_front_desk_is_told_when_there_is_one,
    a_cancellation_is_told_although_the_number_was_retired_before,
    a_number_that_comes_back_into_service_wakes_what_waits_for_it,
    a_text_that_waited_until_its_booking_began_is_shown_to_people_instead,
    a_number_added_at_the_command_line_wakes_what_waits(flavor = "multi_thread"),
}

/// Takes the pool number out of service although conversations use it.
async fn retire(nightshift: &Nightshift) {
    let off = json!({"status": "inactive", "force": true});
    nightshift.patch("/api/messages/numbers/number-pool", off).await.expect(200);
}

async fn add(nightshift: &Nightshift, e164: &str, class: &str) {
    let number = json!({"e164": e164, "numberClass": class, "provider": "twilio"});
    nightshift.post("/api/messages/numbers", number).await.expect(201);
}

async fn confirm(nightshift: &Nightshift) -> String {
    let id = nightshift.book().await;
    nightshift.post(&format!("/api/bookings/{id}/confirm"), json!({})).await.expect(200);
    nightshift.texts().delivered().until(1).await;
    nightshift.quiet().await;
    id
}

/// Confirms a booking whose text is written and must wait half a minute for Twilio.
async fn text_under_way(nightshift: &Nightshift, booking: Value) {
    let busy = FaultRule {
        matching: Match::default(),
        fault: Fault::RateLimit,
        times: 1,
        retry_after: Some(30),
        delay_ms: None,
        code: None,
    };
    nightshift.simulator.twilio().inject(busy);
    let id = nightshift.book_as(booking).await;
    nightshift.post(&format!("/api/bookings/{id}/confirm"), json!({})).await.expect(200);
    nightshift.jobs("sms.send").retrying().until(1).await;
}

async fn all_promises_hold(nightshift: &Nightshift) {
    nightshift.clock.advance(Duration::from_secs(120));
    nightshift.quiet().await;
    assert_eq!(broken(&nightshift.app.queue).await.unwrap(), []);
}

fn senders(nightshift: &Nightshift) -> Vec<String> {
    nightshift.simulator.twilio().ledger().messages().iter().map(|text| text.from.clone()).collect()
}

async fn the_conversations_of_a_retired_number_go_on_from_another(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = confirm(&nightshift).await;
        add(&nightshift, "+15550199002", "front_desk").await;
        retire(&nightshift).await;
        nightshift.quiet().await;
        assert_eq!(nightshift.open_exceptions("no_number_available").count().await, 0);
        nightshift.post(&format!("/api/bookings/{booking}/cancel"), json!({})).await.expect(200);
        nightshift.texts().delivered().until(2).await;
        assert_eq!(senders(&nightshift), ["+15550199001", "+15550199002"]);
        all_promises_hold(&nightshift).await;
    })
    .await;
}

async fn without_another_number_people_are_told_and_what_there_is_to_say_waits_for_one(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = confirm(&nightshift).await;
        retire(&nightshift).await;
        nightshift.quiet().await;
        assert_eq!(nightshift.open_exceptions("no_number_available").count().await, 1);
        nightshift
            .patch(
                &format!("/api/bookings/{booking}"),
                json!({"startAt": "2024-12-31T15:00:00Z", "endAt": "2024-12-31T16:00:00Z"}),
            )
            .await
            .expect(200);
        nightshift.all_automation_runs().blocked().until(1).await;
        all_promises_hold(&nightshift).await;
        assert_eq!(senders(&nightshift).len(), 1);

        add(&nightshift, "+15550199002", "front_desk").await;
        nightshift.texts().delivered().until(2).await;
        assert_eq!(senders(&nightshift)[1], "+15550199002");
        assert_eq!(nightshift.open_exceptions("no_number_available").count().await, 0);
        all_promises_hold(&nightshift).await;
    })
    .await;
}

/// The text is written and its number goes out of service before it leaves.
async fn a_text_under_way_when_its_number_is_retired_leaves_from_the_next_one(engine: Engine) {
    on(engine, async |nightshift| {
        text_under_way(&nightshift, business::booking()).await;
        retire(&nightshift).await;
        nightshift.pass(Duration::from_secs(40)).await;
        assert_eq!(nightshift.texts().queued().count().await, 1);
        assert_eq!(nightshift.open_exceptions("no_number_available").count().await, 1);
        all_promises_hold(&nightshift).await;

        add(&nightshift, "+15550199002", "pool").await;
        nightshift.texts().delivered().until(1).await;
        assert_eq!(senders(&nightshift), ["+15550199002"]);
        assert_eq!(nightshift.open_exceptions("no_number_available").count().await, 0);
        let run = nightshift.all_automation_runs().succeeded().one().await;
        assert!(run.from_number_id.is_some());
        assert_eq!(run.from_number_id, nightshift.texts().of_run(&run.id).one().await.from_number_id);
    })
    .await;
}

/// A text whose number never comes back is given up after a day, in front of people, and a retry still sends it.
async fn a_text_that_waited_a_day_for_a_number_is_given_up_and_can_be_retried(engine: Engine) {
    on(engine, async |nightshift| {
        // So far away that waiting takes nothing from what the text says.
        let mut booking = business::booking();
        (booking["startAt"], booking["endAt"]) = (json!("2026-12-01T10:00:00Z"), json!("2026-12-01T11:00:00Z"));
        text_under_way(&nightshift, booking).await;
        retire(&nightshift).await;
        nightshift.pass(Duration::from_secs(40)).await;
        nightshift.clock.advance(Duration::from_secs(25 * 3600));
        nightshift.jobs("sms.send").dead().until(1).await;
        assert_eq!(nightshift.open_exceptions("sms_undelivered").count().await, 1);
        all_promises_hold(&nightshift).await;

        add(&nightshift, "+15550199002", "pool").await;
        let dead = nightshift.jobs("sms.send").dead().one().await;
        let mut tx = nightshift.db.begin().await.unwrap();
        nightshift_jobs::registry().retry(&nightshift.app.queue, &mut tx, &dead.id, None).await.unwrap();
        tx.commit().await.unwrap();
        nightshift.texts().delivered().until(1).await;
        assert_eq!(nightshift.open_exceptions("sms_undelivered").count().await, 0);
    })
    .await;
}

/// The person has an appointment: that there is no number to tell them from must not go unnoticed.
async fn an_appointment_in_an_organisation_without_a_front_desk_is_told_when_there_is_one(engine: Engine) {
    on(engine, async |nightshift| {
        nightshift.take_all_numbers_out_of_service().await;
        nightshift.ask_for_call().await;
        nightshift.all_automation_runs().blocked().until(1).await;
        assert_eq!(nightshift.open_exceptions("no_number_available").count().await, 1);
        all_promises_hold(&nightshift).await;

        add(&nightshift, "+15550199003", "front_desk").await;
        nightshift.texts().delivered().until(1).await;
        assert_eq!(senders(&nightshift), ["+15550199003"]);
        assert_eq!(nightshift.open_exceptions("no_number_available").count().await, 0);
    })
    .await;
}

/// The conversation is over but for one thing: that its booking is cancelled.
async fn a_cancellation_is_told_although_the_number_was_retired_before(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = confirm(&nightshift).await;
        retire(&nightshift).await;
        nightshift.quiet().await;
        nightshift.post(&format!("/api/bookings/{booking}/cancel"), json!({})).await.expect(200);
        nightshift.all_automation_runs().blocked().until(1).await;
        nightshift.pass(Duration::from_secs(1_300)).await;
        assert_eq!(nightshift.open_exceptions("no_number_available").count().await, 1, "nobody is told");
        all_promises_hold(&nightshift).await;

        add(&nightshift, "+15550199002", "front_desk").await;
        nightshift.texts().delivered().until(2).await;
        assert_eq!(senders(&nightshift)[1], "+15550199002");
        nightshift.quiet().await;
        assert_eq!(nightshift.open_exceptions("no_number_available").count().await, 0);
        all_promises_hold(&nightshift).await;
    })
    .await;
}

async fn a_number_that_comes_back_into_service_wakes_what_waits_for_it(engine: Engine) {
    on(engine, async |nightshift| {
        let booking = confirm(&nightshift).await;
        retire(&nightshift).await;
        nightshift.post(&format!("/api/bookings/{booking}/cancel"), json!({})).await.expect(200);
        nightshift.all_automation_runs().blocked().until(1).await;
        nightshift.pass(Duration::from_secs(60)).await;
        let on = json!({"status": "active"});
        nightshift.patch("/api/messages/numbers/number-pool", on).await.expect(200);
        nightshift.open_exceptions("no_number_available").until_with_the_clock_standing(0).await;
        nightshift.texts().delivered().until(2).await;
    })
    .await;
}

/// A text that waited until what it tells of has begun is worth nothing to its client; people see it.
async fn a_text_that_waited_until_its_booking_began_is_shown_to_people_instead(engine: Engine) {
    on(engine, async |nightshift| {
        let mut booking = business::booking();
        (booking["startAt"], booking["endAt"]) = (json!("2024-12-29T23:00:00Z"), json!("2024-12-30T00:00:00Z"));
        text_under_way(&nightshift, booking).await;
        retire(&nightshift).await;
        nightshift.pass(Duration::from_secs(40)).await;
        nightshift.clock.advance(Duration::from_secs(2 * 3600));
        add(&nightshift, "+15550199002", "front_desk").await;
        nightshift.texts().failed().until(1).await;
        assert_eq!((nightshift.open_exceptions("sms_undelivered").count().await, senders(&nightshift).len()), (1, 0));
        all_promises_hold(&nightshift).await;
    })
    .await;
}

/// A number that an operator adds at the command line wakes what waits, as one added over HTTP does.
async fn a_number_added_at_the_command_line_wakes_what_waits(engine: Engine) {
    let world = World::on(engine).await;
    world.take_all_numbers_out_of_service().await;
    business::load_bookings(world.db(), 1).await;
    world.take_all_numbers_out_of_service().await;
    let program = world.serve();
    let confirm = format!("{}/api/bookings/booking-0/confirm", program.url);
    let answer = reqwest::Client::new().post(confirm).json(&json!({})).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    world.open_exceptions("no_number_available").until(1).await;
    let added = world.command(&["numbers", "add", "+15550199050", "--org", "org-paws"]).output().unwrap();
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    world.texts().sent().until(1).await;
}
