//! A booking that is moved, moved again or cancelled while its texts are under way: what the client's phone shows.

use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::failpoint::{self, Action};
use nightshift_db::testing::each_engine;
use reqwest::Method;
use serde_json::json;

use crate::support::business::booking_of;
use crate::support::{Caller, Nightshift, on};

each_engine! {
    of_two_moves_within_a_second_the_client_hears_the_second,
    of_a_move_and_a_cancellation_within_a_second_the_client_hears_the_cancellation,
    of_many_moves_at_once_the_last_text_states_the_time_that_holds,
    after_the_clock_was_set_back_an_hour_texts_leave_at_once,
    a_reminder_that_is_wanted_again_while_its_job_ends_is_sent,
}

/// A booking whose client has been told that it is confirmed.
async fn confirmed(nightshift: &Nightshift) -> String {
    let path = format!("/api/bookings/{}", nightshift.book().await);
    for _ in 0..2 {
        nightshift.post(&format!("{path}/confirm"), json!({})).await.expect(200);
    }
    nightshift.texts().sent().until(1).await;
    path
}

/// Moves the booking and lets everything happen that needs no time: the clock stands, so a second text waits.
async fn move_to(nightshift: &Nightshift, path: &str, hour: u32) {
    let times = json!({"startAt": format!("2024-12-31T{hour}:00:00Z"), "endAt": format!("2024-12-31T{hour}:45:00Z")});
    nightshift.patch(path, times).await.expect(200);
    nightshift.quiet().await;
}

/// What the client got, oldest first, once nothing waits any more.
async fn texts(nightshift: &Nightshift) -> Vec<String> {
    nightshift.pass(Duration::from_secs(30)).await;
    let texts: Vec<String> =
        nightshift.simulator.twilio().ledger().messages().iter().map(|text| text.body.clone()).collect();
    for (before, after) in texts.iter().zip(texts.iter().skip(1)) {
        assert_ne!(before, after, "twice in a row: {texts:#?}");
    }
    assert_eq!(nightshift.all_exceptions().count().await, 0);
    texts
}

async fn of_two_moves_within_a_second_the_client_hears_the_second(engine: Engine) {
    on(engine, async |nightshift| {
        let path = confirmed(&nightshift).await;
        for hour in [12, 15, 13] {
            move_to(&nightshift, &path, hour).await;
        }
        let texts = texts(&nightshift).await;
        assert_eq!(texts.last().unwrap(), "Your dog walking has moved to Tue 31 Dec 2024 at 13:00.");
        assert!(!texts.iter().any(|text| text.contains("15:00")), "{texts:#?}");
        assert_eq!(texts.iter().filter(|text| text.contains("is confirmed")).count(), 1, "{texts:#?}");
    })
    .await;
}

async fn of_a_move_and_a_cancellation_within_a_second_the_client_hears_the_cancellation(engine: Engine) {
    on(engine, async |nightshift| {
        let path = confirmed(&nightshift).await;
        for hour in [12, 15] {
            move_to(&nightshift, &path, hour).await;
        }
        for _ in 0..2 {
            nightshift.post(&format!("{path}/cancel"), json!({})).await.expect(200);
        }
        let texts = texts(&nightshift).await;
        assert_eq!(texts.last().unwrap(), "Your dog walking on Tue 31 Dec 2024 at 15:00 has been cancelled.");
        assert_eq!(texts.iter().filter(|text| text.contains("15:00")).count(), 1, "{texts:#?}");
    })
    .await;
}

async fn of_many_moves_at_once_the_last_text_states_the_time_that_holds(engine: Engine) {
    on(engine, async |nightshift| {
        let path = confirmed(&nightshift).await;
        let tasks: Vec<_> = (0..16)
            .map(|turn| {
                let hour = 11 + turn % 8;
                let times = json!({"startAt": format!("2024-12-31T{hour}:00:00Z"),
                                   "endAt": format!("2024-12-31T{hour}:45:00Z")});
                let url = format!("{}{path}", nightshift.app.url());
                let request = nightshift.http.request(Method::PATCH, url).json(&times);
                tokio::spawn(async move { request.send().await.unwrap().status().as_u16() })
            })
            .collect();
        for task in tasks {
            // Only the step of a clock is waited for between two texts, so some leave while others move.
            nightshift.clock.advance(Duration::from_millis(400));
            assert_eq!(task.await.unwrap(), 200);
        }
        let texts = texts(&nightshift).await;
        let start = nightshift.get(&path).await.expect(200).json()["booking"]["startAt"].as_str().unwrap().to_owned();
        assert!(texts.last().unwrap().contains(&format!("at {}", &start[11..16])), "{start}: {texts:#?}");
    })
    .await;
}

async fn after_the_clock_was_set_back_an_hour_texts_leave_at_once(engine: Engine) {
    on(engine, async |nightshift| {
        confirmed(&nightshift).await;
        nightshift.quiet().await;
        let earlier = nightshift.clock.now() - Duration::from_secs(3600);
        nightshift.clock.set(earlier);
        let made = nightshift.send(Method::POST, "/api/bookings", &Caller::Nobody, Some(booking_of(2))).await;
        let id = made.expect(201).json()["booking"]["id"].as_str().unwrap().to_owned();
        nightshift.post(&format!("/api/bookings/{id}/confirm"), json!({})).await.expect(200);
        nightshift.texts().sent().until(2).await;
        let waited = nightshift.clock.now().since(earlier);
        assert!(waited < Duration::from_secs(60), "it waited for {waited:?}");
    })
    .await;
}

/// The reminder was switched off, which its job has found, but the job's result is not stored yet when the reminder is
/// wanted again.
async fn a_reminder_that_is_wanted_again_while_its_job_ends_is_sent(engine: Engine) {
    on(engine, async |nightshift| {
        let path = confirmed(&nightshift).await;
        nightshift.quiet().await;
        let job = nightshift.jobs("automation.run").queued().one().await.id;
        let reminder = || nightshift.automation_runs("bookingReminder");
        let switch = async |enabled: bool| {
            let sql = "UPDATE automations SET enabled = $1 WHERE type = 'bookingReminder'";
            nightshift.db.write(sql).bind(enabled).execute().await.unwrap();
        };
        switch(false).await;
        failpoint::arm("finish.before_commit", Action::Error, u32::MAX);
        let mut tx = nightshift.db.begin().await.unwrap();
        nightshift.app.queue.run_now(&mut tx, &job).await.unwrap();
        tx.commit().await.unwrap();
        reminder().in_status("skipped").until(1).await;
        switch(true).await;
        nightshift.patch(&path, json!({"endAt": "2024-12-31T11:30:00Z"})).await.expect(200);
        reminder().in_status("skipped").until(0).await;
        failpoint::disarm_all();
        reminder().succeeded().skip_waits_until(1).await;
    })
    .await;
}
