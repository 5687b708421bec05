//! A process that is frozen and goes on when another one has done its work.

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_lab::simulator::StripeSender;
use nightshift_providers::http_client;

use crate::support::business::{self, paid};
use crate::support::checks::eventually;
use crate::support::nightshift::STRIPE_SECRET;
use crate::support::process::on;

each_engine! {
    frozen_before_it_sends_a_text_it_does_not_send_it_later(flavor = "multi_thread"),
}

/// Longer than a permit lasts. The process waits so long after the intent, awake or not.
const LATE: (&str, &str) = ("NIGHTSHIFT_FAILPOINTS", "sms.send.after_ask=delay:25000");

/// Another process looks the text up meanwhile, finds that it was not sent, and sends it.
async fn frozen_before_it_sends_a_text_it_does_not_send_it_later(engine: Engine) {
    on(engine, async |mut world| {
        business::load_bookings(world.db(), 1).await;
        let frozen = world.serve_with(&[], &[LATE]);
        let stripe = StripeSender::new(
            format!("{}/api/webhooks/stripe", frozen.url),
            STRIPE_SECRET.into(),
            http_client().unwrap(),
        );
        assert!(stripe.deliver(&paid("evt_1", "booking-0")).await.unwrap().taken());
        world.effects("sms").in_state("asked").until(1).await;
        frozen.freeze();
        // In the middle of a write it would hold the database.
        while world.db().write("UPDATE jobs SET priority = priority").execute().await.is_err() {
            frozen.thaw();
            frozen.freeze();
        }
        world.leases_run_out().await;
        world.set("PORT", "0");
        let _other = world.serve();
        world.texts().sent().until(1).await;
        frozen.thaw();
        let sent = || world.simulator.twilio().ledger().messages().len();
        eventually("the frozen process goes on", async || {
            sent() > 1 || world.logged().contains("its permit has expired")
        })
        .await;
        world.until_quiet().await;
        world.shows_each_booking_once(1).await;
    })
    .await;
}
