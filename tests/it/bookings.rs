//! Bookings over the API: what is taken, what is refused and why, and the record of every status.

use nightshift::web::table;
use nightshift_db::testing::each_engine;
use nightshift_db::{Engine, Timestamp};
use nightshift_domain::access::api_keys::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::business::{self, booking, booking_of, paid};
use crate::support::nightshift::on_with;
use crate::support::{Answer, Caller, Nightshift, on};

each_engine! {
    every_status_change_is_recorded_with_its_time_and_its_actor,
    without_authentication_a_status_change_has_no_user,
    history_cannot_be_changed_in_the_database_nor_by_the_api,
    an_invalid_booking_is_refused_with_an_error_for_each_field,
    broken_json_is_400_and_the_wrong_type_415,
    a_status_that_cannot_follow_is_refused_and_changes_nothing,
    a_change_based_on_an_old_version_is_refused,
    a_list_is_walked_page_by_page_without_gaps_or_repeats,
    every_list_takes_all_of_its_filters,
    what_is_odd_about_a_booking_but_allowed_is_said_in_warnings,
    a_booking_lasts_at_most_31_days_and_longer_ones_of_before_can_be_changed_otherwise,
    a_booking_that_is_over_or_cancelled_cannot_be_moved,
}

async fn history_of(nightshift: &Nightshift, caller: &Caller, booking: &str) -> Vec<Value> {
    let path = format!("/api/bookings/{booking}/status-history");
    let history = nightshift.send(Method::GET, &path, caller, None).await.expect(200).json();
    history["history"].as_array().unwrap().clone()
}

async fn every_status_change_is_recorded_with_its_time_and_its_actor(engine: Engine) {
    on_with(
        engine,
        |settings| settings.auth.enabled = true,
        async |nightshift| {
            let owner = nightshift.sign_in(business::OWNER).await;
            let key = nightshift.key(&[Scope::BookingsWrite]).await;
            let made = nightshift.send(Method::POST, "/api/bookings", &key, Some(booking())).await.expect(201).json();
            let id = made["booking"]["id"].as_str().unwrap();
            nightshift.clock.set("2024-12-29T23:00:00Z".parse().unwrap());
            nightshift.stripe(&paid("evt_1", id)).await.expect(200);
            nightshift.bookings().confirmed().until(1).await;
            let confirmed_at = nightshift.status_changes().to("confirmed").one().await.changed_at;
            nightshift.clock.set("2024-12-30T01:00:00Z".parse().unwrap());
            let cancel = format!("/api/bookings/{id}/cancel");
            nightshift.send(Method::POST, &cancel, &owner, Some(json!({"reason": "rain"}))).await.expect(200);

            let history = history_of(&nightshift, &owner, id).await;
            let seen: Vec<_> = history
                .iter()
                .map(|entry| {
                    json!([
                        entry["seq"],
                        entry["fromStatus"],
                        entry["toStatus"],
                        entry["changedAt"],
                        entry["actorType"],
                        entry["changedByUserId"],
                        entry["changedByName"],
                        entry["reason"],
                    ])
                })
                .collect();
            assert_eq!(
                seen,
                [
                    json!([1, null, "pending", "2024-12-29T22:00:00.000Z", "api_key", null, null, null]),
                    json!([2, "pending", "confirmed", confirmed_at, "webhook", null, null, seen[1][7]]),
                    json!([
                        3,
                        "confirmed",
                        "cancelled",
                        "2024-12-30T01:00:00.000Z",
                        "user",
                        "user-owner",
                        "Olive",
                        "rain"
                    ]),
                ]
            );
        },
    )
    .await;
}

async fn without_authentication_a_status_change_has_no_user(engine: Engine) {
    on(engine, async |nightshift| {
        let id = nightshift.book().await;
        nightshift.post(&format!("/api/bookings/{id}/confirm"), json!({})).await.expect(200);
        let history = history_of(&nightshift, &Caller::Nobody, &id).await;
        let seen: Vec<_> = history.iter().map(|entry| json!([entry["actorType"], entry["changedByUserId"]])).collect();
        assert_eq!(seen, [json!(["user", null]), json!(["user", null])]);
    })
    .await;
}

async fn history_cannot_be_changed_in_the_database_nor_by_the_api(engine: Engine) {
    on(engine, async |nightshift| {
        let id = nightshift.book().await;
        for statement in [
            "UPDATE booking_status_history SET to_status = 'cancelled'",
            "UPDATE booking_status_history SET changed_by_user_id = 'user-owner'",
            "DELETE FROM booking_status_history",
            "UPDATE event_log SET status = 'failed'",
            "DELETE FROM event_log",
        ] {
            let refused = nightshift.db.write(statement).execute().await;
            assert!(refused.is_err(), "{statement} is allowed");
        }
        if nightshift.db.engine() == Engine::Postgres {
            for table in ["TRUNCATE booking_status_history", "TRUNCATE event_log"] {
                assert!(nightshift.db.write(table).execute().await.is_err(), "{table} is allowed");
            }
        }
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let path = format!("/api/bookings/{id}/status-history");
            nightshift.send(method, &path, &Caller::Nobody, Some(json!({}))).await.expect(405);
        }
        let writing = table().into_iter().filter(|route| route.path.contains("status-history"));
        assert_eq!(writing.map(|route| route.method).collect::<Vec<_>>(), [Method::GET]);
        assert_eq!(history_of(&nightshift, &Caller::Nobody, &id).await.len(), 1);
    })
    .await;
}

async fn an_invalid_booking_is_refused_with_an_error_for_each_field(engine: Engine) {
    on(engine, async |nightshift| {
        let answer = nightshift.post("/api/bookings", json!({})).await.expect(422).json();
        assert_eq!(answer["code"], "invalid");
        let fields: Vec<_> = answer["fields"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(fields, ["endAt", "firstName", "lastName", "phone", "service", "startAt"]);

        for (field, value) in [
            ("phone", json!("call me")),
            ("phone", json!("07700900123")),
            ("startAt", json!("tomorrow")),
            ("endAt", json!("2024-12-31T09:00:00Z")),
            ("firstName", json!("")),
            ("quantity", json!(0)),
            ("sitterId", json!("sitter-kim")),
            ("service", json!("x".repeat(500))),
        ] {
            let mut body = booking();
            body[field] = value.clone();
            let answer = nightshift.post("/api/bookings", body).await;
            assert_eq!(answer.status, 422, "{field}={value}: {}", answer.text);
            assert!(answer.json()["fields"][field].is_string(), "{field}={value}: {}", answer.text);
        }
        let unknown = nightshift.post("/api/bookings", json!({"firstName": 7})).await;
        assert!(matches!(unknown.status, 400 | 422) && unknown.text.contains("firstName"), "{}", unknown.text);
        assert_eq!(nightshift.bookings().count().await, 0);
        assert_eq!(nightshift.clients().count().await, 0);
    })
    .await;
}

async fn broken_json_is_400_and_the_wrong_type_415(engine: Engine) {
    on(engine, async |nightshift| {
        let send = async |kind: &'static str, body: &'static str| {
            let url = format!("{}/api/bookings", nightshift.app.url());
            Answer::to(nightshift.http.post(url).header("content-type", kind).body(body)).await.status
        };
        assert_eq!(send("application/json", "{\"firstName\": ").await, 400);
        assert_eq!(send("application/json", "\u{0}").await, 400);
        assert_eq!(send("text/plain", "{}").await, 415);
    })
    .await;
}

async fn a_status_that_cannot_follow_is_refused_and_changes_nothing(engine: Engine) {
    on(engine, async |nightshift| {
        let id = nightshift.book().await;
        let path = format!("/api/bookings/{id}");
        nightshift.post(&format!("{path}/cancel"), json!({})).await.expect(200);
        let refused = nightshift.post(&format!("{path}/confirm"), json!({})).await.expect(409);
        assert_eq!(refused.code(), "invalid_transition");
        nightshift.patch(&path, json!({"status": "no such"})).await.expect(422);
        assert_eq!(history_of(&nightshift, &Caller::Nobody, &id).await.len(), 2);
    })
    .await;
}

async fn a_change_based_on_an_old_version_is_refused(engine: Engine) {
    on(engine, async |nightshift| {
        let id = nightshift.book().await;
        let path = format!("/api/bookings/{id}");
        let version = nightshift.get(&path).await.expect(200).json()["booking"]["version"].clone();
        nightshift.patch(&path, json!({"notes": "first", "version": version})).await.expect(200);
        let stale = nightshift.patch(&path, json!({"notes": "second", "version": version})).await.expect(409);
        assert!(!stale.code().is_empty());
        assert_eq!(nightshift.get(&path).await.json()["booking"]["notes"], "first");
    })
    .await;
}

async fn a_list_is_walked_page_by_page_without_gaps_or_repeats(engine: Engine) {
    on(engine, async |nightshift| {
        let mut made = Vec::new();
        for number in 0..7 {
            made.push(nightshift.book_as(booking_of(number)).await);
        }
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = nightshift.get(&format!("/api/bookings?limit=3{cursor}")).await.expect(200).json();
            let ids = page["bookings"].as_array().unwrap();
            assert!(ids.len() <= 3);
            seen.extend(ids.iter().map(|booking| booking["id"].as_str().unwrap().to_owned()));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        seen.sort();
        made.sort();
        assert_eq!(seen, made);
        nightshift.get("/api/bookings?cursor=nonsense").await.expect(400);
        for query in ["limit=0", "limit=-1", "limit=x", "status=gone", "colour=red"] {
            let answer = nightshift.get(&format!("/api/bookings?{query}")).await;
            assert_eq!(answer.status, 422, "{query}: {}", answer.text);
        }
    })
    .await;
}

async fn every_list_takes_all_of_its_filters(engine: Engine) {
    on(engine, async |nightshift| {
        let id = nightshift.book().await;
        nightshift.post(&format!("/api/bookings/{id}/confirm"), json!({})).await.expect(200);
        nightshift.texts().delivered().until(1).await;
        let span = "from=2024-12-01T00:00:00Z&to=2026-01-01T00:00:00Z";
        let client = nightshift.get(&format!("/api/bookings/{id}")).await.json()["booking"]["clientId"].clone();
        let client = client.as_str().unwrap();
        for (path, rows) in [
            (format!("/api/bookings?status=confirmed&clientId={client}&q=Test&{span}"), ("bookings", 1)),
            (format!("/api/bookings?status=confirmed&sitterId=sitter-sam&q=Test&{span}"), ("bookings", 0)),
            (
                format!("/api/messages/threads?mailbox=all&scope=client_booking&numberClass=pool&unread=false&bookingId={id}&q=Test"),
                ("threads", 1),
            ),
            ("/api/messages/numbers?numberClass=pool&status=active".to_owned(), ("numbers", 1)),
            (format!("/api/assignments/windows?bookingId={id}"), ("windows", 1)),
            (
                format!("/api/automations/ledger?type=bookingConfirmation&status=success&recipient=client&bookingId={id}&{span}"),
                ("runs", 1),
            ),
            (format!("/api/event-log?eventType=thread.created&status=success&bookingId={id}&{span}"), ("events", 1)),
            ("/api/exceptions?status=open&severity=high&type=job_dead".to_owned(), ("exceptions", 0)),
        ] {
            let answer = nightshift.get(&path).await.expect(200).json();
            assert_eq!(answer[rows.0].as_array().unwrap().len(), rows.1, "{path}: {answer}");
        }
    })
    .await;
}

/// The codes of an answer's warnings.
fn warnings(answer: &Value) -> Vec<&str> {
    answer["warnings"].as_array().unwrap().iter().map(|warning| warning["code"].as_str().unwrap()).collect()
}

async fn what_is_odd_about_a_booking_but_allowed_is_said_in_warnings(engine: Engine) {
    on(engine, async |nightshift| {
        let taking_place = |start: &str, end: &str| {
            let mut body = booking();
            (body["startAt"], body["endAt"]) = (json!(start), json!(end));
            body
        };
        let (past, past_end) = ("2001-12-31T10:00:00Z", "2001-12-31T11:00:00Z");
        let made = nightshift.post("/api/bookings", taking_place(past, past_end)).await.expect(201).json();
        assert_eq!(warnings(&made), ["starts_in_past", "no_price_rule"]);
        assert_eq!(
            made["warnings"][0],
            json!({"field": "startAt", "code": "starts_in_past",
                   "message": "startAt is in the past, and the booking is over"})
        );
        let now_on = taking_place("2024-12-29T21:30:00Z", "2024-12-29T23:00:00Z");
        let under_way = nightshift.post("/api/bookings", now_on).await.expect(201).json();
        assert_eq!(under_way["warnings"][0]["message"], "startAt is in the past");
        let far = taking_place("2027-01-31T10:00:00Z", "2027-01-31T11:00:00Z");
        assert_eq!(
            warnings(&nightshift.post("/api/bookings", far).await.expect(201).json()),
            ["starts_far_ahead", "no_price_rule"]
        );
        nightshift.post("/api/pricing-rules", super::pricing::rule()).await.expect(201);
        let plain = nightshift.post("/api/bookings", booking()).await.expect(201).json();
        assert_eq!(plain["warnings"], json!([]));

        let path = format!("/api/bookings/{}", plain["booking"]["id"].as_str().unwrap());
        let moved = nightshift.patch(&path, json!({"startAt": past, "endAt": past_end})).await.expect(200).json();
        assert_eq!(warnings(&moved), ["starts_in_past"]);
        let other = nightshift.patch(&path, json!({"service": "cat_sitting", "notes": "x"})).await.expect(200).json();
        assert_eq!(warnings(&other), ["no_price_rule"]);
        assert_eq!(warnings(&nightshift.patch(&path, json!({"notes": "y"})).await.expect(200).json()), [""; 0]);
        for _ in 0..2 {
            let confirmed = nightshift.post(&format!("{path}/confirm"), json!({})).await.expect(200).json();
            assert_eq!(warnings(&confirmed), ["starts_in_past"]);
        }
        let cancelled = nightshift.post(&format!("{path}/cancel"), json!({})).await.expect(200).json();
        assert_eq!(cancelled["warnings"], json!([]));
        let logged = nightshift.events("booking.status.changed").all().await;
        assert_eq!(logged[0].metadata["warnings"], json!(["starts_in_past"]));
    })
    .await;
}

async fn a_booking_lasts_at_most_31_days_and_longer_ones_of_before_can_be_changed_otherwise(engine: Engine) {
    on(engine, async |nightshift| {
        let until = |end: &str| {
            let mut body = booking();
            body["endAt"] = json!(end);
            body
        };
        for (end, days) in [("2025-01-31T10:00:00.001Z", "32 days"), ("2084-12-31T10:00:00Z", "21915 days")] {
            let refused = nightshift.post("/api/bookings", until(end)).await.expect(422).json();
            let sentence = refused["fields"]["endAt"].as_str().unwrap();
            assert!(sentence.contains("at most 31 days") && sentence.contains(days), "{sentence}");
        }
        let made = nightshift.post("/api/bookings", until("2025-01-31T10:00:00Z")).await.expect(201).json();
        let path = format!("/api/bookings/{}", made["booking"]["id"].as_str().unwrap());
        for (field, time) in [("endAt", "2025-01-31T10:00:01Z"), ("startAt", "2024-12-31T09:59:59Z")] {
            let refused = nightshift.patch(&path, json!({field: time})).await.expect(422).json();
            assert!(refused["fields"]["endAt"].is_string(), "{refused}");
        }
        for (field, time) in [("endAt", "2024-12-31T10:00:00Z"), ("startAt", "2025-01-31T10:00:00Z")] {
            nightshift.patch(&path, json!({field: time})).await.expect(422);
        }
        let end: Timestamp = "2026-01-01T10:00:00Z".parse().unwrap();
        nightshift.db.write("UPDATE bookings SET end_at = $1").bind(end).execute().await.unwrap();
        assert_eq!(nightshift.get(&path).await.expect(200).json()["booking"]["endAt"], json!(end));
        nightshift.patch(&path, json!({"notes": "long", "quantity": 2})).await.expect(200);
        nightshift.patch(&path, json!({"endAt": end, "status": "confirmed"})).await.expect(200);
        nightshift.patch(&path, json!({"endAt": "2025-06-01T10:00:00Z"})).await.expect(422);
        nightshift.patch(&path, json!({"endAt": "2025-01-05T10:00:00Z"})).await.expect(200);
    })
    .await;
}

async fn a_booking_that_is_over_or_cancelled_cannot_be_moved(engine: Engine) {
    on(engine, async |nightshift| {
        for ending in ["cancelled", "completed"] {
            let id = nightshift.book().await;
            let path = format!("/api/bookings/{id}");
            nightshift.patch(&path, json!({"status": "confirmed"})).await.expect(200);
            nightshift.patch(&path, json!({"status": ending})).await.expect(200);
            let refused = nightshift.patch(&path, json!({"endAt": "2024-12-31T12:00:00Z"})).await.expect(409);
            assert_eq!(refused.code(), "invalid_transition");
        }
    })
    .await;
}
