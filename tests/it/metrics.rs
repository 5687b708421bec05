//! How fast sitters answer, from a client's text to the tier; and the sitters themselves.

use std::time::Duration;

use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use nightshift_providers::twilio::signature::sign_form;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::business::{self, booking, booking_of};
use crate::support::checks::eventually;
use crate::support::nightshift::{fast_account, on_with};
use crate::support::{Answer, Caller, Nightshift, on};

each_engine! {
    a_sitters_answers_become_figures_and_a_tier,
    a_text_that_nobody_answers_within_a_day_counts_against_the_sitter,
    an_answer_to_an_offer_becomes_figures,
    figures_are_computed_at_three_in_each_organisations_own_time,
    an_owner_adds_and_changes_sitters,
    a_sitter_who_leaves_gets_no_offers_and_keeps_their_bookings,
}

const MINUTE: Duration = Duration::from_secs(60);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A program with authentication, and who uses it.
struct Scene {
    nightshift: Nightshift,
    owner: Caller,
    sitter: Caller,
}

impl Scene {
    async fn ask(&self, caller: &Caller, method: Method, path: &str, body: Value) -> Answer {
        let body = (method != Method::GET).then_some(body);
        self.nightshift.send(method, path, caller, body).await
    }

    async fn get(&self, caller: &Caller, path: &str) -> Answer {
        self.ask(caller, Method::GET, path, Value::Null).await
    }

    /// A confirmed booking of Sam's with its conversation. Returns both ids.
    async fn conversation(&self) -> (String, String) {
        let mut body = booking();
        body["sitterId"] = json!("sitter-sam");
        (body["startAt"], body["endAt"]) = (json!("2024-12-30T00:00:00Z"), json!("2024-12-30T01:00:00Z"));
        let made = self.ask(&self.owner, Method::POST, "/api/bookings", body).await.expect(201).json();
        let booking = made["booking"]["id"].as_str().unwrap().to_owned();
        let confirm = format!("/api/bookings/{booking}/confirm");
        self.ask(&self.owner, Method::POST, &confirm, json!({})).await.expect(200);
        self.nightshift.texts().delivered().until(1).await;
        let listed = self.get(&self.owner, "/api/messages/threads?mailbox=all").await.expect(200).json();
        let thread = listed["threads"][0]["id"].as_str().unwrap().to_owned();
        (booking, thread)
    }

    /// The client of [`booking`] texts the business.
    async fn client_writes(&self, sid: i64) {
        let account = fast_account();
        let form = format!(
            "MessageSid=SM{sid:032}&AccountSid={}&From=%2B15551234567&To=%2B15550199001&Body=Hello&NumMedia=0",
            account.account_sid
        );
        let url = format!("{}/api/twilio/inbound", self.nightshift.app.url());
        let signature = sign_form(&account.auth_token, &url, form.as_bytes());
        let request = self
            .nightshift
            .http
            .post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-twilio-signature", signature)
            .body(form);
        Answer::to(request).await.expect(200);
        self.nightshift.jobs("webhook.twilio.inbound").succeeded().until_with_the_clock_standing(sid).await;
    }

    async fn posts(&self, caller: &Caller, thread: &str) {
        let path = format!("/api/messages/threads/{thread}/messages");
        self.ask(caller, Method::POST, &path, json!({"body": "On my way"})).await.expect(200);
    }

    async fn metrics(&self, caller: &Caller, days: i64) -> Value {
        let path = format!("/api/sitters/sitter-sam/metrics?days={days}");
        self.get(caller, &path).await.expect(200).json()
    }

    async fn offer(&self, booking: &str, sitter: &str) -> Answer {
        let path = format!("/api/bookings/{booking}/offers");
        self.ask(&self.owner, Method::POST, &path, json!({"sitterIds": [sitter]})).await
    }

    async fn book(&self, number: usize) -> String {
        let made = self.ask(&self.owner, Method::POST, "/api/bookings", booking_of(number)).await.expect(201).json();
        made["booking"]["id"].as_str().unwrap().to_owned()
    }
}

async fn on_scene(engine: Engine, test: impl AsyncFnOnce(Scene)) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let owner = nightshift.sign_in(business::OWNER).await;
            let sitter = nightshift.sign_in(business::SITTER).await;
            test(Scene { nightshift, owner, sitter }).await;
        },
    )
    .await;
}

async fn a_sitters_answers_become_figures_and_a_tier(engine: Engine) {
    on_scene(engine, async |scene| {
        let nightshift = &scene.nightshift;
        let (_, thread) = scene.conversation().await;
        let begin = at("2024-12-30T00:00:00Z");
        nightshift.clock.set(begin);
        scene.client_writes(1).await;
        assert_eq!(nightshift.jobs("metrics.sitter_window").count().await, 0);

        nightshift.clock.set(begin + Duration::from_secs(250));
        scene.posts(&scene.sitter, &thread).await;
        let link: (String, String, String, i64) = nightshift
            .db
            .read("SELECT status, responder_type, sitter_id, response_seconds FROM message_response_links")
            .one()
            .await
            .unwrap();
        assert_eq!(link, ("answered".to_owned(), "sitter".to_owned(), "sitter-sam".to_owned(), 250));
        let due = nightshift.jobs("metrics.sitter_window").unclaimed().one().await.run_at;
        assert_eq!(due, begin + Duration::from_secs(310));
        nightshift.clock.set(due);
        nightshift.jobs("metrics.sitter_window").succeeded().until(1).await;

        for caller in [&scene.owner, &scene.sitter] {
            let shown = scene.metrics(caller, 7).await;
            assert_eq!((&shown["sitterId"], &shown["tier"]), (&json!("sitter-sam"), &json!("unrated")));
            let metrics = &shown["metrics"];
            assert_eq!((&metrics["days"], &metrics["windowEndDate"]), (&json!(7), &json!("2024-12-30")));
            assert_eq!((&metrics["medianResponseSeconds"], &metrics["responsesRequired"]), (&json!(250), &json!(1)));
        }

        for round in 2..=5 {
            nightshift.clock.advance(MINUTE);
            scene.client_writes(round).await;
            nightshift.clock.advance(MINUTE);
            scene.posts(&scene.sitter, &thread).await;
        }
        nightshift.clock.advance(MINUTE * 2);
        nightshift.quiet().await;
        let listed = scene.get(&scene.owner, "/api/sitters").await.expect(200).json();
        let sam = &listed["sitters"][0];
        assert_eq!(
            (&sam["id"], &sam["phone"], &sam["tier"]),
            (&json!("sitter-sam"), &json!("+15550100001"), &json!("silver"))
        );
        for days in ["7", "28"] {
            let metrics = &sam["metrics"][days];
            assert_eq!((&metrics["medianResponseSeconds"], &metrics["responsesGiven"]), (&json!(60), &json!(5)));
            assert_eq!((&metrics["p90ResponseSeconds"], &metrics["responseRate"]), (&json!(250), &json!(1.0)));
        }
        let log = scene.get(&scene.owner, "/api/event-log?eventType=sitter.tier.changed").await.expect(200).json();
        assert_eq!(log.to_string().matches("\"to\":\"silver\"").count(), 1, "{log}");
    })
    .await;
}

async fn a_text_that_nobody_answers_within_a_day_counts_against_the_sitter(engine: Engine) {
    on_scene(engine, async |scene| {
        let nightshift = &scene.nightshift;
        scene.conversation().await;
        let begin = at("2024-12-30T00:00:00Z");
        nightshift.clock.set(begin);
        scene.client_writes(1).await;
        nightshift.clock.set(begin + MINUTE * (24 * 60));
        nightshift.jobs("metrics.sitter_window").unclaimed().until(1).await;
        nightshift.clock.advance(MINUTE);
        nightshift.jobs("metrics.sitter_window").succeeded().until(1).await;
        // The session of yesterday has ended.
        let owner = nightshift.sign_in(business::OWNER).await;
        let metrics = scene.metrics(&owner, 28).await["metrics"].clone();
        assert_eq!((&metrics["responsesRequired"], &metrics["responsesGiven"]), (&json!(1), &json!(0)));
        assert_eq!((&metrics["responseRate"], &metrics["medianResponseSeconds"]), (&json!(0.0), &Value::Null));
    })
    .await;
}

async fn an_answer_to_an_offer_becomes_figures(engine: Engine) {
    on_scene(engine, async |scene| {
        let nightshift = &scene.nightshift;
        let booking = scene.book(1).await;
        scene.offer(&booking, "sitter-sam").await.expect(201);
        nightshift.clock.advance(Duration::from_secs(90));
        let accept = format!("/api/sitter/sitter-sam/bookings/{booking}/accept");
        scene.ask(&scene.sitter, Method::POST, &accept, json!({})).await.expect(200);
        nightshift.clock.advance(MINUTE);
        nightshift.jobs("metrics.sitter_window").succeeded().until(1).await;
        let metrics = scene.metrics(&scene.sitter, 28).await["metrics"].clone();
        assert_eq!((&metrics["offersReceived"], &metrics["offerAcceptRate"]), (&json!(1), &json!(1.0)));
        assert_eq!(metrics["avgOfferResponseSeconds"], 90);
    })
    .await;
}

/// Prices may be checked in one time zone for all; the figures keep to each organisation's.
async fn figures_are_computed_at_three_in_each_organisations_own_time(engine: Engine) {
    let in_one_zone = |settings: &mut nightshift::config::Settings| {
        settings.reconciliation.timezone = Some(chrono_tz::Tz::Asia__Kolkata);
    };
    on_with(engine, in_one_zone, async |nightshift| {
        let new_york = json!({
            "organizations": [{"id": "ny", "name": "NY", "slug": "ny", "timezone": "America/New_York"}],
            "sitters": [
                {"id": "sitter-lee", "orgId": "ny", "name": "Lee", "phone": "+12125550101"},
                {"id": "sitter-max", "orgId": "ny", "name": "Max", "phone": "+12125550102", "active": false},
            ],
        });
        business::load(&nightshift.db, new_york).await;
        // 2025-03-09 at 03:00 is the first moment of its summer time.
        let due = at("2025-03-09T07:00:00Z");
        let last = async |schedule: &str| {
            let sql = "SELECT due_at FROM schedule_slots WHERE schedule = $1 AND scope = 'ny'
                       ORDER BY local_slot DESC LIMIT 1";
            nightshift.db.read(sql).bind(schedule).optional::<(Timestamp,)>().await.unwrap().map(|(due,)| due)
        };
        // It counts from when the scheduler first looked.
        eventually("the scheduler knows the organisation", async || {
            nightshift.clock.advance(Duration::from_secs(3600));
            last("metrics.nightly").await.is_some()
        })
        .await;
        let (day_before, prices) = (at("2025-03-08T08:00:00Z"), at("2025-03-08T20:30:00Z"));
        nightshift.clock.set(due - Duration::from_millis(1));
        eventually("the occurrences of the day before are fired", async || {
            last("metrics.nightly").await == Some(day_before) && last("pricing.reconcile").await == Some(prices)
        })
        .await;
        nightshift.clock.set(due);
        eventually("the figures are computed", async || {
            let sql = "SELECT sitter_id FROM sitter_metrics_windows
                       WHERE org_id = 'ny' AND window_days = 7 AND window_end_date = '2025-03-09' ORDER BY sitter_id";
            let of_today = nightshift.db.read(sql).all::<(String,)>().await.unwrap();
            last("metrics.nightly").await == Some(due) && of_today == [("sitter-lee".to_owned(),)]
        })
        .await;
        assert_eq!(last("pricing.reconcile").await, Some(prices));
    })
    .await;
}

async fn an_owner_adds_and_changes_sitters(engine: Engine) {
    on_scene(engine, async |scene| {
        let (owner, sitter) = (&scene.owner, &scene.sitter);
        let alex = json!({"name": "Alex", "phone": "+1 (555) 010-0077"});
        let made = scene.ask(owner, Method::POST, "/api/sitters", alex.clone()).await.expect(201).json();
        let (id, phone) = (made["sitter"]["id"].as_str().unwrap().to_owned(), &made["sitter"]["phone"]);
        assert_eq!((phone, &made["sitter"]["tier"]), (&json!("+15550100077"), &json!("unrated")));
        let again = scene.ask(owner, Method::POST, "/api/sitters", alex).await.expect(409);
        assert_eq!(again.code(), "phone_in_use");
        let wrong =
            scene.ask(owner, Method::POST, "/api/sitters", json!({"name": "Kim", "phone": "12"})).await.expect(422);
        assert!(wrong.json()["fields"]["phone"].is_string(), "{}", wrong.text);

        let path = format!("/api/sitters/{id}");
        let taken = scene.ask(owner, Method::PATCH, &path, json!({"phone": "+15550100001"})).await.expect(409);
        assert_eq!(taken.code(), "phone_in_use");
        scene.ask(owner, Method::PATCH, &path, json!({"phone": "one"})).await.expect(422);
        let renamed = scene.ask(owner, Method::PATCH, &path, json!({"name": "Alexa"})).await.expect(200).json();
        assert_eq!((&renamed["sitter"]["name"], &renamed["sitter"]["active"]), (&json!("Alexa"), &json!(true)));
        let elsewhere = scene.ask(owner, Method::PATCH, "/api/sitters/sitter-kim", json!({"name": "Mine"})).await;
        elsewhere.expect(404);

        let listed = scene.get(owner, "/api/sitters?active=true").await.expect(200).json();
        let names: Vec<_> = listed["sitters"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
        assert_eq!(names, ["Alexa", "Sam"]);
        assert!(listed["sitters"][0]["metrics"]["7"].is_null());
        let none_yet = scene.metrics(sitter, 7).await;
        assert_eq!((&none_yet["metrics"], &none_yet["tier"]), (&Value::Null, &json!("unrated")));
        scene.get(sitter, &format!("{path}/metrics")).await.expect(404);
        scene.get(owner, "/api/sitters/sitter-kim/metrics").await.expect(404);
        scene.get(owner, &format!("{path}/metrics?days=9")).await.expect(422);

        let log = scene.nightshift.events("sitter.added").count().await;
        assert_eq!((log, scene.nightshift.events("sitter.changed").count().await), (1, 1));
    })
    .await;
}

async fn a_sitter_who_leaves_gets_no_offers_and_keeps_their_bookings(engine: Engine) {
    on(engine, async |nightshift| {
        let owner = Caller::Nobody;
        let scene = Scene { nightshift, sitter: owner.clone(), owner };
        let nightshift = &scene.nightshift;
        scene.conversation().await;
        let booking = scene.book(1).await;
        scene.offer(&booking, "sitter-sam").await.expect(201);
        let change = async |active: bool| {
            let path = "/api/sitters/sitter-sam";
            scene.ask(&scene.owner, Method::PATCH, path, json!({"active": active})).await.expect(200).json()
        };
        assert_eq!(change(false).await["sitter"]["active"], false);
        assert_eq!(nightshift.offers().in_status("withdrawn").count().await, 1);
        assert_eq!(nightshift.open_exceptions("offer_unfilled").count().await, 1);
        scene.offer(&booking, "sitter-sam").await.expect(422);
        let kept = scene.get(&scene.owner, "/api/assignments/windows?sitterId=sitter-sam").await.expect(200).json();
        assert_eq!(kept["windows"].as_array().unwrap().len(), 1);
        assert_eq!(nightshift.jobs("metrics.sitter_window").count().await, 0);

        change(true).await;
        nightshift.jobs("metrics.sitter_window").unclaimed().until(1).await;
        scene.offer(&booking, "sitter-sam").await.expect(201);
    })
    .await;
}
