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
        nightshift.texts().delivered().until(1).await;
        // A job that people have not looked at yet.
        nightshift.move_all_clients_to("org-other").await;
        nightshift.post(&format!("/api/bookings/{id}/confirm"), json!({})).await.expect(200);
        nightshift.all_jobs().dead().until(1).await;
        nightshift.move_all_clients_to("org-paws").await;
        nightshift.quiet().await;

        let (history_before, log_before) =
            (nightshift.status_changes().count().await, nightshift.all_events().except("job.dead").count().await);
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
            for rows in [
                nightshift.jobs("webhook.stripe.process").succeeded().counted(),
                nightshift.all_jobs().dead().counted(),
                nightshift.all_webhooks().with_key("evt_1").with_a_body().counted(),
                nightshift.all_webhooks().with_key("evt_1").counted(),
                nightshift.idempotency_keys(),
            ] {
                found.push(rows.count().await > 0);
            }
            assert_eq!(found, kept, "after {days} days");
        }
        assert_eq!(nightshift.status_changes().count().await, history_before);
        assert!(nightshift.all_events().except("job.dead").count().await >= log_before);
        assert_eq!(nightshift.bookings().count().await, 2);
        assert!(nightshift.texts().count().await >= 1);
    })
    .await;
}
