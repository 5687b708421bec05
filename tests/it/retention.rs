//! The daily sweep forgets what is past its time, and nothing else.

use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use serde_json::json;

use crate::support::business::{booking, paid};
use crate::support::{Caller, on};

each_engine! {
    each_thing_is_kept_as_long_as_it_must_be_and_no_longer,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn each_thing_is_kept_as_long_as_it_must_be_and_no_longer(engine: Engine) {
    on(engine, async |nightshift| {
        let id = nightshift.book().await;
        nightshift
            .send_with(
                reqwest::Method::POST,
                "/api/bookings",
                &Caller::Nobody,
                Some(booking()),
                &[("idempotency-key", "k")],
            )
            .await
            .expect(201);
        nightshift.stripe(&paid("evt_1", &id)).await.expect(200);
        nightshift.until("SELECT count(*) FROM message_events WHERE status = 'delivered'", 1).await;
        // A job that people have not looked at yet.
        nightshift.db.write("UPDATE clients SET org_id = 'org-other'").execute().await.unwrap();
        nightshift.post(&format!("/api/bookings/{id}/confirm"), json!({})).await.expect(200);
        nightshift.until("SELECT count(*) FROM jobs WHERE state = 'dead'", 1).await;
        nightshift.db.write("UPDATE clients SET org_id = 'org-paws'").execute().await.unwrap();
        nightshift.quiet().await;

        let history = "SELECT count(*) FROM booking_status_history";
        let log = "SELECT count(*) FROM event_log WHERE event_type <> 'job.dead'";
        let (history_before, log_before) = (nightshift.count(history).await, nightshift.count(log).await);
        let began = nightshift.clock.now();
        for (days, kept) in [
            // Jobs that succeeded on the first day, dead jobs, webhooks with a body, webhooks, kept answers.
            (2, [true, true, true, true, false]),
            (13, [true, true, true, true, false]),
            (16, [false, true, true, true, false]),
            (29, [false, true, true, true, false]),
            (32, [false, true, false, true, false]),
            (89, [false, true, false, true, false]),
            (92, [false, false, false, true, false]),
            (179, [false, false, false, true, false]),
            (183, [false, false, false, false, false]),
        ] {
            nightshift.clock.set(began + DAY * days);
            nightshift.swept().await;
            let mut found = Vec::new();
            for sql in [
                "SELECT count(*) FROM jobs WHERE state = 'succeeded' AND kind = 'webhook.stripe.process'",
                "SELECT count(*) FROM jobs WHERE state = 'dead'",
                "SELECT count(*) FROM webhook_inbox WHERE payload IS NOT NULL AND event_key = 'evt_1'",
                "SELECT count(*) FROM webhook_inbox WHERE event_key = 'evt_1'",
                "SELECT count(*) FROM idempotency_keys",
            ] {
                found.push(nightshift.count(sql).await > 0);
            }
            assert_eq!(found, kept, "after {days} days");
        }
        assert_eq!(nightshift.count(history).await, history_before);
        assert!(nightshift.count(log).await >= log_before);
        assert_eq!(nightshift.count("SELECT count(*) FROM bookings").await, 2);
        assert!(nightshift.count("SELECT count(*) FROM message_events").await >= 1);
    })
    .await;
}
