//! Live updates: what happens reaches those who may watch it, at once, and nothing is missed over a broken connection.

use std::time::Duration;

use nightshift_db::Engine;
use nightshift_db::testing::each_engine;
use nightshift_domain::access::api_keys::Scope;
use nightshift_domain::stream;
use nightshift_lab::simulator::InboundSpec;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::business;
use crate::support::nightshift::on_with;
use crate::support::{Caller, Nightshift, on};

each_engine! {
    a_confirmation_reaches_whoever_watches_the_request,
    events_of_many_writers_arrive_once_each_and_in_order,
    each_caller_watches_what_is_theirs,
    every_conversation_that_begins_is_announced_and_recorded,
    a_sitter_who_loses_a_window_learns_it,
}

/// An open stream.
struct Watching {
    response: reqwest::Response,
    read: String,
}

#[derive(Debug, PartialEq)]
struct Seen {
    id: i64,
    event: String,
    data: Value,
}

impl Watching {
    async fn start(nightshift: &Nightshift, topics: &str, last: Option<i64>, headers: &[(&str, &str)]) -> Self {
        let mut request = nightshift.http.get(format!("{}/api/events/stream?topics={topics}", nightshift.app.url()));
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, read: String::new() }
    }

    /// The data of the next event of this name, within ten seconds of the one before.
    async fn next_of(&mut self, event: &str) -> Value {
        loop {
            let seen = self.next().await;
            if seen.event == event {
                return seen.data;
            }
        }
    }

    /// The next event, within ten seconds.
    async fn next(&mut self) -> Seen {
        loop {
            if let Some((block, rest)) = self.read.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.read = rest;
                let field = |name: &str| {
                    block.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
                };
                let Some(id) = field("id:") else { continue };
                return Seen {
                    id: id.parse().unwrap(),
                    event: field("event:").unwrap(),
                    data: serde_json::from_str(&field("data:").unwrap()).unwrap(),
                };
            }
            let chunk = tokio::time::timeout(Duration::from_secs(10), self.response.chunk()).await;
            let chunk = chunk.expect("an event in time").unwrap().expect("the stream goes on");
            self.read.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

async fn happen(nightshift: &Nightshift, org: &str, topic: &str, number: i64) {
    let mut tx = nightshift.db.begin().await.unwrap();
    let now = nightshift.clock.now();
    stream::append(&mut tx, Some(&org.into()), topic, "window.changed", &json!({"n": number}), now).await.unwrap();
    tx.commit().await.unwrap();
}

async fn a_confirmation_reaches_whoever_watches_the_request(engine: Engine) {
    on(engine, async |nightshift| {
        let body = json!({"title": "Teeth", "userPhone": "+14155550199",
                          "providers": [{"name": "Bright Dental", "phone": "+14155550177"}]});
        let made = nightshift.post("/api/v1/service-requests", body).await.expect(201).json();
        let id = made["data"]["id"].as_str().unwrap().to_owned();
        let shown = nightshift.get(&format!("/api/v1/service-requests/{id}")).await.expect(200).json();
        let mut watching = Watching::start(&nightshift, &format!("request:{id}"), None, &[]).await;
        let wish = json!({"serviceRequestId": id, "providerId": shown["data"]["providers"][0]["id"]});
        nightshift.post("/api/v1/bookings/schedule-async", wish).await.expect(202);
        let mut events = Vec::new();
        while events.last().is_none_or(|seen: &Seen| seen.event != "booking.confirmed") {
            events.push(watching.next().await);
        }
        let names: Vec<_> = events.iter().map(|seen| seen.event.as_str()).collect();
        assert_eq!(names, ["request.status", "request.status", "provider.updated", "booking.confirmed"]);
        assert_eq!((&events[0].data["status"], &events[1].data["status"]), (&json!("BOOKING"), &json!("COMPLETED")));
        assert_eq!(events[3].data["providerName"], "Bright Dental");
        assert!(!format!("{events:?}").contains("555"), "a phone number is in {events:?}");

        // The connection broke after the first: nothing is missed, nothing comes twice.
        drop(watching);
        let mut again = Watching::start(&nightshift, &format!("request:{id}"), Some(events[0].id), &[]).await;
        for expected in &events[1..] {
            assert_eq!(&again.next().await, expected);
        }
    })
    .await;
}

async fn events_of_many_writers_arrive_once_each_and_in_order(engine: Engine) {
    on(engine, async |nightshift| {
        let mut watching = Watching::start(&nightshift, "windows,threads", None, &[]).await;
        let writers = (0..40).map(|number| happen(&nightshift, "org-paws", "windows", number));
        futures_util::future::join_all(writers).await;
        let mut seen = Vec::new();
        for _ in 0..40 {
            seen.push(watching.next().await);
        }
        assert!(seen.windows(2).all(|pair| pair[0].id < pair[1].id), "{seen:?}");
        let mut numbers: Vec<i64> = seen.iter().map(|event| event.data["n"].as_i64().unwrap()).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..40).collect::<Vec<_>>());
    })
    .await;
}

async fn each_caller_watches_what_is_theirs(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let (owner, sitter, ops) = (
                nightshift.sign_in(business::OWNER).await,
                nightshift.sign_in(business::SITTER).await,
                nightshift.sign_in(business::OPS).await,
            );
            let stranger = nightshift.sign_in(business::STRANGER).await;
            let key = nightshift.key(&[Scope::RequestsWrite]).await;
            let body = json!({"title": "Teeth", "userPhone": "+14155550199"});
            let made =
                nightshift.send(Method::POST, "/api/v1/service-requests", &key, Some(body)).await.expect(201).json();
            let request = format!("request:{}", made["data"]["id"].as_str().unwrap());
            let token = made["data"]["requestUrl"].as_str().unwrap().split("?t=").nth(1).unwrap().to_owned();
            nightshift
                .given("INSERT INTO message_threads (id, org_id, scope) VALUES ('thread-1', 'org-paws', 'internal')")
                .await;
            for (caller, topics, status) in [
                (&sitter, "threads", 403),
                (&sitter, "sitter:sitter-kim", 403),
                (&ops, "threads", 403),
                (&stranger, request.as_str(), 403),
                (&stranger, "thread:thread-1", 403),
                (&owner, "thread:nothing", 403),
                (&sitter, request.as_str(), 403),
                (&owner, "sitter:sitter-sam", 403),
                (&owner, "threads,nonsense", 422),
                (&owner, "", 422),
                (&Caller::Nobody, "threads", 401),
                (&key, "threads", 403),
            ] {
                let path = format!("/api/events/stream?topics={topics}");
                let answer = nightshift.send(Method::GET, &path, caller, None).await;
                assert_eq!(answer.status, status, "{topics}: {}", answer.text);
            }
            let link = [("x-request-token", token.as_str())];
            let path = "/api/events/stream?topics=threads";
            let refused = nightshift.send_with(Method::GET, path, &Caller::Nobody, None, &link).await;
            assert_eq!(refused.status, 403);
            Watching::start(&nightshift, &request, None, &link).await;

            let Caller::Cookie(cookie) = &owner else { unreachable!("somebody signed in") };
            let mut watching = Watching::start(&nightshift, "windows", None, &[("cookie", cookie)]).await;
            happen(&nightshift, "org-other", "windows", 1).await;
            happen(&nightshift, "org-paws", "threads", 2).await;
            happen(&nightshift, "org-paws", "windows", 3).await;
            assert_eq!(watching.next().await.data["n"], 3, "an event of somebody else");
        },
    )
    .await;
}

async fn every_conversation_that_begins_is_announced_and_recorded(engine: Engine) {
    on(engine, async |nightshift| {
        let people = json!({
            "numbers": [{"id": "number-desk", "orgId": "org-paws", "e164": "+15550199000",
                         "numberClass": "front_desk", "provider": "twilio"}],
            "sitters": [{"id": "sitter-lee", "orgId": "org-paws", "name": "Lee", "phone": "+15550100003"}],
        });
        business::load(&nightshift.db, people).await;
        let twilio = nightshift.simulator.twilio();
        twilio.set_inbound_url(format!("{}/api/twilio/inbound", nightshift.app.url()));
        let mut watching = Watching::start(&nightshift, "threads", None, &[]).await;
        // A stranger writes, a sitter writes, and a sitter who never wrote is offered a booking that is confirmed later.
        for (from, scope) in [("+15550177001", "client_general"), ("+15550100001", "owner_sitter")] {
            twilio.receive(InboundSpec::new(from, "+15550199000", "Hello")).await;
            assert_eq!(watching.next_of("thread.created").await["scope"], scope);
        }
        let booking = nightshift.book().await;
        let offers = format!("/api/bookings/{booking}/offers");
        nightshift.post(&offers, json!({"sitterIds": ["sitter-lee"]})).await.expect(201);
        assert_eq!(watching.next_of("thread.created").await["scope"], "owner_sitter");
        nightshift.post(&format!("/api/bookings/{booking}/confirm"), json!({})).await.expect(200);
        let begun = watching.next_of("thread.created").await;
        assert_eq!((&begun["scope"], &begun["bookingId"]), (&json!("client_booking"), &json!(booking)));
        // More texts to the same conversations begin none.
        twilio.receive(InboundSpec::new("+15550100001", "+15550199000", "Hello again")).await;
        nightshift.quiet().await;
        let threads = nightshift.threads().count().await;
        let recorded = "SELECT count(DISTINCT thread_id) FROM event_log WHERE event_type = 'thread.created'";
        assert_eq!((threads, nightshift.events("thread.created").count().await), (4, 4));
        assert_eq!(nightshift.count(recorded).await, 4);
    })
    .await;
}

async fn a_sitter_who_loses_a_window_learns_it(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let lee = json!({"sitters": [{"id": "sitter-lee", "orgId": "org-paws", "name": "Lee",
                                          "phone": "+15550100003"}]});
            business::load(&nightshift.db, lee).await;
            let owner = nightshift.sign_in(business::OWNER).await;
            let sam = nightshift.sign_in(business::SITTER).await;
            let mut body = business::booking();
            body["sitterId"] = json!("sitter-sam");
            let made = nightshift.send(Method::POST, "/api/bookings", &owner, Some(body)).await.expect(201).json();
            let path = format!("/api/bookings/{}", made["booking"]["id"].as_str().unwrap());
            let confirm = format!("{path}/confirm");
            nightshift.send(Method::POST, &confirm, &owner, Some(json!({}))).await.expect(200);
            nightshift.quiet().await;
            let Caller::Cookie(cookie) = &sam else { unreachable!("somebody signed in") };
            let mut watching = Watching::start(&nightshift, "sitter:sitter-sam", None, &[("cookie", cookie)]).await;
            let given = Some(json!({"sitterId": "sitter-lee"}));
            nightshift.send(Method::PATCH, &path, &owner, given).await.expect(200);
            let window = watching.next_of("window.changed").await;
            assert_eq!(window["bookingId"], made["booking"]["id"]);
            assert_eq!(window["sitterId"], Value::Null, "it is theirs no longer, and not said whose: {window}");
        },
    )
    .await;
}
